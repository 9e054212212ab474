"""PyTorch's own test inputs of its operations (`op_db`), through ours: outputs, gradients, and what is refused."""

import re

import pytest

import ichikara as ik

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
pytest.importorskip("expecttest", reason="PyTorch's test inputs need it")
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402
from torch_values import Refused, assert_same, translate  # noqa: E402

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:Using padding='same'"),  # PyTorch's, of itself
]

MOST = 40
"""How many inputs of each operation and type are taken."""


def axes(dim):
    """PyTorch's dim as an axis, or several."""
    return tuple(dim) if isinstance(dim, tuple | list) else dim


def all_axes(dim):
    """The same of a reduction, where PyTorch means all axes by None and by an empty list."""
    return None if isinstance(dim, tuple | list) and not dim else axes(dim)


def reduction(ours):
    return lambda x, dim=None, keepdim=False, **options: ours(x, axis=all_axes(dim), keepdims=keepdim, **options)


def spread(ours):
    """Of variance and deviation: PyTorch has two spellings of the correction."""

    def call(x, dim=None, unbiased=None, *, correction=None, keepdim=False):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if unbiased is not None:
            correction = int(unbiased)
        return ours(x, axis=all_axes(dim), correction=1 if correction is None else correction, keepdims=keepdim)

    return call


def expanded(x, *shape):
    shape = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    own = (1,) * (len(shape) - x.ndim) + x.shape
    return ik.broadcast_to(x, tuple(n if length == -1 else length for n, length in zip(own, shape, strict=True)))


def divided(x, other, rounding_mode=None):
    if rounding_mode == "trunc":
        raise Refused("a quotient is rounded down, by //, and not towards 0")
    return ik.floor_divide(x, other) if rounding_mode else ik.divide(x, other)


def only_values(function):
    """A pooling without the indices of what is the largest, which PyTorch returns too if it is asked."""

    def call(*arguments, return_indices=False, **options):
        return function(*arguments, **options)

    return call


def without_dropout(*arguments, dropout_p=0.0, **options):
    if dropout_p:
        raise Refused("what is dropped at random cannot be compared")
    return by_name(ik.scaled_dot_product_attention)(*arguments, **options)


def by_name(function):
    """One that is called as PyTorch's: inputs may be given by name, a None may stand for what it does not take."""
    names = list(function.parameters)
    inputs = names[: len(function.inputs)]

    def call(*arguments, **options):
        arguments = list(arguments)
        options = {name: value for name, value in options.items() if value is not None or name in names}
        for name in inputs[len(arguments) :]:
            arguments.append(options.pop(name, None))
        while arguments and arguments[-1] is None and len(arguments) <= len(inputs):
            arguments.pop()
        return function(*arguments, **options)

    return call


