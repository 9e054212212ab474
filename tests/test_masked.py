"""What is left out has no say: by a mask, a weight of 0, ``ignore_index`` or a branch that is not taken.

It can be any number, inf and nan as well, and neither the value nor the gradient of anything else changes.
"""

import math
import warnings

import numpy
import pytest

import ichikara
from ichikara import nn, ops, optim
from ichikara.arrays import Interpreter, interpreting
from ichikara.autodiff import asarray

random = numpy.random.default_rng(0)
ANYTHING = [math.inf, -math.inf, math.nan, 1e38, -1e38]
N, C = 5, 4
LOGITS, OTHERS = random.standard_normal((N, C)), random.standard_normal((N, C))
PROBABILITIES = random.uniform(0.1, 0.9, (N, C))
LABELS = numpy.array([0, 3, 1, 1, 2])
TRUTH = random.integers(0, 2, (N, C)).astype(float)
CHANCES = random.dirichlet(numpy.ones(C), N)
OUT = numpy.array([True, False, True, False, False])  # rows that are left out
WEIGHT = numpy.where(OUT[:, None], 0.0, random.uniform(0.5, 2.0, (N, C)))
IGNORED = numpy.where(OUT, -100, LABELS)
CLASSES = numpy.array([0.0, 1.0, 2.0, 0.5])  # class 0, of row 0 alone, does not count

OF_CLASSES = numpy.array([True, False, False, False, False])
PLUS = numpy.where(OUT[:, None], 1.0, TRUTH)  # where a positive target has no weight

# By name: the loss of x with its options, x, and the rows of x that are left out.
LOSSES = {
    "cross_entropy, ignored": (lambda x, **o: ops.cross_entropy(x, IGNORED, **o), LOGITS, OUT),
    "cross_entropy, ignored and weighted": (
        lambda x, **o: ops.cross_entropy(x, IGNORED, weight=CLASSES + 1, **o),
        LOGITS,
        OUT,
    ),
    "cross_entropy, ignored and smoothed": (
        lambda x, **o: ops.cross_entropy(x, IGNORED, label_smoothing=0.1, **o),
        LOGITS,
        OUT,
    ),
    "cross_entropy, weight 0": (lambda x, **o: ops.cross_entropy(x, LABELS, weight=CLASSES, **o), LOGITS, OF_CLASSES),
    "cross_entropy, no probability": (
        lambda x, **o: ops.cross_entropy(x, numpy.where(OUT[:, None], 0.0, CHANCES), **o),
        LOGITS,
        OUT,
    ),
    "nll_loss, ignored": (lambda x, **o: ops.nll_loss(x, IGNORED, **o), LOGITS, OUT),
    "nll_loss, weight 0": (lambda x, **o: ops.nll_loss(x, LABELS, weight=CLASSES, **o), LOGITS, OF_CLASSES),
    "binary_cross_entropy, weight 0": (
        lambda x, **o: ops.binary_cross_entropy(x, TRUTH, weight=WEIGHT, **o),
        PROBABILITIES,
        OUT,
    ),
    "with logits, weight 0": (
        lambda x, **o: ops.binary_cross_entropy_with_logits(x, TRUTH, weight=WEIGHT, **o),
        LOGITS,
        OUT,
    ),
    "with logits, weight 0 among others": (
        lambda x, **o: ops.binary_cross_entropy_with_logits(
            x, TRUTH, weight=WEIGHT, pos_weight=numpy.array([2.0, 1.0, 3.0, 0.5]), **o
        ),
        LOGITS,
        OUT,
    ),
    "with logits, pos_weight 0": (
        lambda x, **o: ops.binary_cross_entropy_with_logits(
            x, PLUS, pos_weight=numpy.where(OUT, 0.0, 2.0)[:, None], **o
        ),
        LOGITS,
        OUT,
    ),
    **{
        f"{name}, where": (
            lambda x, reduction, name=name: getattr(ops, name)(
                ops.where(OUT[:, None], 0.0, x), numpy.where(OUT[:, None], 0.0, TRUTH), reduction=reduction
            ),
            LOGITS,
            OUT,
        )
        for name in ("l1_loss", "mse_loss", "huber_loss")
    },
}


def value_and_gradient(loss, x, reduction, dtype):
    t = asarray(x.astype(dtype), requires_grad=True)
    y = loss(t, reduction=reduction)
    g = numpy.linspace(0.5, 1.5, y.size).reshape(y.shape)
    y.backward(g)
    return y.numpy(), t.grad.numpy()


