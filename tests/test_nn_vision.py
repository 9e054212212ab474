"""The layers that see images, against PyTorch: the table of `test_nn_layers` continued, and what it cannot say."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of the layers; install torch to run these")

from contract_layers import check_layer  # noqa: E402
from test_nn_layers import Case, normal, random  # noqa: E402

import ichikara  # noqa: E402
from ichikara import nn, ops  # noqa: E402
from ichikara.errors import UserError  # noqa: E402

IMAGE, SEQUENCE, SINGLE = normal(2, 4, 6, 5), normal(2, 4, 7), normal(4, 6, 5)
DISTINCT = (random.permutation(2 * 4 * 6 * 5) * 0.1).reshape(2, 4, 6, 5)
NOT_ALONE = {"batches": ()}  # a batch of none or of one has no variance
DRAWN = {"extras": ["generator"], "trains": False}
TABLE = [
    Case("Conv2d", (4, 3, 3), inputs=(IMAGE,)),
    Case("Conv2d", (4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2), {"bias": False}, (IMAGE,)),
    Case("Conv2d", (4, 2, 3), {"padding": "same"}, (IMAGE,)),
    Case("Conv2d", (4, 2, 1), {"padding": "valid"}, (IMAGE,)),
    Case("Conv2d", (4, 2, 3), inputs=(SINGLE,), options=NOT_ALONE),
    *[
        Case("Conv2d", (4, 2, 3), {"padding": (2, 1), "padding_mode": mode}, (IMAGE,))
        for mode in ("reflect", "replicate", "circular")
    ],
    Case("Conv2d", (4, 2, 3), {"padding": "same", "padding_mode": "circular"}, (IMAGE,)),
    Case("Conv1d", (4, 3, 3), inputs=(SEQUENCE,)),
    Case("Conv1d", (4, 6, 3, 2, 2, 2, 2), {"bias": False}, (SEQUENCE,)),
    Case("Conv1d", (4, 2, 3), {"padding": 2, "padding_mode": "reflect"}, (SEQUENCE,)),
    Case("ConvTranspose2d", (4, 3, 3), inputs=(IMAGE,)),
    Case("ConvTranspose2d", (4, 6, (3, 2), 2, (1, 0), 1, 2), {"bias": False, "dilation": 2}, (IMAGE,)),
    Case("ConvTranspose1d", (4, 3, 3), inputs=(SEQUENCE,)),
    Case("ConvTranspose1d", (4, 2, 3, 3, 1, 2), inputs=(SEQUENCE,)),
    Case("MaxPool2d", (2,), inputs=(DISTINCT,)),
    Case("MaxPool2d", (3, 2, 1), {"ceil_mode": True}, (DISTINCT,)),
    Case("MaxPool2d", ((3, 2), None, (1, 0), (1, 2)), inputs=(DISTINCT,)),
    Case("MaxPool2d", (2,), inputs=(DISTINCT[0],), options=NOT_ALONE),
    Case("MaxPool1d", (2,), inputs=(DISTINCT[0],)),
    Case("MaxPool1d", (3, 2, 1, 2), {"ceil_mode": True}, (DISTINCT[0],)),
    Case("AvgPool2d", (2,), inputs=(IMAGE,)),
    Case("AvgPool2d", ((3, 2), 2, 1, True, False), inputs=(IMAGE,)),
    Case("AvgPool2d", (2,), {"divisor_override": 3}, (IMAGE,)),
    Case("AvgPool1d", (2,), inputs=(SEQUENCE,)),
    Case("AvgPool1d", (3, 2, 1, True, False), inputs=(SEQUENCE,)),
    Case("AdaptiveAvgPool2d", (1,), inputs=(IMAGE,)),
    Case("AdaptiveAvgPool2d", ((4, None),), inputs=(IMAGE,)),
    Case("AdaptiveAvgPool1d", (3,), inputs=(SEQUENCE,)),
    Case("AdaptiveMaxPool2d", ((4, 3),), inputs=(DISTINCT,)),
    Case("Upsample", (), {"scale_factor": 2}, (IMAGE,)),
    Case("Upsample", ((4, 9),), inputs=(IMAGE,)),
    Case("Upsample", (), {"scale_factor": (1.5, 2.5), "mode": "bilinear"}, (IMAGE,)),
    Case("Upsample", ((4, 9),), {"mode": "bilinear", "align_corners": True}, (IMAGE,)),
    Case("Upsample", (9,), {"mode": "linear"}, (SEQUENCE,)),
    Case("BatchNorm2d", (4,), inputs=(IMAGE,), options={"batches": (1,)}),
    Case("BatchNorm2d", (4, 1e-3, None), inputs=(IMAGE,), options={"batches": (1,)}),
    Case("BatchNorm2d", (4, 1e-3, 0.3, False), inputs=(IMAGE,), options={"batches": (1,)}),
    Case("BatchNorm2d", (4,), {"track_running_stats": False}, (IMAGE,), {"batches": (1,)}),
    # Not 2 examples, which become -1 and 1: their gradient is 0 but for epsilon, and in float32 but for rounding.
    Case("BatchNorm1d", (5,), inputs=(normal(6, 5),), options={"batches": (3,)}),
    Case("BatchNorm1d", (5,), {"bias": False}, (normal(6, 5),), {"batches": (3,)}),
    Case("BatchNorm1d", (4,), inputs=(SEQUENCE,), options={"batches": (1,)}),
    Case("InstanceNorm2d", (4,), inputs=(IMAGE,), options={"batches": (1,)}),
    Case("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, (IMAGE,), {"batches": (1,)}),
    Case("InstanceNorm2d", (4,), {"affine": True}, (SINGLE,), NOT_ALONE),
    Case("InstanceNorm1d", (4,), {"momentum": 0.3, "track_running_stats": True}, (SEQUENCE,), {"batches": (1,)}),
    Case("LayerNorm", (5,), inputs=(IMAGE,)),
    Case("LayerNorm", ((6, 5), 1e-3), inputs=(IMAGE,)),
    Case("LayerNorm", (5,), {"elementwise_affine": False}, (IMAGE,)),
    Case("LayerNorm", (5,), {"bias": False}, (IMAGE,)),
    Case("GroupNorm", (2, 4), inputs=(IMAGE,)),
    Case("GroupNorm", (4, 4, 1e-3, False), inputs=(IMAGE,)),
    Case("GroupNorm", (1, 4), inputs=(SEQUENCE,)),
    Case("RMSNorm", (5,), inputs=(IMAGE,)),
    Case("RMSNorm", ((6, 5), 1e-3), inputs=(IMAGE,)),
    Case("RMSNorm", (5,), {"elementwise_affine": False}, (IMAGE,)),
    Case("Dropout2d", inputs=(IMAGE,), options=DRAWN),
    Case("Dropout2d", (1.0,), inputs=(IMAGE,), options={"extras": ["generator"]}),
    Case("Dropout1d", inputs=(SEQUENCE,), options=DRAWN),
    Case("Dropout1d", (0.0,), inputs=(SEQUENCE,), options={"extras": ["generator"]}),
]
KINDS = {case.kind for case in TABLE} | {"Residual"}


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_a_layer_is_pytorchs(case):
    check_layer(case.make(nn), case.make(torch.nn), *case.inputs, **case.options)


# --- convolution, of any shape ----------------------------------------------------------------------------------------


@st.composite
def convolutions(draw):
    """The sizes and the arguments of a convolution that fits."""
    pair = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))
    groups, kernel = draw(st.integers(1, 3)), draw(pair(1, 4))
    options = {"stride": draw(pair(1, 3)), "padding": draw(pair(0, 3)), "dilation": draw(pair(1, 2)), "groups": groups}
    least = [
        max(1, d * (k - 1) + 1 - 2 * p) for d, k, p in zip(options["dilation"], kernel, options["padding"], strict=True)
    ]
    size = tuple(n + draw(st.integers(0, 5)) for n in least)
    before, after = draw(st.integers(1, 2)) * groups, draw(st.integers(1, 2)) * groups
    return (draw(st.integers(0, 3)), before, *size), (after, before // groups, *kernel), options


@settings(max_examples=40)
@given(case=convolutions())
def test_a_convolution_of_any_shape_is_pytorchs(case):
    x_shape, weight_shape, options = case
    check_convolution("conv2d", (x_shape, weight_shape, weight_shape[:1]), options)


@settings(max_examples=25)
@given(case=convolutions(), data=st.data())
def test_a_transposed_convolution_of_any_shape_is_pytorchs(case, data):
    (n, _, *size), weight_shape, options = case
    options["output_padding"] = tuple(data.draw(st.integers(0, s - 1)) for s in options["stride"])
    channels = weight_shape[1] * options["groups"]
    made = [
        (m - 1) * s - 2 * p + d * (k - 1) + extra + 1
        for m, s, p, d, k, extra in zip(
            size,
            *(options[name] for name in ("stride", "padding", "dilation")),
            weight_shape[2:],
            options["output_padding"],
            strict=True,
        )
    ]
    shapes = ((n, weight_shape[0], *size), weight_shape, (channels,))
    if min(made) < 1:
        with pytest.raises(UserError, match="nothing is left"):
            ops.conv_transpose2d(*map(np.zeros, shapes), **options)
        return
    check_convolution("conv_transpose2d", shapes, options)


def check_convolution(name, shapes, options):
    """Input, weight and bias of these shapes give PyTorch's output and PyTorch's gradients."""
    drawn = np.random.default_rng(0)
    arrays = [drawn.normal(size=shape) for shape in shapes]
    ours = [ichikara.asarray(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, expected = getattr(ops, name)(*ours, **options), getattr(torch.nn.functional, name)(*theirs, **options)
    close(y, expected)
    g = drawn.normal(size=y.shape)
    y.backward(g)
    expected.backward(torch.tensor(g))
    for mine, other in zip(ours, theirs, strict=True):
        close(mine.grad, other.grad)


def close(mine, other):
    assert mine.shape == tuple(other.shape)
    np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_images_are_convolved_alike_however_many_there_are(n):
    """Small images go through the product of matrices several at a time, the last ones fewer."""
    x, weight = normal(n, 2, 5, 5), normal(3, 2, 3, 3)
    together = ops.conv2d(x, weight, padding=1).numpy()
    one_by_one = np.concatenate([ops.conv2d(image[None], weight, padding=1).numpy() for image in x])
    np.testing.assert_allclose(together, one_by_one, rtol=1e-13, atol=1e-13)


def test_a_convolution_answers_other_numbers_with_other_types():
    assert ops.conv2d(np.ones((1, 1, 3, 3), "float16"), np.ones((1, 1, 2, 2), "float16")).dtype == "float16"
    x, weight = ichikara.ones((1, 1, 3, 3), requires_grad=True), ichikara.ones((1, 1, 2, 2), "float64", True)
    y = ops.conv2d(x, weight)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype, weight.grad.dtype) == ("float64", "float32", "float64")
    assert ops.conv2d(np.ones((1, 1, 3, 3), int), np.ones((1, 1, 2, 2), "float32")).dtype == "float32"


def test_output_size_decides_what_a_stride_leaves_open():
    layer, x = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1), ichikara.ones((1, 2, 4, 4))
    for size in ((7, 8), (1, 3, 7, 8)):
        assert layer(x, size).shape == (1, 3, 7, 8)
    assert layer(x, output_size=8).shape == (1, 3, 8, 8)
    with pytest.raises(UserError, match=r"can be made from \(7, 7\) to \(8, 8\) large, not \(9, 8\)"):
        layer(x, (9, 8))


def test_a_layer_of_convolution_says_what_it_takes():
    with pytest.raises(
        UserError, match=r"Conv2d\(3, 8.*takes inputs of shape \(n, 3, height, width\).*\(2, 4, 6, 5\)$"
    ):
        nn.Conv2d(3, 8, 3)(IMAGE)
    with pytest.raises(UserError, match=r"ConvTranspose1d\(3, 8.*takes inputs of shape \(n, 3, length\).*\(2, 4, 7\)$"):
        nn.ConvTranspose1d(3, 8, 3)(SEQUENCE)
    with pytest.raises(UserError, match=r"window of 7 by 7 does not fit into an image of 6 by 5"):
        nn.Conv2d(4, 8, 7)(IMAGE)
    with pytest.raises(UserError, match="in_channels=4 does not divide into 3 groups"):
        nn.Conv2d(4, 6, 3, groups=3)
    with pytest.raises(UserError, match="out_channels=8 does not divide into 3 groups"):
        nn.Conv2d(6, 8, 3, groups=3)
    with pytest.raises(UserError, match="kernel_size is a whole number of at least 1, or 2 of them, not 0"):
        nn.Conv2d(4, 6, 0)
    with pytest.raises(UserError, match="unknown padding 'sam'; did you mean 'same'"):
        nn.Conv2d(4, 6, 3, padding="sam")
    with pytest.raises(UserError, match="padding='same' keeps the size of an image, which stride 2 does not"):
        nn.Conv2d(4, 6, 3, stride=2, padding="same")
    with pytest.raises(UserError, match="unknown padding_mode 'mirror'"):
        nn.Conv2d(4, 6, 3, padding_mode="mirror")
    with pytest.raises(UserError, match="an axis of length 5 cannot be padded by 5 elements"):
        nn.Conv2d(4, 6, 3, padding=5, padding_mode="reflect")(IMAGE)
    with pytest.raises(UserError, match=r"output_padding .* must be smaller than stride"):
        nn.ConvTranspose2d(4, 6, 3, output_padding=1)(IMAGE)


def test_the_operations_say_what_does_not_fit():
    with pytest.raises(UserError, match=r"takes inputs of shape \(n, 2, h, w\), and this one has shape \(2, 4, 6, 5\)"):
        ops.conv2d(IMAGE, normal(3, 2, 3, 3))
    with pytest.raises(UserError, match="a weight has 4 axes"):
        ops.conv2d(IMAGE, normal(3, 4, 3))
    with pytest.raises(UserError, match=r"the bias has shape \(2,\), and there are 3 output channels"):
        ops.conv2d(IMAGE, normal(3, 4, 3, 3), normal(2))
    with pytest.raises(UserError, match=r"padding \(2, 2\) is more than half of the window"):
        ops.max_pool2d(IMAGE, 2, padding=2)
    with pytest.raises(UserError, match=r"takes inputs of shape \(n, c, h, w\)"):
        ops.max_pool2d(normal(3), 2)
    with pytest.raises(UserError, match=r"MaxPool2d\(.*takes inputs of shape \(n, channels, height, width\)"):
        nn.MaxPool2d(2)(normal(3))
    with pytest.raises(UserError, match="interpolate is given a size or a scale_factor"):
        ops.interpolate(IMAGE)
    with pytest.raises(UserError, match="mode='bilinear' is not of an input of shape"):
        ops.interpolate(SEQUENCE, 3, mode="bilinear")


def test_a_constant_image_meets_traced_weights(jax):
    """As in a staged step that does not differentiate by its data: NumPy's array on one side, a tracer on the other."""
    x, weight, g = normal(2, 2, 5, 5), normal(3, 2, 3, 3), normal(2, 3, 3, 3)

    def step(weight):
        leaf = ichikara.asarray(weight, requires_grad=True)
        y = ops.conv2d(x, leaf)
        y.backward(g)
        back = ops.conv_transpose2d(g, leaf)
        return y.data, leaf.grad.data, back.data

    for mine, other in zip(step(weight), jax.jit(step)(weight), strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-11, atol=1e-11)


