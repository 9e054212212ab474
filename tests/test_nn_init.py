"""The numbers that parameters start from: their distributions against PyTorch's and against the formulas."""

import inspect
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of initialisations; install torch to run these")
stats = pytest.importorskip("scipy.stats")

import ichikara  # noqa: E402
from ichikara import nn  # noqa: E402
from ichikara.errors import UserError  # noqa: E402
from ichikara.nn import init  # noqa: E402

SHAPES = [(60, 700), (40, 50, 3, 4)]
FILLS = [
    ("uniform_", {}),
    ("uniform_", {"a": -0.3, "b": 2.0}),
    ("normal_", {}),
    ("normal_", {"mean": 1.0, "std": 0.02}),
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("xavier_normal_", {"gain": 0.5}),
    ("kaiming_uniform_", {}),
    ("kaiming_uniform_", {"a": math.sqrt(5)}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", {}),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("trunc_normal_", {}),
    ("trunc_normal_", {"std": 0.02, "a": -0.03, "b": 0.05}),
    ("trunc_normal_", {"mean": 0.0, "std": 1.0, "a": 1.5, "b": 4.0}),
    ("trunc_normal_", {"mean": 1.9, "std": 2.0, "a": 0.0, "b": 1.0}),
    ("orthogonal_", {}),
    ("orthogonal_", {"gain": 1.5}),
]


def same_distribution(ours, theirs):
    """Whether two samples look drawn from one distribution, to a test that notices a scale that is 10% off."""
    return stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-3


@pytest.mark.parametrize(("name", "options"), FILLS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_drawn_is_distributed_as_pytorchs(name, options, shape):
    weight = nn.Parameter(np.zeros(shape, dtype="float32"))
    assert getattr(init, name)(weight, **options, generator=ichikara.Generator(1)) is weight
    theirs = getattr(torch.nn.init, name)(torch.empty(shape), **options, generator=torch.Generator().manual_seed(2))
    assert weight.shape == shape
    assert weight.dtype == "float32"
    assert weight.requires_grad
    assert same_distribution(weight.numpy(), theirs.numpy())
    assert weight.numpy().std() == pytest.approx(theirs.numpy().std(), rel=0.025)
    assert not same_distribution(weight.numpy() * 1.1, theirs.numpy())


@pytest.mark.parametrize("name", sorted({n for n in init.__all__ if n.endswith("_")} | {"calculate_gain"}))
def test_signatures_are_pytorchs(name):
    ours, theirs = (inspect.signature(getattr(library, name)).parameters for library in (init, torch.nn.init))
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def test_every_initialisation_of_a_distribution_is_compared():
    drawing = {
        n for n in init.__all__ if n.endswith("_") and "generator" in inspect.signature(getattr(init, n)).parameters
    }
    assert drawing == {name for name, _ in FILLS}


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_starts_as_pytorchs(bias):
    ichikara.seed(3)
    torch.manual_seed(3)
    ours = [nn.Linear(300, 200, bias=bias) for _ in range(3)]
    theirs = [torch.nn.Linear(300, 200, bias=bias) for _ in range(3)]
    for name in ("weight", "bias") if bias else ("weight",):
        a = np.concatenate([getattr(layer, name).numpy().ravel() for layer in ours])
        b = np.concatenate([getattr(layer, name).detach().numpy().ravel() for layer in theirs])
        assert same_distribution(a, b)
        assert abs(a).max() <= 1 / math.sqrt(300)
        assert abs(a.std() - 1 / math.sqrt(900)) < 0.03 / math.sqrt(900)


def test_the_same_seed_gives_the_same_network():
    def build(seed):
        ichikara.seed(seed)
        return nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)).state_dict()

    first, again, other = build(5), build(5), build(6)
    assert all(np.array_equal(first[n].numpy(), again[n].numpy()) for n in first)
    assert not any(np.array_equal(first[n].numpy(), other[n].numpy()) for n in first)


@pytest.mark.parametrize("nonlinearity", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_pytorchs(nonlinearity):
    assert init.calculate_gain(nonlinearity) == pytest.approx(torch.nn.init.calculate_gain(nonlinearity))
    assert init.calculate_gain("leaky_relu", 0.2) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.2))


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (3, 2, 2, 2)])
@pytest.mark.parametrize("gain", [1, 2.5])
def test_orthogonal_matrices_are_orthogonal(shape, gain):
    w = init.orthogonal_(ichikara.zeros(shape, dtype="float64"), gain, ichikara.Generator(0)).numpy()
    w = w.reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, gain**2 * np.eye(min(w.shape)), atol=1e-13)


def test_orthogonal_matrices_are_drawn_evenly():
    """Rotations of the plane have the determinant 1 or -1 equally often, and an angle that is uniform."""
    generator = ichikara.Generator(0)
    drawn = [
        init.orthogonal_(ichikara.zeros((2, 2), dtype="float64"), generator=generator).numpy() for _ in range(2000)
    ]
    assert abs(np.mean([np.linalg.det(w) > 0 for w in drawn]) - 0.5) < 0.05
    angles = [math.atan2(w[1, 0], w[0, 0]) for w in drawn]
    assert stats.kstest(angles, "uniform", args=(-math.pi, 2 * math.pi)).pvalue > 1e-3


