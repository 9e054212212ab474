"""The array API standard, where ichikara has its names: signatures, values and types are those of array-api-strict."""

import inspect
import math

import numpy
import pytest

import ichikara
from ichikara import Tensor, asarray, ops

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is the oracle of these tests")

_COMPLEX = "a tensor holds real numbers"
_OF_STRICT = "it is no name of the standard"
LACKING = {
    **dict.fromkeys(("complex64", "complex128", "conj", "imag", "real", "fft"), _COMPLEX),
    **dict.fromkeys(
        (
            "ArrayAPIStrictFlags",
            "Device",
            "__version__",
            "get_array_api_strict_flags",
            "reset_array_api_strict_flags",
            "set_array_api_strict_flags",
        ),
        _OF_STRICT,
    ),
    "from_dlpack": "asarray takes what NumPy and JAX hold; arrays of other libraries become NumPy's first",
}
LACKING_OF_ARRAYS = {
    "__buffer__": "the numbers of a tensor are not to be changed; data and numpy() give them",
    "__complex__": _COMPLEX,
    **dict.fromkeys(("__dlpack__", "__dlpack_device__"), "numpy() gives an array that has it"),
    **{
        f"__i{name}__": "t += x makes a new tensor by t + x: a tensor is not changed in place"
        for name in (
            "add",
            "and",
            "floordiv",
            "lshift",
            "matmul",
            "mod",
            "mul",
            "or",
            "pow",
            "rshift",
            "sub",
            "truediv",
            "xor",
        )
    },
}
# Options of the standard that a function does without, and why.
WITHOUT = {
    ("sum", "dtype"): "astype says so before",
    ("prod", "dtype"): "astype says so before",
    ("cumulative_sum", "dtype"): "astype says so before",
    ("cumulative_prod", "dtype"): "astype says so before",
    ("reshape", "copy"): "nothing is changed in place, so nobody can tell",
    ("astype", "device"): "there is one device",
}
# Defaults that differ, and why.
OTHER_DEFAULTS = {
    ("take", "axis"): "axis 0 is what None means where the standard allows it",
    ("cumulative_sum", "axis"): "the last axis is what None means where the standard allows it",
    ("cumulative_prod", "axis"): "the last axis is what None means where the standard allows it",
}
FUNCTIONS = sorted(
    name
    for name in strict.__all__
    if hasattr(ops, name)
    and callable(getattr(strict, name))
    and not isinstance(getattr(ops, name), numpy.dtype)
    and name != "__array_namespace_info__"
)