# --- pooling ----------------------------------------------------------------------------------------------------------


def test_of_equals_the_first_wins_alone():
    x = ichikara.zeros((1, 1, 2, 4), requires_grad=True)
    nn.MaxPool2d(2)(x).sum().backward()
    assert x.grad.tolist() == [[[[1, 0, 1, 0], [0, 0, 0, 0]]]]


def test_a_window_that_is_not_a_number_is_not_hidden():
    assert math.isnan(nn.MaxPool2d(2)(np.array([[[[1.0, math.nan], [2.0, 3.0]]]])).item())


def test_large_windows_have_more_elements_than_a_byte_can_count():
    x = np.arange(400.0).reshape(1, 1, 20, 20)
    tensor = ichikara.asarray(x, requires_grad=True)
    y = nn.MaxPool2d(20)(tensor)
    y.backward(np.ones(y.shape))
    assert y.item() == 399
    assert tensor.grad.numpy().argmax() == 399


# --- normalisation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_one_value_for_each_channel_is_one_clear_error_in_training(kind):
    layer, x = kind(3), ichikara.ones((1, 3) if kind is nn.BatchNorm1d else (1, 3, 1, 1))
    with pytest.raises(UserError, match=r"has 1 value for each channel.*use a larger batch.*drop_last.*eval"):
        layer(x)
    assert layer.num_batches_tracked.item() == 0
    assert layer.eval()(x).shape == x.shape


