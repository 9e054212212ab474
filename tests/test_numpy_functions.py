"""NumPy's functions of tensors: every public one keeps the gradient, or says what to do; none loses it in silence."""

import math
import traceback
import warnings

import numpy
import pytest

import ichikara
from ichikara import Tensor, asarray, no_grad

X = numpy.array([[1.3, 0.2, 0.7], [0.4, 1.9, 0.31], [0.53, 0.61, 1.57]])  # well conditioned, no ties, nothing whole
MASK = X > 0.6
WHOLE = numpy.array([[0, 2, 1], [1, 0, 2], [2, 1, 0]])

# What a function may be called with; each is tried on every function, and used where NumPy accepts it.
CALLS = {
    "x": lambda x: (x,),
    "x, x": lambda x: (x, x),
    "[x, x]": lambda x: ([x, x],),
    "(x, x)": lambda x: ((x[0], x[1]),),
    "x, x, x": lambda x: (x, x, x),
    "row": lambda x: (x[0],),
    "row, row": lambda x: (x[0], x[1]),
    "row, row, row": lambda x: (x[0], x[1], x[2]),
    "[row, number]": lambda x: ([x[0], 2.5],),
    "number": lambda x: (x[0, 1],),
    "x, row": lambda x: (x, x[0]),
    "row, x": lambda x: (x[0], x),
    "x, array": lambda x: (x, X.copy()),
    "array, x": lambda x: (X.copy(), x),
    "x, 1": lambda x: (x, 1),
    "row, 1": lambda x: (x[0], 1),
    "x, 0.5": lambda x: (x, 0.5),
    "1, x": lambda x: (1, x),
    "x, 3": lambda x: (x, 3),
    "x, 0, 1": lambda x: (x, 0, 1),
    "x, (0, 1)": lambda x: (x, (0, 1)),
    "x, (1, 0)": lambda x: (x, (1, 0)),
    "x, (9,)": lambda x: (x, (9,)),
    "x, (2, 3, 3)": lambda x: (x, (2, 3, 3)),
    "x, [0, 2]": lambda x: (x, [0, 2]),
    "x, whole": lambda x: (x, WHOLE.copy()),
    "x, whole, 1": lambda x: (x, WHOLE.copy(), 1),
    "x, whole, x, 1": lambda x: (x, WHOLE.copy(), x, 1),
    "mask, x, x": lambda x: (MASK.copy(), x, x + 1),
    "mask, x": lambda x: (MASK.copy(), x),
    "x > 0.6, x, 2 x": lambda x: (x > 0.6, x, 2 * x),
    "[mask], [x]": lambda x: ([MASK.copy()], [x]),
    "whole, [x, x, x]": lambda x: (WHOLE.copy(), [x, x, x]),
    "cube, 3": lambda x: (numpy.stack([x, x, x]), 3),
    "ij,jk": lambda x: ("ij,jk->ik", x, x),
    "x, dtype": lambda x: (x, numpy.float64),
    "function, 0, x": lambda x: (lambda row: row[0], 0, x),
    "whole, row": lambda x: (WHOLE[0].copy(), x[0]),
}

# What reads or writes files and settings, or talks, or makes a numpy.matrix.
ELSEWHERE = (
    *("bmat", "empty", "from", "gen", "get", "info", "isfortran", "isscalar", "load", "mintypecode"),
    *("print", "save", "set", "show", "test"),
)


def public_functions():
    """Every public function of NumPy's by its name, and the methods of its ufuncs."""
    found = {}
    for module in (numpy, numpy.linalg, numpy.fft):
        for name in sorted(dir(module)):
            function = getattr(module, name)
            if name.startswith(("_", *ELSEWHERE)) or isinstance(function, type) or not callable(function):
                continue
            label = f"{module.__name__}.{name}"
            found[label] = function
            if isinstance(function, numpy.ufunc) and function.nin == 2 and function.signature is None:
                for method in ("reduce", "accumulate", "outer", "at"):
                    found[f"{label}.{method}"] = getattr(function, method)
    return found