@pytest.mark.parametrize("records", [False, True], ids=["fast", "records"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_what_a_loss_leaves_out_has_no_say(name, reduction, dtype, records):
    loss, x, out = LOSSES[name]
    with interpreting(Interpreter()) if records else warnings.catch_warnings():
        # The plain answer, from ordinary numbers in all places: without a gradient where they are left out.
        expected, slope = value_and_gradient(loss, x, reduction, dtype)
        assert not slope[out].any()
        assert slope[~out].any()
        for number in ANYTHING:
            given = x.copy()
            given[out] = number
            with numpy.errstate(all="ignore"):
                value, gradient = value_and_gradient(loss, given, reduction, dtype)
            numpy.testing.assert_array_equal(value, expected)
            numpy.testing.assert_array_equal(gradient, slope)


@pytest.mark.parametrize("rows", [N, 5000])  # kernels compute the larger one
@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("number", ANYTHING)
def test_ignored_rows_have_no_say_in_kernels_and_replays(number, staged, rows):
    x, labels = random.standard_normal((rows, C)).astype("float32"), random.integers(0, C, rows)
    labels[::3] = -100
    outlier = x.copy()
    outlier[::3] = number

    def slope(x):
        t = asarray(x, requires_grad=True)

        def step():
            y = ops.cross_entropy(t, labels)
            y.backward()
            return y

        with numpy.errstate(all="ignore"):
            step = ichikara.stage(step) if staged else step
            for _ in range(1 + staged):
                t.grad = None
                y = step()
        return y.item(), t.grad.numpy()

    value, gradient = slope(outlier)
    expected, plain = slope(x)
    assert value == pytest.approx(expected, rel=1e-6)
    numpy.testing.assert_allclose(gradient, plain, rtol=1e-6)


@pytest.mark.parametrize("rows", [N, 5000])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cross_entropy", {}),
        ("cross_entropy", {"label_smoothing": 0.1}),
        ("cross_entropy", {"weight": CLASSES}),
        ("nll_loss", {}),
        ("nll_loss", {"weight": CLASSES}),
    ],
    ids=str,
)
def test_the_mean_of_no_label_is_nan_and_teaches_nothing(name, rows, options, torch):
    x = random.standard_normal((rows, C)).astype("float32")
    labels = numpy.full(rows, -100)
    t, u = asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    value = getattr(ops, name)(t, labels, **options)
    theirs = {k: torch.tensor(v, dtype=torch.float32) if k == "weight" else v for k, v in options.items()}
    expected = getattr(torch.nn.functional, name)(u, torch.tensor(labels), **theirs)
    value.backward()
    expected.backward()
    numpy.testing.assert_array_equal(value.numpy(), expected.detach().numpy())
    numpy.testing.assert_array_equal(t.grad.numpy(), u.grad.numpy())
    assert not t.grad.numpy().any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("delta", [0.5, 1e30, math.inf])
def test_huber_loss_is_pytorchs_for_any_delta_and_outlier(delta, dtype, torch):
    x = numpy.array([0.0, 0.2, -3.0, 1e18, -1e18, math.inf, -math.inf]).astype(dtype)
    x = x[:3] if delta > 1 else x
    for reduction in ("mean", "sum", "none"):
        t, u = asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        value = ops.huber_loss(t, numpy.zeros_like(x), delta=delta, reduction=reduction)
        expected = torch.nn.functional.huber_loss(u, torch.zeros_like(u), delta=delta, reduction=reduction)
        value.sum().backward()
        expected.sum().backward()
        numpy.testing.assert_allclose(value.numpy(), expected.detach().numpy(), rtol=1e-6)
        numpy.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("size", [4, 20_000])