def test_a_large_mean_does_not_drown_the_variance():
    x = ichikara.asarray(random.normal(size=(64, 3)).astype("float32") + 3000)
    y = nn.BatchNorm1d(3)(x).numpy()
    assert np.allclose(y.std(0), 1, atol=1e-2)


def test_running_statistics_are_those_of_all_batches_with_no_momentum():
    layer, batches = nn.BatchNorm1d(3, momentum=None, dtype="float64"), normal(5, 8, 3)
    for batch in batches:
        layer(batch)
    assert np.allclose(layer.running_mean.numpy(), batches.mean((0, 1)))
    assert np.allclose(layer.running_var.numpy(), batches.var(1, ddof=1).mean(0))
    assert layer.num_batches_tracked.item() == 5
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.num_batches_tracked.item() == 0


def test_running_statistics_keep_no_graph():
    layer = nn.BatchNorm1d(3)
    layer(ichikara.asarray(normal(4, 3), requires_grad=True))
    assert not layer.running_mean.requires_grad
    assert not layer.running_var.requires_grad


def test_a_layer_of_normalisation_says_what_it_takes():
    with pytest.raises(UserError, match="4 channels do not divide into 3 groups"):
        nn.GroupNorm(3, 4)
    with pytest.raises(UserError, match=r"GroupNorm\(2, 6.*takes inputs of shape \(n, 6, \*\).*\(2, 4, 6, 5\)"):
        nn.GroupNorm(2, 6)(IMAGE)
    with pytest.raises(
        UserError, match=r"BatchNorm2d\(3.*takes inputs of shape \(n, 3, height, width\).*\(2, 4, 6, 5\)"
    ):
        nn.BatchNorm2d(3)(IMAGE)
    with pytest.raises(UserError, match=r"BatchNorm1d\(4.*\(n, 4\) or \(n, 4, length\).*\(2, 4, 6, 5\)"):
        nn.BatchNorm1d(4)(IMAGE)
    with pytest.raises(UserError, match=r"LayerNorm\(\(4, 5\).*takes inputs of shape \(\*, 4, 5\).*\(2, 4, 6, 5\)"):
        nn.LayerNorm((4, 5))(IMAGE)
    with pytest.raises(UserError, match="1 position for each channel"):
        nn.InstanceNorm1d(4)(normal(2, 4, 1))