SAME = (
    *("abs", "ceil", "floor", "cos", "sin", "exp", "expm1", "log", "log1p", "sqrt", "square", "reciprocal", "sign"),
    *("tanh", "erf", "isnan", "isinf", "isfinite", "sigmoid", "logical_not", "maximum", "minimum", "logical_and"),
    *("logical_or", "logical_xor", "floor_divide", "remainder", "matmul", "pow", "heaviside", "round", "add", "stack"),
    *("reshape", "broadcast_to"),
)
RENAMED = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "neg": "negative",
    "sub": "subtract",
    "mul": "multiply",
    "true_divide": "divide",
    "view": "reshape",
    "mm": "matmul",
    "bmm": "matmul",
    "mv": "matmul",
    "dot": "matmul",
    "permute": "permute_dims",
    "movedim": "moveaxis",
    "clamp": "clip",
}
REDUCTIONS = {"amax": "max", "amin": "min"} | {
    name: name for name in ("sum", "mean", "prod", "logsumexp", "all", "any", "argmax", "argmin")
}
FUNCTIONAL = (
    *("relu", "silu", "leaky_relu", "elu", "gelu", "softplus", "linear", "layer_norm", "group_norm", "instance_norm"),
    *("batch_norm", "rms_norm", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "max_pool1d", "max_pool2d"),
    *("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "interpolate"),
    *("mse_loss", "l1_loss", "huber_loss", "cross_entropy", "nll_loss", "binary_cross_entropy"),
    "binary_cross_entropy_with_logits",
)

# Each of PyTorch's operations as ours, with PyTorch's arguments.
ROWS = {
    **{name: getattr(ik, name) for name in SAME},
    **{name: getattr(ik, ours) for name, ours in RENAMED.items()},
    **{name: reduction(getattr(ik, ours)) for name, ours in REDUCTIONS.items()},
    **{f"nn.functional.{name}": by_name(getattr(ik, name)) for name in FUNCTIONAL},
    "var": spread(ik.var),
    "std": spread(ik.std),
    "div": divided,
    "where": lambda x, condition, other: ik.where(condition, x, other),
    "cumsum": lambda x, dim, **options: ik.cumulative_sum(x, axis=dim, **options),
    "softmax": lambda x, dim, **options: ik.softmax(x, axis=dim, **options),
    "log_softmax": lambda x, dim, **options: ik.log_softmax(x, axis=dim, **options),
    "squeeze": lambda x, dim=None: ik.squeeze(x, axis=axes(dim)),
    "unsqueeze": lambda x, dim: ik.expand_dims(x, axis=dim),
    "cat": lambda tensors, dim=0: ik.concat(list(tensors), axis=dim),
    "unbind": lambda x, dim=0: ik.unstack(x, axis=dim),
    "expand": expanded,
    "flip": lambda x, dims: ik.flip(x, axis=axes(dims)),
    "roll": lambda x, shifts, dims=None: ik.roll(x, axes(shifts), axis=all_axes(dims)),
    "tril": lambda x, diagonal=0: ik.tril(x, k=diagonal),
    "triu": lambda x, diagonal=0: ik.triu(x, k=diagonal),
    "repeat_interleave": lambda x, repeats, dim=None, output_size=None: ik.repeat(x, repeats, axis=dim),
    "flatten": lambda x, start_dim=0, end_dim=-1: ik.flatten(x, start_dim, end_dim),
    "__getitem__": lambda x, index: x[index],
    "index_select": lambda x, dim, index: ik.take(x, index, axis=dim),
    "gather": lambda x, dim, index: ik.take_along_axis(x, index, axis=dim),
    "take_along_dim": lambda x, index, dim=None: (
        ik.take_along_axis(x.flatten(), index.flatten(), axis=0) if dim is None else ik.take_along_axis(x, index, dim)
    ),
    "einsum": lambda operands, equation: ik.einsum(equation, *operands),
    "tensordot": lambda a, b, dims=2: ik.tensordot(a, b, axes=dims),
    "addmm": lambda x, a, b, alpha=1, beta=1: beta * x + alpha * (a @ b),
    "outer": lambda a, b: ik.einsum("i,j->ij", a, b),
    "mT": lambda x: x.mT,
    "nn.functional.adaptive_max_pool2d": lambda x, size, return_indices=False: ik.adaptive_max_pool2d(x, size),
    "nn.functional.scaled_dot_product_attention": without_dropout,
    "nn.functional.embedding": lambda weight, indices, **options: ik.embedding(indices, weight, **options),
}
for _name in ("max_pool1d", "max_pool2d"):
    ROWS[f"nn.functional.{_name}"] = only_values(getattr(ik, _name))

NO_AXIS = "axis (0|-1|\\(0,\\)) (is out of bounds|does not exist).*dimension|0 axes|tuple index out of range"

# What is refused of PyTorch's inputs, and why: the words of the errors.
REFUSED = {
    # An argument that PyTorch has, and ours has not.
    "add": "unexpected keyword argument 'alpha'",
    "sub": "unexpected keyword argument 'alpha'",
    "round": "unexpected keyword argument 'decimals'",
    "div": "rounded down, by //, and not towards 0",
    "softmax": "dtype=None alone.*convert the input",
    "log_softmax": "dtype=None alone.*convert the input",
    "cumsum": f"dtype=None alone.*convert the input|{NO_AXIS}",
    "nn.functional.instance_norm": "momentum=0.1 alone.*changed by the layers",
    "nn.functional.batch_norm": "momentum=0.1 alone.*changed by the layers|takes inputs of shape",
    "nn.functional.interpolate": "recompute_scale_factor=None alone|unknown mode|is not of an input of shape",
    "nn.functional.avg_pool2d": "padding is a whole number of at least 0, or 2 of them|unexpected.*divisor_override",
    "nn.functional.scaled_dot_product_attention": "dropped at random cannot be compared",
    "nn.functional.conv_transpose2d": r"output_padding \(2, 3\) must be smaller than stride",
    # A number has no axes, as in the array API; PyTorch gives it one.
    "index_select": NO_AXIS,
    "gather": f"{NO_AXIS}|same number of dimensions",
    "logsumexp": NO_AXIS,
    "mean": NO_AXIS,
    "prod": f"dtype=None alone.*convert the input|{NO_AXIS}",
    # An axis that is not 1 long cannot be left out; PyTorch leaves it as it is.
    "squeeze": f"size not equal to one|{NO_AXIS}",
    # An empty list of numbers beside a matrix: PyTorch leaves it out.
    "cat": "axis 1 is out of bounds",
    "tensordot": "axes .* do not match",
}

OPERATIONS = {info.name: [] for info in op_db if info.name in ROWS}
for _info in op_db:
    if _info.name in ROWS:
        OPERATIONS[_info.name].append(_info)  # its variants


def samples_of(name):
    """The variant of an operation, its number type and PyTorch's input, of all that there are."""
    for info in OPERATIONS[name]:
        for dtype in (torch.float32, torch.float64):
            if info.supports_dtype(dtype, "cpu"):
                torch.manual_seed(0)
                for sample in list(info.sample_inputs("cpu", dtype, requires_grad=info.supports_autograd))[:MOST]:
                    yield info, dtype, sample


@pytest.mark.parametrize("name", OPERATIONS)
def test_pytorchs_inputs_of_an_operation(name):
    refused = seen = 0
    for info, dtype, sample in samples_of(name):
        expected = info(sample.input, *sample.args, **sample.kwargs)
        if "pool" in name and isinstance(expected, tuple):
            expected = expected[0]
        where = f"{info.variant_test_name} {dtype}, {sample.summary()}"
        leaves, seen = [], seen + 1
        try:
            given = [translate(value, leaves) for value in (sample.input, *sample.args)]
            output = ROWS[name](*given, **translate(sample.kwargs, leaves))
        except (Refused, TypeError, ValueError, IndexError) as error:
            if not (name in REFUSED and re.search(REFUSED[name], str(error))):
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
            refused += 1
            continue
        try:
            assert_same(output, expected, leaves, dtype)
        except Exception as error:
            raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
    assert seen > refused
    assert bool(refused) is (name in REFUSED), "the table of refusals is out of date"


def test_every_row_is_of_pytorchs():
    assert ROWS.keys() == OPERATIONS.keys()
    assert REFUSED.keys() <= ROWS.keys()