def test_sure_and_right_logits_cost_nothing(size):
    u = asarray(numpy.tile([math.inf, -math.inf, math.inf, -math.inf], size // 4).astype("float32"), requires_grad=True)
    target = numpy.tile([1.0, 0.0, 0.0, 1.0], size // 4).astype("float32")
    losses = ops.binary_cross_entropy_with_logits(u, target, reduction="none")
    losses.backward(numpy.ones(size))
    numpy.testing.assert_array_equal(losses.numpy()[:4], [0, 0, math.inf, math.inf])
    numpy.testing.assert_array_equal(u.grad.numpy()[:4], [0, 0, 1, -1])


def test_an_impossible_class_without_probability_costs_nothing():
    x = asarray([[-math.inf, 1.0, 2.0]], requires_grad=True)
    value = ops.cross_entropy(x, numpy.array([[0.0, 0.25, 0.75]], "float32"))
    value.backward()
    assert value.item() == pytest.approx(math.log1p(math.exp(-1)) + 0.25)
    assert numpy.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", ["std", "var"])
@pytest.mark.parametrize("correction", [0, 1])
def test_the_spread_of_equal_numbers_has_no_slope(name, correction, torch):
    x = numpy.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
    t, u = asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    getattr(ops, name)(t, axis=1, correction=correction).sum().backward()
    getattr(u, name)(1, correction=correction).sum().backward()
    numpy.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-12)
    assert not t.grad.numpy()[0].any()


@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm"])
@pytest.mark.parametrize("constant", [0.0, 3.0, 1e6])
def test_the_norms_of_constants_are_pytorchs(norm, constant, torch):
    arguments = {"layer_norm": (3,), "rms_norm": (3,), "group_norm": (2,)}.get(norm, ())
    training = {"training": True} if norm == "batch_norm" else {}
    x = numpy.full((2, 4, 3), constant)
    t, u = asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    value = getattr(ops, norm)(t, *arguments, **training)
    theirs = [(3,)] if arguments == (3,) else [None, None] if norm == "batch_norm" else arguments
    expected = getattr(torch.nn.functional, norm)(u, *theirs, **training)
    (value * ops.arange(24).reshape(x.shape)).sum().backward()
    (expected * torch.arange(24).reshape(x.shape)).sum().backward()
    # PyTorch's mean of a million is rounded.
    numpy.testing.assert_allclose(value.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-6)
    numpy.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("number", ANYTHING)
def test_a_branch_that_is_not_taken_has_no_say(number):
    kept = numpy.array([True, False, True])

    def slopes(function, *arrays):
        tensors = [asarray(a, requires_grad=True) for a in arrays]
        with numpy.errstate(all="ignore"):
            function(*tensors).sum().backward()
        return [t.grad.numpy() for t in tensors]

    x = numpy.array([1.0, number, 2.0])
    a, b = slopes(lambda a, b: ops.where(kept, a, b), x, x[::-1].copy())
    numpy.testing.assert_array_equal(a, [1, 0, 1])
    numpy.testing.assert_array_equal(b, [0, 1, 0])
    (a,) = slopes(lambda a: ops.where(kept, a, 0.0) ** 2, x)
    numpy.testing.assert_array_equal(a, [2, 0, 4])
    (a,) = slopes(lambda a: ops.relu(-(a**2)) * number, numpy.array([1.0, 2.0]))
    numpy.testing.assert_array_equal(a, [0, 0])
    bound = numpy.array([3.0, 3.0, 0.5])
    if not math.isnan(number):
        x_bar, low_bar = slopes(lambda x, low: ops.clip(x, low), x, bound)
        numpy.testing.assert_array_equal(x_bar, [0, number > 3, 1])
        numpy.testing.assert_array_equal(low_bar, [1, number <= 3, 0])


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 2},
        {"kernel_size": (5, 2), "stride": (3, 1), "padding": (2, 1), "ceil_mode": True},
    ],
    ids=str,
)
def test_padding_never_wins_a_window(options, torch):
    x = random.standard_normal((2, 3, 9, 8))
    x[x < 0.8] = -math.inf
    t, u = asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    value, expected = ops.max_pool2d(t, **options), torch.nn.functional.max_pool2d(u, **options)
    g = random.standard_normal(value.shape)
    value.backward(g)
    expected.backward(torch.tensor(g))
    numpy.testing.assert_array_equal(value.numpy(), expected.detach().numpy())
    numpy.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("number", ANYTHING)
@pytest.mark.parametrize(
    "pool",
    [
        lambda f, x: f.avg_pool2d(x, 3, 2, 1),
        lambda f, x: f.avg_pool2d(x, 2, 1, 0, False, False),
        lambda f, x: f.adaptive_avg_pool2d(x, (3, 4)),
        lambda f, x: f.max_pool2d(x, 3, 2, 1),
    ],
    ids=["padding", "overlapping", "adaptive", "max"],
)
def test_a_window_sees_its_own_elements_alone(pool, number, torch):
    x = random.standard_normal((1, 2, 7, 6))
    x[0, 1, 2, 3] = number
    t, u = asarray(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    with numpy.errstate(all="ignore"):
        value, expected = pool(ops, t), pool(torch.nn.functional, u)
    numpy.testing.assert_allclose(value.numpy(), expected.detach().numpy(), rtol=1e-12)
    if not math.isnan(number):
        value.backward(numpy.ones(value.shape))
        expected.backward(torch.ones_like(expected))
        numpy.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-12)