# --- dropout, shortcuts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "shape"), [(nn.Dropout2d, (40, 50, 3, 2)), (nn.Dropout1d, (40, 50, 4))])
def test_spatial_dropout_drops_whole_channels(kind, shape):
    x = ichikara.ones(shape, requires_grad=True)
    y = kind(0.3, generator=ichikara.Generator(0))(x)
    channels = y.numpy().reshape(2000, -1)
    assert np.array_equal(channels.min(1), channels.max(1))
    kept = channels[:, 0] != 0
    assert np.allclose(channels[kept], 1 / 0.7)
    assert abs(kept.mean() - 0.7) < 4 * math.sqrt(0.21 / 2000)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), y.numpy())
    with pytest.raises(UserError, match=r"Dropout.d\(p=0\.3.*takes inputs of shape \(n, channels"):
        kind(0.3)(normal(3))


class TorchResidual(torch.nn.Module):
    def __init__(self, function, shortcut=None, activation=None):
        super().__init__()
        for name, module in {"function": function, "shortcut": shortcut, "activation": activation}.items():
            self.register_module(name, module)

    def forward(self, input):
        y = self.function(input) + (input if self.shortcut is None else self.shortcut(input))
        return y if self.activation is None else self.activation(y)


@pytest.mark.parametrize(
    "words",
    [
        {"function": Case("Conv2d", (4, 4, 3), {"padding": 1})},
        {
            "function": Case("Sequential", (Case("Conv2d", (4, 6, 3, 2, 1)), Case("BatchNorm2d", (6,)))),
            "shortcut": Case("Conv2d", (4, 6, 1, 2)),
            "activation": Case("Tanh"),
        },
    ],
    ids=["identity", "projection"],
)
def test_residual_is_what_pytorch_would_write(words):
    def make(library, kind):
        return kind(**{name: case.make(library) for name, case in words.items()})

    TorchResidual.__name__ = "Residual"
    check_layer(make(nn, nn.Residual), make(torch.nn, TorchResidual), IMAGE, batches=(1,))