FUNCTIONS = public_functions()


def parts(value):
    """The arrays and numbers of a result."""
    if isinstance(value, list | tuple):
        return [part for item in value for part in parts(item)]
    return [value]


def numbers(value):
    """A part of a result as an array; None for what is none."""
    if isinstance(value, Tensor):
        return value.numpy()
    array = numpy.asarray(value) if not isinstance(value, str | type(None) | type) else None
    return array if array is not None and array.dtype.kind in "fiubc" else None


def slope(function, call, place, weights):
    """The gradient of a weighted sum of one part of NumPy's result, by central differences."""
    gradient = numpy.zeros_like(X)
    for index in numpy.ndindex(X.shape):
        sums = []
        for step in (1e-6, -1e-6):
            x = X.copy()
            x[index] += step
            sums.append(numpy.sum(weights * numbers(parts(function(*call(x)))[place])))
        gradient[index] = (sums[0] - sums[1]) / 2e-6
    return gradient


def check(name, call):
    """One call of one function. Returns whether the gradient went through; None where NumPy refuses the call."""
    function, x, leaf = FUNCTIONS[name], X.copy(), asarray(X, requires_grad=True)
    try:
        expected = function(*call(x))
    except Exception:
        return None
    if isinstance(expected, numpy.ufunc | numpy.nditer) or hasattr(expected, "__next__"):
        return None
    in_place = not numpy.array_equal(x, X.copy())
    try:
        value = function(*call(leaf))
    except (TypeError, ValueError, IndexError) as error:
        if (
            "detach()" in str(error)
            or "read-only" in str(error)
            or "ichikara" in traceback.extract_tb(error.__traceback__)[-1].filename
        ):
            return False
        raise
    assert not in_place, f"{name} changes its argument, and did nothing of the kind to a tensor"
    assert numpy.array_equal(leaf.numpy(), X)
    ours, theirs = parts(value), parts(expected)
    assert len(ours) == len(theirs)
    for place, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        array = numbers(other)
        if array is None:
            continue
        numpy.testing.assert_allclose(numbers(mine), array, rtol=1e-10, atol=1e-12, err_msg=name)
        assert numbers(mine).shape == array.shape
        if array.dtype.kind not in "fc":
            continue
        weights = numpy.random.default_rng(0).standard_normal(array.shape)
        gradient = slope(function, call, place, weights)
        if not (numpy.abs(gradient) < 1e4).all():  # beyond the function's domain, or at one of its jumps
            continue
        if isinstance(mine, Tensor) and mine.requires_grad:
            leaf.grad = None
            mine.backward(weights, retain_graph=True)
            found = numpy.zeros_like(X) if leaf.grad is None else leaf.grad.numpy()
            numpy.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-7, err_msg=name)
        else:
            assert (numpy.abs(gradient) < 1e-8).all(), (
                f"{name} gives {type(mine).__name__}, which has lost its gradient"
            )
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("label", CALLS)
def test_no_function_of_numpys_loses_a_gradient_in_silence(label):
    failed, fitting = {}, 0
    for name in FUNCTIONS:
        try:
            fitting += check(name, CALLS[label]) is not None
        except Exception as error:
            failed[name] = repr(error)
    assert fitting, "this call fits no function"
    assert not failed, "\n".join(f"{name}: {error}" for name, error in failed.items())


@pytest.mark.filterwarnings("ignore")
def test_the_calls_reach_nearly_every_function():
    def accepted(name):
        for call in CALLS.values():
            try:
                FUNCTIONS[name](*call(X.copy()))
            except Exception:
                continue
            return True
        return False

    missed = sorted(name.removeprefix("numpy.") for name in FUNCTIONS if not accepted(name))
    assert len(FUNCTIONS) > 400
    assert len(missed) < 90, missed