def test_fixed_numbers():
    assert init.ones_(ichikara.zeros(2)).tolist() == [1, 1]
    assert init.zeros_(ichikara.ones(2)).tolist() == [0, 0]
    assert init.constant_(ichikara.zeros(2), 0.5).tolist() == [0.5, 0.5]
    assert init.eye_(ichikara.zeros((2, 3))).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(("name", "options"), FILLS, ids=str)
def test_types_are_kept_and_nothing_is_drawn_for_nothing(name, options):
    fill = getattr(init, name)
    for dtype in ("float16", "float64"):
        w = fill(ichikara.zeros((4, 3), dtype=dtype), **options)
        assert w.dtype == dtype
        assert len(np.unique(w.numpy())) > 6
    assert fill(ichikara.zeros((0, 3)), **options).shape == (0, 3)


def test_misuse_is_answered_in_words():
    with pytest.raises(TypeError, match="fills a Tensor or a Parameter, not ndarray"):
        init.normal_(np.zeros(3))
    with pytest.raises(TypeError, match="an operation made this tensor"):
        init.normal_(nn.Parameter([1.0]) * 2)
    with pytest.raises(TypeError, match="floating-point numbers, and these are int64"):
        init.uniform_(ichikara.zeros(3, dtype="int64"))
    with pytest.raises(TypeError, match=r"generator is a Generator, such as ichikara.Generator\(0\), not 0"):
        init.normal_(ichikara.zeros(3), generator=0)
    with pytest.raises(UserError, match="a = 1 is above b = 0"):
        init.uniform_(ichikara.zeros(3), 1, 0)
    with pytest.raises(UserError, match="at least 0, not -1"):
        init.normal_(ichikara.zeros(3), std=-1)
    with pytest.raises(UserError, match="a = 2 is not below b = 2"):
        init.trunc_normal_(ichikara.zeros(3), a=2, b=2)
    with pytest.raises(UserError, match="std is a number above 0"):
        init.trunc_normal_(ichikara.zeros(3), std=0)
    for fill in (init.xavier_uniform_, init.kaiming_normal_, init.orthogonal_):
        with pytest.raises(UserError, match=r"of weights \(out, in, …\), and the tensor has shape \(3,\)"):
            fill(ichikara.zeros(3))
    with pytest.raises(UserError, match="fills matrices"):
        init.eye_(ichikara.zeros(3))
    with pytest.raises(UserError, match="unknown mode 'fan_on'; did you mean 'fan_"):
        init.kaiming_uniform_(ichikara.zeros((2, 2)), mode="fan_on")
    with pytest.raises(UserError, match="unknown nonlinearity 'rleu'; did you mean 'relu'"):
        init.calculate_gain("rleu")
    with pytest.raises(UserError, match="its slope, a number, not 'steep'"):
        init.calculate_gain("leaky_relu", "steep")


# --- a whole model by name --------------------------------------------------------------------------------------------

SPREADS = {
    "normal": 0.01,
    "xavier": math.sqrt(2 / 350),
    "xavier_uniform": math.sqrt(2 / 350),
    "he": math.sqrt(2 / 200),
    "he_uniform": math.sqrt(2 / 200),
    "orthogonal": math.sqrt(1 / 200),
}


@pytest.mark.parametrize("name", init.INITIALISERS)
def test_a_model_is_initialised_by_name(name):
    net = nn.Sequential(nn.Linear(200, 150), nn.ReLU(), nn.Linear(150, 2))
    net.register_parameter("scale", nn.Parameter([3.0]))
    assert init.initialise(net, name, generator=ichikara.Generator(0)) is net
    assert net[0].weight.numpy().std() == pytest.approx(SPREADS[name], rel=0.02)
    assert net[0].bias.tolist() == [0] * 150
    assert net.scale.tolist() == [3]
    first = net.state_dict()
    init.initialise(net, name, generator=ichikara.Generator(0))
    assert all(np.array_equal(t.numpy(), first[key].numpy()) for key, t in net.state_dict().items())


def test_the_table_of_names_is_whole_and_options_are_handed_on():
    assert set(SPREADS) == set(init.INITIALISERS)
    net = init.initialise(nn.Linear(200, 200), "normal", std=0.5)
    assert net.weight.numpy().std() == pytest.approx(0.5, rel=0.02)
    with pytest.raises(UserError, match="unknown initialisation 'xaver'; did you mean 'xavier'"):
        init.initialise(net, "xaver")


def test_he_keeps_a_signal_alive_where_small_numbers_let_it_die():
    """The experiment of ゼロから作るDeep Learning, section 6.2: five layers of 100 rectified units."""

    def last_spread(name):
        ichikara.seed(0)
        net = nn.Sequential(*[layer for _ in range(5) for layer in (nn.Linear(100, 100), nn.ReLU())])
        x = ichikara.Generator(1).normal((1000, 100))
        return init.initialise(net, name)(x).numpy().std()

    assert last_spread("normal") < 1e-4
    assert 0.3 < last_spread("he") < 2
    assert last_spread("xavier") < last_spread("he")