# --- sequences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [False, True], ids=["fast", "records"])
@pytest.mark.parametrize("number", ANYTHING)
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_what_is_beyond_a_sequence_has_no_say(kind, number, records):
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[kind]
    x, w_ih, w_hh = (random.standard_normal(shape) for shape in ((4, 3, 2), (gates * 5, 2), (gates * 5, 5)))
    lengths = numpy.array([4, 2, 1])

    def slopes(x):
        tensors = [asarray(a, requires_grad=True) for a in (x, w_ih, w_hh)]
        state = [None] * (3 + (kind == "lstm"))
        with interpreting(Interpreter()) if records else warnings.catch_warnings(), numpy.errstate(all="ignore"):
            y = getattr(ops, kind, None) or getattr(ops.recurrent, kind)
            y = y(*tensors, None, None, *state[1 : 2 + (kind == "lstm")], lengths)
            (y * y).sum().backward()
        return [y.numpy(), *[t.grad.numpy() for t in tensors]]

    padded = x.copy()
    padded[2:, 1], padded[1:, 2] = number, number
    for given, expected in zip(slopes(padded), slopes(x), strict=True):
        numpy.testing.assert_allclose(given, expected, rtol=1e-12)


@pytest.mark.parametrize("records", [False, True], ids=["fast", "records"])
@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize(
    ("number", "length"), [*[(number, 6) for number in ANYTHING], (math.nan, 200)]
)  # kernels compute the larger one
def test_keys_that_nobody_may_look_at_have_no_say(number, floats, length, records):
    q, k, v = (random.standard_normal((2, length, 50)).astype("float32") for _ in range(3))
    allowed = random.random((2, length, length)) < 0.7
    allowed[:, :, 3:5] = False  # keys that no query sees
    allowed[:, 1] = False  # a query that sees no key
    mask = numpy.where(allowed, 0.0, -math.inf).astype("float32") if floats else allowed

    def slopes(q, k, v):
        tensors = [asarray(a, requires_grad=True) for a in (q, k, v)]
        with interpreting(Interpreter()) if records else warnings.catch_warnings(), numpy.errstate(all="ignore"):
            y = ops.scaled_dot_product_attention(*tensors, mask)
            (y * y).sum().backward()
        return [y.numpy(), *[t.grad.numpy() for t in tensors]]

    given = [q.copy(), k.copy(), v.copy()]
    given[0][:, 1], given[1][:, 3:5], given[2][:, 3:5] = number, number, number
    for values, expected in zip(slopes(*given), slopes(q, k, v), strict=True):
        assert numpy.isfinite(values).all()
        numpy.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_softmax_of_nothing_but_minus_infinity_is_pytorchs(torch):
    x = numpy.array([[-math.inf, -math.inf], [0.0, -math.inf]])
    with numpy.errstate(invalid="ignore"):
        for name in ("softmax", "log_softmax"):
            expected = getattr(torch, name)(torch.tensor(x), 1).numpy()
            numpy.testing.assert_array_equal(getattr(ops, name)(x, 1).numpy(), expected)


@pytest.mark.parametrize("number", ANYTHING)
def test_the_row_of_padding_has_no_say_in_an_embedding(number):
    layer = nn.Embedding(5, 3, padding_idx=2)
    y = layer(asarray([0, 2, 1]))
    g = numpy.ones((3, 3), "float32")
    g[1] = number
    y.backward(g)
    numpy.testing.assert_array_equal(layer.weight.grad.numpy().sum(axis=1), [3, 3, 0, 0, 0])


# --- clipping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
def test_clipping_of_zero_and_of_infinite_gradients(norm_type, torch):
    for gradient in ([0.0, 0.0], [math.inf, 1.0]):
        for largest in (0.5, math.inf):
            w, u = asarray([0.0, 0.0], requires_grad=True), torch.zeros(2, requires_grad=True)
            w.grad, u.grad = asarray(gradient), torch.tensor(gradient)
            with numpy.errstate(invalid="ignore"):
                total = optim.clip_grad_norm_([w], largest, norm_type)
            assert total.item() == torch.nn.utils.clip_grad_norm_([u], largest, norm_type).item()
            expected = gradient if largest == math.inf else u.grad.numpy()  # there PyTorch's is nan
            numpy.testing.assert_array_equal(w.grad.numpy(), expected)