def test_functions_that_everybody_uses_keep_the_gradient():
    """That an error is right too must not hide that one of these stopped working."""
    names = (
        "abs add concatenate stack hstack vstack dot matmul einsum exp log sqrt tanh maximum where clip sum mean "
        "prod max min var std reshape transpose ravel squeeze expand_dims swapaxes moveaxis broadcast_to tile repeat "
        "cumsum take sort linalg.norm add.reduce multiply.outer power arctan2 pad diff split trace outer inner copy"
    )
    for name in names.split():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert any(check(f"numpy.{name}", call) for call in CALLS.values()), name


@pytest.mark.parametrize(
    "take_out",
    [
        numpy.array,
        numpy.asarray,
        numpy.ascontiguousarray,
        lambda h: numpy.array([h, h]),
        lambda h: numpy.array([list(h)]),
        lambda h: numpy.full(2, h),
        lambda h: numpy.zeros((2, 2)).__setitem__(0, h),
        lambda h: numpy.vectorize(math.exp)(h),
        lambda h: numpy.random.default_rng(0).normal(h),
        lambda h: numpy.mean([h[0], h[1]]),
        lambda h: numpy.float32(h[0]),
        lambda h: numpy.interp(h, [0.0, 1.0], [0.0, 1.0]),
    ],
)
@pytest.mark.parametrize("leaf", [True, False])
def test_numbers_are_not_taken_out_of_a_graph_in_silence(take_out, leaf):
    x = asarray([1.0, 2.0], requires_grad=True)
    h = x if leaf else x * 2
    with pytest.raises(TypeError, match=r"detach\(\)"):
        take_out(h)
    take_out(h.detach())
    with no_grad():
        take_out(h)


def test_an_array_is_not_changed_in_place_by_what_has_a_graph():
    x = asarray([1.0, 2.0], requires_grad=True)
    a = numpy.ones(2)
    with pytest.raises(TypeError, match=r"a = a \+ t"):
        a += x
    with pytest.raises(TypeError, match=r"out=|detach\(\)"):
        numpy.concatenate([x, x], out=numpy.empty(4))
    assert a.tolist() == [1.0, 1.0]
    a += x.detach()
    assert a.tolist() == [2.0, 3.0]
    with pytest.raises(TypeError, match="not changed in place"):
        numpy.add(a, a, out=x.detach())
    with pytest.raises(ValueError, match="read-only"):
        numpy.put(x.detach(), [0], [5.0])


def test_what_has_no_graph_goes_to_numpy():
    t = asarray([[1.0, 2.0], [3.0, 4.0]])
    for value in (numpy.concatenate([t, t]), numpy.mean(t), numpy.linalg.inv(t), numpy.percentile(t, 50)):
        assert isinstance(value, numpy.ndarray | numpy.generic)
    with no_grad():
        x = asarray([1.0, 2.0], requires_grad=True)
        assert isinstance(numpy.stack([x, x]), numpy.ndarray)
    assert isinstance(numpy.exp(t), Tensor)
    assert isinstance(numpy.ones(2) + t, Tensor)


def test_a_number_asked_for_by_name_is_a_number():
    x = asarray([1.0, 2.0], requires_grad=True)
    assert float(x[1]) == 2.0
    assert x.numpy().tolist() == [1.0, 2.0]
    assert all(isinstance(part, Tensor) and part.requires_grad for part in x)


def test_numpy_inside_a_staged_function_and_of_two_orders():
    def loss(x):
        return numpy.sum(numpy.square(numpy.concatenate([x, numpy.sin(x)])))

    x = numpy.array([0.3, 0.7])
    numpy.testing.assert_allclose(ichikara.hessian(loss)(x).numpy(), numpy.diag(2 + 2 * numpy.cos(2 * x)), rtol=1e-9)


@pytest.mark.parametrize("copy", [None, False])
def test_asarray_shares_memory_or_says_that_it_cannot(copy):
    t = asarray([1.0, 2.0])
    assert numpy.shares_memory(numpy.asarray(t, copy=copy), t.data)
    assert numpy.asarray(t, dtype="float32", copy=copy).dtype == "float32"
    assert not numpy.shares_memory(numpy.array(t, copy=True), t.data)
    if copy is False:
        with pytest.raises(ValueError, match="copy"):
            numpy.asarray(t, dtype="float64", copy=False)