def test_names_that_are_lacking_are_named():
    assert {name for name in strict.__all__ if not hasattr(ops, name)} == set(LACKING)
    public = {name for name in dir(strict.asarray(1.0)) if name.startswith("__") or not name.startswith("_")}
    lacking = {name for name in public if not hasattr(Tensor, name)}
    assert lacking == set(LACKING_OF_ARRAYS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_signature_takes_what_the_standard_s_takes(name):
    theirs = inspect.signature(getattr(strict, name)).parameters.values()
    ours = inspect.signature(
        getattr(ops, name).function if hasattr(getattr(ops, name), "function") else getattr(ops, name)
    )
    places = list(ours.parameters.values())
    for place, parameter in enumerate(theirs):
        if (name, parameter.name) in WITHOUT:
            continue
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            assert any(own.kind is parameter.kind for own in places)
            return
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            own = places[place]
            assert own.kind is not inspect.Parameter.KEYWORD_ONLY
        else:
            own = ours.parameters[parameter.name]
            assert own.kind is not inspect.Parameter.POSITIONAL_ONLY
        if parameter.default is not inspect.Parameter.empty and (name, parameter.name) not in OTHER_DEFAULTS:
            assert own.default in (parameter.default, None) or own.default == parameter.default


# --- values and types -------------------------------------------------------------------------------------------------

DTYPES = ["bool", "int8", "int32", "int64", "uint8", "uint64", "float32", "float64"]
EXPRESSIONS = """
xp.sum(x, axis=1, keepdims=True)                        xp.prod(xp.astype(x, xp.int64), axis=0)
xp.max(x)                   xp.min(x, axis=-1)          xp.mean(x, axis=(0, 1))     xp.var(x, correction=1.0)
xp.std(x, axis=1)           xp.cumulative_sum(x, axis=1)
xp.cumulative_sum(x, axis=0, include_initial=True)      xp.cumulative_prod(x, axis=1)
xp.cumulative_prod(x, axis=-1, include_initial=True)    xp.argmax(x, axis=1)        xp.argmin(x)
xp.all(x, axis=0)           xp.any(x)                   xp.count_nonzero(x, axis=1)
xp.diff(x, axis=0)          xp.diff(x, n=2)             xp.diff(x, prepend=x)       xp.diff(x, append=x, axis=0)
xp.sort(x)                  xp.sort(x, axis=0, descending=True)                     xp.argsort(x, axis=0)
xp.argsort(x, descending=True)                          xp.searchsorted(y[:, 0], y)
xp.searchsorted(y[:, 0], y, side='right')                     xp.unique_values(x)         xp.unique_counts(x)
xp.unique_inverse(x)        xp.unique_all(x)            xp.isin(x, y)               xp.nonzero(x)
xp.where(x > y, x, y)       xp.reshape(x, (3, 2))       xp.reshape(x, (-1,))        xp.permute_dims(x, (1, 0))
xp.moveaxis(x, 0, 1)        xp.moveaxis(x, (0, 1), (1, 0))                          xp.squeeze(x[:, None, :], 1)
xp.expand_dims(x, axis=1)   xp.concat([x, x], axis=1)   xp.concat((x, x), axis=None)
xp.stack([x, x], axis=-1)   xp.unstack(x, axis=1)       xp.flip(x)                  xp.flip(x, axis=0)
xp.roll(x, 1)               xp.roll(x, (1, -1), axis=(0, 1))                        xp.repeat(x, 2)
xp.repeat(x, 2, axis=1)     xp.repeat(x, xp.asarray([1, 0, 2]), axis=1)             xp.tile(x, (2, 1, 2))
xp.tile(x, (2,))            xp.broadcast_to(x, (2, 2, 3))                           xp.broadcast_arrays(x, y)
xp.broadcast_shapes((3, 1), (4,))                       xp.meshgrid(y, y, indexing='ij')
xp.meshgrid(y, x[0, :2])    xp.tril(x)                  xp.triu(x, k=1)
xp.take(x, xp.asarray([0, 0]), axis=1)                  xp.take_along_axis(x, xp.argsort(x, axis=1), axis=1)
xp.matrix_transpose(x)      xp.matmul(x, x.T)           xp.tensordot(x, x, axes=2)  xp.vecdot(x, x)
xp.vecdot(x, x, axis=-1)    xp.zeros_like(x)            xp.ones_like(x)             xp.full_like(x, 1)
xp.clip(x, 1, 2)            xp.asarray(x)               xp.asarray(x, copy=True)    xp.positive(x)
xp.asarray(x, dtype=xp.float64)                         xp.astype(x, xp.int64)      xp.astype(x, xp.float32)
xp.empty_like(x).shape      xp.result_type(x, x.dtype)  xp.can_cast(x, x.dtype)     xp.isdtype(x.dtype, 'numeric')
xp.isdtype(x.dtype, ('bool', 'integral'))               xp.isdtype(x.dtype, 'real floating')
xp.isdtype(x.dtype, x.dtype)                            xp.isdtype(x.dtype, 'unsigned integer')
xp.iinfo(x.dtype)           xp.finfo(x.dtype)           xp.finfo(x).eps             x.T
x + y                       x - 1                       2 * x                       x / y
x // y                      x % y                       x ** 2                      -x                          +x
~x                          x & y                       x | 1                       x ^ y
x << 1                      x >> 1                      True ^ x                    x @ x.T
abs(x)                      x == y                      x != y                      x < y
x <= 1                      x > y                       x >= y                      x[0, ...]
x[..., 1:]                  x[x > 1]                    x[None, 0, 1]
x.device == xp.__array_namespace_info__().default_device()                          x.to_device(x.device)
bool(x[0, 0])               x.__array_namespace__().sum(x)                          int(x[0, 0])
float(x[0, 0])              xp.linspace(0, 1, 5, dtype=xp.float64)                  xp.arange(3)
xp.arange(3, dtype=xp.float32)                          xp.arange(0, 5, 2)
xp.eye(2, 3, k=1, dtype=xp.int32)                       xp.full((2,), 3)            xp.full((2,), True)
xp.full(2, 3, dtype=xp.int8)                            xp.zeros((2,), dtype=xp.int16)
xp.ones(2, dtype=xp.uint32)                             xp.empty((0, 2), dtype=xp.bool)
xp.pi                       xp.newaxis                  math.isnan(xp.nan)
xp.__array_namespace_info__().devices() != ()
"""
CALLS = [call.strip() for line in EXPRESSIONS.splitlines() for call in line.split("  ") if call.strip()]
SIGNATURES = {name: list(inspect.signature(getattr(strict, name)).parameters) for name in FUNCTIONS}
CALLS += [f"xp.{name}(x)" for name, parameters in SIGNATURES.items() if parameters == ["x"]]
CALLS += [
    f"xp.{name}(x, y)" for name, parameters in SIGNATURES.items() if parameters == ["x1", "x2"] and name != "matmul"
]


def plain(value):
    """A result as something to compare: arrays with their types, tuples as lists."""
    if hasattr(value, "bits"):
        return [float(getattr(value, n)) for n in ("bits", "eps", "max", "min", "smallest_normal") if hasattr(value, n)]
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if hasattr(value, "__array_namespace__"):
        array = numpy.asarray(value) if isinstance(value, Tensor) else numpy.from_dlpack(value)
        return str(value.dtype).removeprefix("array_api_strict."), array
    return str(value).removeprefix("array_api_strict.")


def same(mine, other):
    assert type(mine) is type(other)
    if isinstance(mine, list):
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            same(a, b)
    elif isinstance(mine, tuple):
        assert mine[0] == other[0]
        assert mine[1].shape == other[1].shape
        numpy.testing.assert_allclose(mine[1], other[1], rtol=1e-6)
    else:
        assert mine == other


def arguments(xp, dtype):
    kind = getattr(xp, dtype)
    x = [[1, 3, 2], [2, 1, 3]] if "float" not in dtype else [[0.25, 0.75, 0.5], [0.5, 0.25, 1.0]]
    y = [[1], [1]]
    x, y = (xp.astype(xp.asarray(values), kind) for values in (x, y))
    return {"xp": xp, "math": math, "x": x, "y": y}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("call", CALLS)
def test_values_and_types_are_the_standard_s(call):
    accepted = 0
    for dtype in DTYPES:
        try:
            other = eval(call, arguments(strict, dtype))
        except Exception:
            continue  # the standard leaves it open
        accepted += 1
        same(plain(eval(call, arguments(ops, dtype))), plain(other))
    assert accepted


def test_the_default_types_are_ours():
    for made in (
        ops.zeros(2),
        ops.ones(2, dtype=None),
        ops.empty(2),
        ops.eye(2),
        ops.linspace(0, 1, 3),
        ops.full(2, 1.0),
    ):
        assert made.dtype == "float32"
    assert ops.arange(3).dtype == "int64"
    assert ops.arange(3.0, dtype=None).dtype == "float32"
    assert asarray([1, 2]).astype(None).dtype == "float32"
    assert ops.zeros_like([1, 2], dtype=None).dtype == "int64"
    info = ops.__array_namespace_info__()
    assert info.default_dtypes()["real floating"] == ops.zeros(1).dtype
    assert info.default_dtypes()["integral"] == ops.arange(1).dtype
    assert info.default_dtypes()["indexing"] == ops.argmax(ops.zeros(2)).dtype


@pytest.mark.parametrize(
    "kind", [None, "bool", "integral", "signed integer", "real floating", "numeric", ("bool", "integral")]
)
def test_the_types_of_the_namespace_are_its_names(kind):
    found = ops.__array_namespace_info__().dtypes(kind=kind)
    theirs = strict.__array_namespace_info__().dtypes(kind=kind)
    assert set(found) == {name for name in theirs if "complex" not in name}
    assert all(found[name] == getattr(ops, name) == numpy.dtype(name) for name in found)


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_result_type_and_can_cast_tell_what_a_sum_is_of(a, b):
    x, y = asarray(1).astype(a), asarray(1).astype(b)
    found = ops.result_type(x, b)
    assert found == (x + y).dtype
    assert ops.can_cast(a, b) == (found == numpy.dtype(b))


def test_a_device_is_the_processor():
    assert ops.zeros(2, device="cpu").device == "cpu"
    assert asarray([1.0], device=None).device == "cpu"
    for make in (ops.zeros, ops.ones, ops.empty, ops.eye, ops.arange, asarray):
        with pytest.raises(ValueError, match="'cuda' was asked for"):
            make(2, device="cuda")
    with pytest.raises(ValueError, match="not moved to 'cuda'"):
        asarray([1.0]).to_device("cuda")
    with pytest.raises(ValueError, match="versions"):
        asarray([1.0]).__array_namespace__(api_version="1999.01")


@pytest.mark.parametrize(
    ("make", "fits"),
    [
        (lambda: asarray(numpy.ones(2, "float32"), copy=False), True),
        (lambda: asarray(asarray([1.0]), copy=False), True),
        (lambda: asarray([1.0, 2.0], copy=False), False),
        (lambda: asarray(numpy.ones(2), dtype="float32", copy=False), False),
        (lambda: asarray(asarray([1.0]), dtype="float64", copy=False), False),
        (lambda: asarray(numpy.ones(2), requires_grad=True, copy=False), False),
    ],
)
def test_asarray_does_not_copy_where_it_must_not(make, fits):
    if fits:
        assert isinstance(make(), Tensor)
    else:
        with pytest.raises(ValueError, match="copy=False"):
            make()


# --- bits -------------------------------------------------------------------------------------------------------------


def test_operators_on_whole_numbers_work_on_bits():
    x = asarray([6, 3])
    assert (x & 1).tolist() == [0, 1]
    assert (8 | x).tolist() == [14, 11]
    assert (x ^ x).tolist() == [0, 0]
    assert (~x).tolist() == [-7, -4]
    assert (x << 2).tolist() == [24, 12]
    assert (x >> asarray([1, 0])).tolist() == [3, 3]
    assert (1 << x).tolist() == [64, 8]
    mask = asarray([True, False])
    assert (~mask & True).tolist() == [False, True]
    assert (mask | ~mask).dtype == "bool"


@pytest.mark.parametrize("call", [lambda x: x & 1, lambda x: ~x, lambda x: asarray([1]) ^ x, lambda x: x << 1])
def test_real_numbers_have_no_bits(call):
    with pytest.raises(TypeError, match=r"whole numbers or of true and false.*logical_|whole numbers.*compare first"):
        call(asarray([1.0]))


# --- gradients that are no row of the table ---------------------------------------------------------------------------


def test_the_slope_of_a_hypotenuse_at_zero_is_zero():
    a, b = asarray(0.0, requires_grad=True), asarray(0.0, requires_grad=True)
    ichikara.hypot(a, b).backward()
    assert (a.grad.item(), b.grad.item()) == (0.0, 0.0)


def test_both_shares_of_a_sum_of_exponentials_are_numbers_at_infinity():
    a = asarray([-numpy.inf, numpy.inf, 0.0], requires_grad=True)
    b = asarray([-numpy.inf, 0.0, -numpy.inf], requires_grad=True)
    ichikara.logaddexp(a, b).backward([1.0, 1.0, 1.0])
    assert a.grad.tolist() == [0.5, 1.0, 1.0]
    assert b.grad.tolist() == [0.5, 0.0, 0.0]


def test_the_gradient_of_the_different_ones_goes_to_the_first_of_equals():
    x = asarray([[3.0, 1.0], [3.0, 2.0]], requires_grad=True)
    ichikara.unique_values(x).backward([1.0, 2.0, 3.0])
    assert x.grad.tolist() == [[3.0, 1.0], [0.0, 2.0]]


def test_a_filled_tensor_and_a_grid_keep_the_gradient():
    x = asarray(2.0, requires_grad=True)
    y = asarray([1.0, 2.0], requires_grad=True)
    (ichikara.full((3,), x).sum() + ichikara.full_like([1.0, 2.0], x).sum()).backward()
    (ichikara.meshgrid(y, [1.0, 2.0, 3.0])[0] ** 2).sum().backward()
    assert x.grad.item() == 5.0
    assert y.grad.tolist() == [6.0, 12.0]


@pytest.mark.parametrize("repeats", [1.5, [1.0, 2.0], [[1, 2]]])
def test_a_number_of_repeats_is_whole(repeats):
    with pytest.raises(TypeError, match="repeats is a whole number or a list of them"):
        ichikara.repeat([1.0, 2.0], repeats)