def test_residual_names_both_shapes():
    with pytest.raises(
        UserError, match=r"shape \(2, 3, 4, 3\), to the input, of shape \(2, 4, 6, 5\); give it a shortcut"
    ):
        nn.Residual(nn.Conv2d(4, 3, 3))(IMAGE)
    with pytest.raises(UserError, match=r"to the shortcut's output, of shape \(2, 3, 6, 5\)"):
        nn.Residual(nn.Conv2d(4, 3, 3), nn.Conv2d(4, 3, 1))(IMAGE)
    with pytest.raises(TypeError, match="a module is expected here"):
        nn.Residual(abs)


# --- whole networks ---------------------------------------------------------------------------------------------------


def _network():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(nn.Conv2d(4, 4, 3, padding=1)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


def test_a_network_learns_where_a_bright_spot_is():
    ichikara.seed(0)
    network, drawn = _network(), np.random.default_rng(0)
    x, where = drawn.normal(size=(64, 1, 8, 8)).astype("float32") * 0.3, drawn.integers(0, 3, 64)
    patterns = [np.eye(3), np.eye(3)[::-1], np.ones((3, 1)) * [0, 1, 0]]
    for image, which in zip(x, where, strict=True):
        i, j = drawn.integers(0, 5, 2)
        image[0, i : i + 3, j : j + 3] += 2 * patterns[which]
    losses = []
    for _ in range(80):
        loss = ops.cross_entropy(network(x), where)
        losses.append(loss.item())
        network.zero_grad()
        loss.backward()
        for parameter in network.parameters():
            parameter.data = parameter.numpy() - 0.1 * parameter.grad.numpy()
    assert losses[-1] < 0.5 * losses[0]


def test_a_network_traced_by_jit_is_the_eager_one(jax):
    """Value, gradients and running statistics come out of the traced step as they do of the eager one."""
    network, x = _network().to("float64"), normal(4, 1, 8, 8)
    names = [name for name, _ in network.named_parameters()]
    start = {name: tensor.numpy() for name, tensor in network.state_dict().items()}

    def step(state, x):
        network.load_state_dict(start)
        tensors = {name: ichikara.asarray(a, requires_grad=name in names) for name, a in state.items()}
        held = [(part, dict(part._buffers)) for part in network.modules()]
        loss = nn.functional_call(network, tensors, ichikara.asarray(x)).sum()
        loss.backward()
        buffers = [b.data for b in network.buffers()]
        for part, before in held:
            part._buffers.update(before)
        return loss.data, [tensors[name].grad.data for name in names], buffers

    eager, traced = step(start, x), jax.jit(step)(start, x)
    for mine, other in zip(jax.tree.leaves(eager), jax.tree.leaves(traced), strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(other), rtol=1e-9, atol=1e-9)
