"""The table of cases: for every operation its inputs, its options, and what PyTorch or NumPy says about them.

A row is one use of an operation. `test_operations` runs every row through every property; `test_mutations` breaks the
operations' rules and asks that the rows notice. A new operation needs a row here, and nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy

import ichikara
from ichikara.autodiff import Tensor, check_grads, operations

# --- samplers: arrays from an operation's domain, away from its kinks -------------------------------------------------


@dataclass(frozen=True)
class Sampler:
    """Draws an array of a shape; ``at`` is the same for another shape."""

    draw: Callable
    shape: tuple[int, ...]

    def __call__(self, random) -> numpy.ndarray:
        return numpy.asarray(self.draw(random, self.shape))

    def at(self, shape) -> "Sampler":
        return Sampler(self.draw, shape)


def _sampler(draw):
    return lambda *shape: Sampler(draw, shape)


def _distinct(random, shape):
    """No two closer than 0.1, none closer than 0.05 to a multiple of 0.1: no ties, no whole numbers, no zero."""
    n = int(numpy.prod(shape))
    return ((random.permutation(n) - n // 2) * 0.1 + 0.05 + random.uniform(-0.02, 0.02, n)).reshape(shape)


normal = _sampler(lambda random, shape: random.standard_normal(shape))
positive = _sampler(lambda random, shape: random.uniform(0.5, 2.0, shape))
off_zero = _sampler(lambda random, shape: random.uniform(0.2, 2.0, shape) * random.choice([-1.0, 1.0], shape))
signs = _sampler(lambda random, shape: random.choice([-1.0, 1.0], shape))
off_whole = _sampler(lambda random, shape: random.integers(-3, 3, shape) + random.uniform(0.1, 0.4, shape))
distinct = _sampler(_distinct)


def tenths(low, high):
    """Multiples of 0.1, which `distinct` keeps away from."""
    return _sampler(lambda random, shape: random.integers(low, high, shape) * 0.1)


probability = _sampler(lambda random, shape: random.uniform(0.1, 0.9, shape))
distribution = _sampler(lambda random, shape: random.dirichlet(numpy.ones(shape[-1]), shape[:-1]))
truth = _sampler(lambda random, shape: random.integers(0, 2, shape).astype(bool))


def whole(low, high):
    """Whole numbers from low up to high, without it."""
    return _sampler(lambda random, shape: random.integers(low, high, shape))


def given(values, dtype=None):
    """This very array."""
    array = numpy.array(values, dtype=dtype)
    return Sampler(lambda random, shape: array, array.shape)


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One use of an operation.

    ``oracle(torch, *inputs)`` is PyTorch's word for it, ``expected(*inputs)`` NumPy's. ``shapes`` are further shapes of
    the inputs, of sizes 0 and 1 above all. ``special`` are inputs at the edge of the domain; there value and gradient
    are PyTorch's. ``differentiable``, ``smooth`` (a second derivative exists), ``traceable`` (by jax.jit) and
    ``composes`` (the composed form runs on Tensors and has the rule's gradient) are True, or say why not.
    """

    name: str
    samplers: tuple[Sampler, ...]
    oracle: Callable | None = None
    options: dict[str, Any] = field(default_factory=dict)
    expected: Callable | None = None
    call: Callable | None = None
    shapes: tuple = ()
    special: tuple = ()
    differentiable: bool | str = True
    traceable: bool | str = True
    composes: bool | str = True
    id: str = ""

    def sample(self, dtype="float64", shapes=None) -> list[numpy.ndarray]:
        """The inputs: the same ones every time, floats as the type."""
        random = numpy.random.default_rng(crc32(self.id.encode()))
        samplers = self.samplers if shapes is None else [s.at(n) for s, n in zip(self.samplers, shapes, strict=True)]
        arrays = [sampler(random) for sampler in samplers]
        return [array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays]

    def apply(self, function, arrays, dtype="float64"):
        """The function (an operation, or its composed form) of these inputs, with this row's options."""
        options = {key: _as(value, dtype) for key, value in self.options.items()}
        if self.call is not None:
            return self.call(function, *arrays, **options)
        if getattr(operations[self.name], "sequence", False):
            return function(list(arrays), **options)
        return function(*arrays, **options)

    def function(self, dtype="float64") -> Callable:
        """The row as a function of tensors alone."""
        return lambda *tensors: self.apply(operations[self.name], tensors, dtype)


def _as(value, dtype):
    """An option, with the numbers of a floating-point array as the type."""
    return value.astype(dtype) if isinstance(value, numpy.ndarray) and value.dtype.kind == "f" else value


def check_gradients(case: Case, order: int = 2, shapes=None) -> None:
    """Raise GradientError unless the gradients of a row are its slopes: what the mutations of rules must not pass."""
    check_grads(case.function(), *case.sample(shapes=shapes), order=order)


CASES: list[Case] = []


def row(name: str, samplers: Sequence[Sampler], oracle=None, options=None, /, **more) -> None:
    """Add a row to the table."""
    number = sum(case.name == name for case in CASES)
    label = more.pop("label", "")
    CASES.append(
        Case(
            name, tuple(samplers), oracle, options or {}, id=f"{name}-{number}" + (f"-{label}" if label else ""), **more
        )
    )


def rows_of(name: str) -> list[Case]:
    """The rows of one operation."""
    return [case for case in CASES if case.name == name]


# --- elementwise ------------------------------------------------------------------------------------------------------

_UNARY_SHAPES = (((),), ((1,),), ((0,),), ((2, 0, 3),), ((1, 1, 1),))
_BINARY_SHAPES = (
    ((), ()),
    ((0,), (0,)),
    ((0, 3), (3,)),
    ((0, 1), (1, 4)),
    ((1, 1), (1,)),
    ((3, 1), (1, 4)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((2, 1, 3), (4, 1)),
    ((1,), (0,)),
)


def unary(name, sampler, oracle=None, options=None, /, **more):
    row(name, [sampler(3, 4)], oracle, options, shapes=_UNARY_SHAPES, **more)


def binary(name, first, second, oracle=None, /, **more):
    row(name, [first(3, 4), second(3, 4)], oracle, shapes=_BINARY_SHAPES, **more)
    more.pop("special", None)
    row(name, [first(3, 1), second(1, 4)], oracle, label="broadcast", **more)
    row(name, [first(), second(2, 3)], oracle, label="scalar", **more)


unary("alias", normal, lambda t, x: x.clone())
binary("add", normal, normal, lambda t, a, b: a + b)
binary("subtract", normal, normal, lambda t, a, b: a - b)
binary("multiply", normal, normal, lambda t, a, b: a * b, special=[([0.0, -0.0, 1e30], [-0.0, 0.0, 1e-30])])
binary("divide", normal, off_zero, lambda t, a, b: a / b)
binary(
    "floor_divide",
    off_whole,
    signs,
    lambda t, a, b: t.floor_divide(a, b),
    differentiable="it is constant between its jumps",
)
binary("remainder", off_whole, signs, lambda t, a, b: a % b)
unary("negative", normal, lambda t, x: -x)
binary(
    "pow",
    positive,
    normal,
    lambda t, a, b: a**b,
    special=[([0.0, 0.0, 0.0, 2.0], [1.0, 2.0, 3.0, 0.0])],
)
row("pow", [normal(3, 4)], lambda t, x: x**3, call=lambda f, x: f(x, 3), label="cube", special=[([0.0, -1.0],)])
row("pow", [normal(3, 4)], lambda t, x: x**2.0, call=lambda f, x: f(x, 2.0), label="square", special=[([0.0, -1.0],)])
row("pow", [normal(3, 4)], lambda t, x: x**1, call=lambda f, x: f(x, 1), label="one", special=[([0.0, -1.0],)])
row("pow", [normal(3, 4)], lambda t, x: x**0, call=lambda f, x: f(x, 0), label="zero", special=[([0.0, -1.0],)])
row("pow", [positive(3, 4)], lambda t, x: x**-0.5, call=lambda f, x: f(x, -0.5), label="root")
row("pow", [normal(3, 4)], lambda t, x: 2.0**x, call=lambda f, x: f(2.0, x), label="of-number")
row(
    "pow", [off_zero(3, 4)], lambda t, x: x**2.0, {"b": numpy.full(4, 2.0)}, call=lambda f, x, b: f(x, b), label="array"
)
unary("exp", normal, lambda t, x: t.exp(x), special=[([-numpy.inf, -1000.0, 0.0],)])
unary("expm1", normal, lambda t, x: t.expm1(x), special=[([-numpy.inf, 1e-12, 0.0],)])
unary("log", positive, lambda t, x: t.log(x), special=[([numpy.inf, 1.0, 1e-30],)])
unary("log1p", positive, lambda t, x: t.log1p(x), special=[([0.0, 1e-12],)])
unary("sqrt", positive, lambda t, x: t.sqrt(x))
unary("square", normal, lambda t, x: x * x)
unary("reciprocal", off_zero, lambda t, x: 1 / x)
unary("abs", off_zero, lambda t, x: abs(x), special=[([0.0, -0.0, -numpy.inf],)])
_CONSTANT = "it is constant between its jumps"
unary("sign", off_zero, lambda t, x: t.sign(x), differentiable=_CONSTANT, special=[([0.0, -2.0],)])
unary("floor", off_whole, lambda t, x: t.floor(x), differentiable=_CONSTANT, special=[([0.0, -2.0, -0.5],)])
unary("ceil", off_whole, lambda t, x: t.ceil(x), differentiable=_CONSTANT, special=[([0.0, -2.0, -0.5],)])
unary("round", off_whole, lambda t, x: t.round(x), differentiable=_CONSTANT, special=[([0.5, 1.5, -2.5],)])
unary("sin", normal, lambda t, x: t.sin(x))
unary("cos", normal, lambda t, x: t.cos(x))
unary("tanh", normal, lambda t, x: t.tanh(x), special=[([1000.0, -1000.0, 0.0],)])
unary("erf", normal, lambda t, x: t.erf(x), special=[([30.0, -30.0, 0.0],)], composes="SciPy computes it")
binary("maximum", distinct, off_whole, lambda t, a, b: t.maximum(a, b), special=[([0.0, 1.0], [0.0, 2.0])])
binary("minimum", distinct, off_whole, lambda t, a, b: t.minimum(a, b), special=[([0.0, 1.0], [0.0, 2.0])])
row(
    "clip",
    [distinct(3, 4), tenths(-4, 0)(3, 4), tenths(1, 4)(3, 4)],
    lambda t, x, low, high: t.clip(x, low, high),
    special=[([-0.5, 0.5, 9.0, -9.0, 2.0], [-0.5, 0.0, 1.0, 1.0, 3.0], [0.5, 0.5, 2.0, 2.0, 1.0])],
    label="tensors",
)
row("clip", [distinct(3, 4), tenths(-4, 0)()], lambda t, x, low: t.clip(x, low), label="tensor-below")
row(
    "clip",
    [distinct(3, 4), tenths(1, 4)(4)],
    lambda t, x, high: t.clip(x, max=high),
    call=lambda f, x, high: f(x, max=high),
    label="tensor-above",
)
unary("clip", distinct, lambda t, x: t.clip(x, -0.3, 0.3), {"min": -0.3, "max": 0.3}, special=[([-0.3, 0.3, 9.0],)])
unary("clip", distinct, lambda t, x: t.clip(x, min=-0.2), {"min": -0.2}, label="below")
unary("clip", distinct, lambda t, x: t.clip(x, max=0.2), {"max": 0.2}, label="above")
unary("clip", distinct, lambda t, x: x.clone(), label="open")
row(
    "where",
    [truth(3, 4), normal(3, 4), normal(3, 4)],
    lambda t, c, a, b: t.where(c, a, b),
    shapes=(((0,), (0,), (0,)), ((), (), ()), ((1,), (1,), (1,)), ((), (2, 3), (3,)), ((2, 3), (), ())),
)
row("where", [truth(3, 1), normal(4), normal()], lambda t, c, a, b: t.where(c, a, b), label="broadcast")
row("where", [truth(3, 4), normal(3, 4)], lambda t, c, a: t.where(c, a, 0.0), call=lambda f, c, a: f(c, a, 0.0))
row("where", [truth(3, 4), normal(3, 4)], lambda t, c, b: t.where(c, 2.0, b), call=lambda f, c, b: f(c, 2.0, b))
unary("astype", normal, lambda t, x: x.clone(), {"dtype": "float64"})
row(
    "astype",
    [off_whole(3, 4)],
    lambda t, x: x.to(t.int64),
    {"dtype": "int64"},
    label="whole",
    differentiable="whole numbers have no gradient",
)

_PREDICATE = "its values are true and false"
for _name, _oracle in {
    "equal": lambda t, a, b: a == b,
    "not_equal": lambda t, a, b: a != b,
    "less": lambda t, a, b: a < b,
    "less_equal": lambda t, a, b: a <= b,
    "greater": lambda t, a, b: a > b,
    "greater_equal": lambda t, a, b: a >= b,
}.items():
    binary(
        _name, off_whole, off_whole, _oracle, differentiable=_PREDICATE, special=[([1.0, 0.0, 2.0], [1.0, -0.0, 3.0])]
    )
for _name, _oracle in {
    "logical_and": lambda t, a, b: t.logical_and(a, b),
    "logical_or": lambda t, a, b: t.logical_or(a, b),
    "logical_xor": lambda t, a, b: t.logical_xor(a, b),
}.items():
    binary(_name, truth, truth, _oracle, differentiable=_PREDICATE)
unary("logical_not", truth, lambda t, x: t.logical_not(x), differentiable=_PREDICATE)
_STRANGE = [([numpy.nan, numpy.inf, -numpy.inf, 0.0],)]
unary("isnan", normal, lambda t, x: t.isnan(x), differentiable=_PREDICATE, special=_STRANGE)
unary("isinf", normal, lambda t, x: t.isinf(x), differentiable=_PREDICATE, special=_STRANGE)
unary("isfinite", normal, lambda t, x: t.isfinite(x), differentiable=_PREDICATE, special=_STRANGE)

# --- activations ------------------------------------------------------------------------------------------------------

_FAR = [([1000.0, -1000.0, 0.0, 30.0, -30.0],)]
unary(
    "heaviside",
    off_zero,
    lambda t, x: t.heaviside(x, t.zeros_like(x)),
    differentiable=_CONSTANT,
    special=[([0.0, -1.0, 1.0],)],
)
unary(
    "heaviside",
    off_zero,
    lambda t, x: t.heaviside(x, t.full_like(x, 0.5)),
    {"at_zero": 0.5},
    differentiable=_CONSTANT,
    special=[([0.0, -1.0, 1.0],)],
)
unary("sigmoid", off_zero, lambda t, x: t.sigmoid(x), special=_FAR)
unary("relu", off_zero, lambda t, x: t.relu(x), special=_FAR)
binary("leaky_relu", off_zero, positive, lambda t, x, a: t.where(x > 0, x, x * a))
unary("leaky_relu", off_zero, lambda t, x: t.nn.functional.leaky_relu(x), special=_FAR)
unary("leaky_relu", off_zero, lambda t, x: t.nn.functional.leaky_relu(x, 0.3), {"negative_slope": 0.3})
binary("elu", off_zero, positive, lambda t, x, a: t.where(x > 0, x, a * t.expm1(x)))
unary("elu", off_zero, lambda t, x: t.nn.functional.elu(x), special=_FAR)
unary("elu", off_zero, lambda t, x: t.nn.functional.elu(x, 0.7), {"alpha": 0.7})
unary("gelu", normal, lambda t, x: t.nn.functional.gelu(x), special=[([30.0, -30.0, 0.0],)], composes="erf is SciPy's")
unary(
    "gelu",
    normal,
    lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
    {"approximate": "tanh"},
    special=[([30.0, -30.0, 0.0],)],
)
unary("silu", off_zero, lambda t, x: t.nn.functional.silu(x), special=[([1000.0, 0.0, 30.0, -30.0],)])
binary("softplus", off_zero, positive, lambda t, x, b: t.log1p(t.exp(b * x)) / b)
unary("softplus", off_zero, lambda t, x: t.nn.functional.softplus(x), special=_FAR)
unary(
    "softplus",
    off_zero,
    lambda t, x: t.nn.functional.softplus(x, beta=2.0, threshold=1.5),
    {"beta": 2.0, "threshold": 1.5},
)
for _name in ("softmax", "log_softmax"):
    for _axis in (-1, 0, 1):
        row(
            _name,
            [normal(2, 3, 4)],
            lambda t, x, name=_name, axis=_axis: getattr(t, name)(x, axis),
            {"axis": _axis},
            shapes=(((1, 1, 1),), ((0, 3, 4),), ((2, 1, 1),), ((2, 3, 0),), ((2, 0, 4),)),
            special=[([[[1000.0, 0.0, -1000.0]]],), ([[[-numpy.inf, 0.0], [0.0, 1.0]]],)] if _axis == -1 else (),
        )
    row(_name, [normal(5)], lambda t, x, name=_name: getattr(t, name)(x, 0), label="vector")

# --- reductions -------------------------------------------------------------------------------------------------------

_AXES = (
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 2)},
    {"axis": (-1, 0), "keepdims": True},
    {"keepdims": True},
)
_REDUCED_SHAPES = (((1, 1, 1),), ((2, 1, 3),))
_NOTHING = (((0, 2, 3),), ((2, 0, 3),), ((2, 3, 0),))


def _reduce(function):
    """A PyTorch reduction with the array API's options."""

    def oracle(t, x, axis=None, keepdims=False, **more):
        return function(t, x, tuple(range(x.ndim)) if axis is None else axis, keepdims, **more)

    return oracle


def reduction(name, sampler, oracle, shapes=_REDUCED_SHAPES, axes=_AXES, extra=None, special=(), **more):
    for options in axes:
        options = {**options, **(extra or {})}
        row(
            name,
            [sampler(2, 3, 4)],
            lambda t, x, options=options: oracle(t, x, **options),
            options,
            shapes=shapes,
            special=special if options == (extra or {}) else (),
            **more,
        )
    row(name, [sampler(4)], lambda t, x: oracle(t, x, **(extra or {})), extra, shapes=(((),), ((1,),)), **more)


reduction(
    "sum",
    normal,
    _reduce(lambda t, x, axis, keepdims: t.sum(x, axis, keepdims)),
    shapes=_REDUCED_SHAPES + _NOTHING,
)
reduction("mean", normal, _reduce(lambda t, x, axis, keepdims: t.mean(x, axis, keepdims)))
row("mean", [normal(2, 3, 1, 4, 2)], lambda t, x: x.mean((-1, 3)), {"axis": (-1, 3)}, shapes=(((2, 0, 1, 4, 2),),))
for _name in ("max", "min"):
    reduction(
        _name,
        distinct,
        _reduce(lambda t, x, axis, keepdims, name=_name: getattr(t, "a" + name)(x, axis, keepdims)),
        special=[([1.0, 2.0, 2.0, 1.0, 1.0],), ([numpy.inf, -numpy.inf, 0.0],)],
    )
reduction(
    "logsumexp",
    normal,
    _reduce(lambda t, x, axis, keepdims: t.logsumexp(x, axis, keepdims)),
    special=[([1000.0, 1000.0],), ([-1000.0, -1001.0],), ([-numpy.inf, 0.0],)],
)
reduction(
    "var",
    normal,
    _reduce(lambda t, x, axis, keepdims, correction: t.var(x, axis, correction=correction, keepdim=keepdims)),
    shapes=(((2, 5, 3),),),
    extra={"correction": 0.0},
)
row("var", [normal(2, 3)], lambda t, x: t.var(x, 1, correction=1), {"axis": 1, "correction": 1.0})
row("std", [normal(3, 4)], lambda t, x: t.std(x, correction=0))
row("std", [normal(3, 4)], lambda t, x: t.std(x, 0, correction=0), {"axis": 0})
row(
    "std",
    [normal(3, 4)],
    lambda t, x: t.std(x, 1, correction=1, keepdim=True),
    {"axis": -1, "correction": 1, "keepdims": True},
)


def _prod(t, x, axis=None, keepdims=False):
    axes = sorted((a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)), reverse=True)
    for a in axes:
        x = t.prod(x, a, keepdim=keepdims)
    return x


reduction(
    "prod",
    normal,
    lambda t, x, axis=None, keepdims=False: _prod(t, x, tuple(range(x.ndim)) if axis is None else axis, keepdims),
    shapes=_REDUCED_SHAPES + _NOTHING,
    special=[([0.0, 2.0, 3.0],), ([0.0, 2.0, 0.0, 3.0, 5.0],)],
)
row("cumulative_sum", [normal(5)], lambda t, x: t.cumsum(x, 0), shapes=(((0,),), ((1,),)))
for _axis in (0, 1, -1):
    row(
        "cumulative_sum",
        [normal(2, 3, 4)],
        lambda t, x, axis=_axis: t.cumsum(x, axis),
        {"axis": _axis},
        shapes=(((1, 1, 1),), ((2, 0, 3),), ((0, 1, 1),)),
    )
for _name in ("argmax", "argmin"):
    for _options in ({}, {"axis": 0}, {"axis": -1}, {"axis": 1, "keepdims": True}):
        row(
            _name,
            [distinct(2, 3, 4)],
            lambda t, x, name=_name, o=_options: getattr(t, name)(x, o.get("axis"), keepdim=o.get("keepdims", False)),
            _options,
            differentiable="its values are positions",
            shapes=(((1, 1, 1),), ((2, 3, 1),)),
        )
for _name in ("all", "any"):
    for _options in ({}, {"axis": 0}, {"axis": (0, 2)}, {"axis": -1, "keepdims": True}):
        row(
            _name,
            [truth(2, 3, 4)],
            None,
            _options,
            expected=lambda x, name=_name, options=_options: getattr(numpy, name)(x, **options),
            differentiable=_PREDICATE,
            shapes=(((1, 1, 1),), ((2, 0, 3),)),
        )

# --- shapes -----------------------------------------------------------------------------------------------------------

row("reshape", [normal(3, 4)], lambda t, x: x.reshape(2, 6), {"shape": (2, 6)})
row("reshape", [normal(3, 4)], lambda t, x: x.reshape(-1), {"shape": -1}, shapes=(((0,),), ((1, 1),), ((),)))
row("reshape", [normal(3, 4)], lambda t, x: x.reshape(2, -1, 3), {"shape": [2, -1, 3]})
row("flatten", [normal(2, 3, 4)], lambda t, x: t.flatten(x), shapes=(((0, 2, 1),), ((1,),)))
row("flatten", [normal(2, 3, 4)], lambda t, x: t.flatten(x, 1), {"start_axis": 1}, shapes=(((0, 2, 1),), ((2, 0, 3),)))
row("flatten", [normal(2, 3, 4, 2)], lambda t, x: t.flatten(x, 1, 2), {"start_axis": 1, "end_axis": -2})
row(
    "permute_dims",
    [normal(2, 3, 4)],
    lambda t, x: x.permute(2, 0, 1),
    {"axes": (2, 0, 1)},
    shapes=(((0, 1, 2),), ((1, 1, 1),)),
)
row("permute_dims", [normal(2, 3, 4)], lambda t, x: x.permute(1, 2, 0), {"axes": (-2, -1, 0)}, label="negative")
row("moveaxis", [normal(2, 3, 4)], lambda t, x: t.moveaxis(x, 0, -1), {"source": 0, "destination": -1})
row("moveaxis", [normal(2, 3, 4)], lambda t, x: t.moveaxis(x, 2, 1), {"source": 2, "destination": 1})
row("matrix_transpose", [normal(3, 4)], lambda t, x: x.mT, shapes=(((0, 2),), ((1, 1),), ((2, 0, 3),)))
row("matrix_transpose", [normal(2, 3, 4)], lambda t, x: x.mT)
row("broadcast_to", [normal(3, 1)], lambda t, x: x.expand(3, 4), {"shape": (3, 4)})
row("broadcast_to", [normal(3)], lambda t, x: x.expand(2, 4, 3), {"shape": (2, 4, 3)})
row("broadcast_to", [normal()], lambda t, x: x.expand(2, 3), {"shape": (2, 3)})
row("broadcast_to", [normal(1, 3)], lambda t, x: x.expand(0, 3), {"shape": (0, 3)}, label="nothing")
for _axis in (0, 1, -1):
    row("expand_dims", [normal(2, 3)], lambda t, x, a=_axis: x.unsqueeze(a), {"axis": _axis}, shapes=(((0, 1),),))
row("squeeze", [normal(1, 3, 1)], lambda t, x: x.squeeze(), shapes=(((1, 1, 1),), ((0, 1, 1),), ((),)))
row("squeeze", [normal(1, 3, 1)], lambda t, x: x.squeeze(-1), {"axis": -1})
row("squeeze", [normal(1, 3, 1)], lambda t, x: x.squeeze((0, 2)), {"axis": (0, 2)})
row("concat", [normal(2, 3), normal(1, 3), normal(3, 3)], lambda t, *x: t.concat(x), shapes=(((0, 2), (1, 2), (1, 2)),))
row("concat", [normal(2, 3, 2), normal(2, 3, 5)], lambda t, *x: t.concat(x, 2), {"axis": 2})
row("concat", [normal(2, 3), normal(2, 1)], lambda t, *x: t.concat(x, 1), {"axis": -1}, shapes=(((0, 2), (0, 1)),))
row(
    "concat",
    [normal(2, 3), normal(4)],
    lambda t, a, b: t.concat([a.reshape(-1), b]),
    {"axis": None},
    label="flattened",
)
row("concat", [normal(2, 3)], lambda t, x: t.concat([x, x * 2, x]), call=lambda f, x: f([x, x * 2, x]), label="twice")
row("stack", [normal(2, 3), normal(2, 3)], lambda t, *x: t.stack(x), shapes=(((0, 2),) * 2, ((),) * 2, ((1,),) * 2))
row("stack", [normal(2, 3), normal(2, 3), normal(2, 3)], lambda t, *x: t.stack(x, -1), {"axis": -1})
row("stack", [normal(2, 3), normal(2, 3)], lambda t, *x: t.stack(x, 1), {"axis": 1})
for _axis in (0, -1):
    row(
        "unstack",
        [normal(2, 3)],
        lambda t, x, axis=_axis: t.concat([part * (i + 1) for i, part in enumerate(t.unbind(x, axis))]),
        {"axis": _axis},
        call=lambda f, x, axis: ichikara.concat([part * (i + 1) for i, part in enumerate(f(x, axis=axis))]),
    )
row("pad", [normal(2, 3)], lambda t, x: t.nn.functional.pad(x, (0, 2, 1, 0)), {"pad_width": [(1, 0), (0, 2)]})
row("pad", [normal(2, 3)], lambda t, x: t.nn.functional.pad(x, (1, 1, 1, 1)), {"pad_width": 1}, shapes=(((0, 1),),))
row("pad", [normal(2, 3)], lambda t, x: t.nn.functional.pad(x, (1, 2, 1, 2)), {"pad_width": (1, 2)}, label="pair")
row(
    "pad",
    [normal(4)],
    lambda t, x: t.nn.functional.pad(x, (1, 2), value=7.0),
    {"pad_width": [(1, 2)], "constant_values": 7.0},
    shapes=(((0,),), ((1,),)),
)
row("flip", [normal(2, 3)], lambda t, x: t.flip(x, (0, 1)), shapes=(((0, 2),), ((1, 1),)))
row("flip", [normal(2, 3)], lambda t, x: t.flip(x, (1,)), {"axis": -1})
row("flip", [normal(2, 3, 4)], lambda t, x: t.flip(x, (0, 2)), {"axis": (0, 2)})
row("roll", [normal(5)], lambda t, x: t.roll(x, 2), {"shift": 2}, shapes=(((0,),), ((1,),)))
row("roll", [normal(2, 3)], lambda t, x: t.roll(x, -1), {"shift": -1}, label="flattened")
row("roll", [normal(2, 3)], lambda t, x: t.roll(x, 1, 1), {"shift": 1, "axis": 1})
row("roll", [normal(2, 3)], lambda t, x: t.roll(x, (1, 2), (0, 1)), {"shift": (1, 2), "axis": (0, 1)})
row("repeat", [normal(2, 3)], lambda t, x: t.repeat_interleave(x, 2), {"repeats": 2}, shapes=(((0, 1),), ((),)))
row("repeat", [normal(2, 3)], lambda t, x: t.repeat_interleave(x, 3, 0), {"repeats": 3, "axis": 0}, shapes=(((1, 0),),))
row("repeat", [normal(2, 3)], lambda t, x: t.repeat_interleave(x, 2, 1), {"repeats": 2, "axis": -1})
for _name in ("tril", "triu"):
    for _k in (0, 1, -1):
        row(
            _name,
            [normal(3, 4)] if _k else [normal(2, 3, 3)],
            lambda t, x, name=_name, k=_k: getattr(t, name)(x, k),
            {"k": _k},
            shapes=(((0, 2),), ((1, 1),)),
        )

# --- indexing ---------------------------------------------------------------------------------------------------------

_INDICES = {
    "integer": 1,
    "negative": -1,
    "slice": slice(1, None),
    "steps": (slice(None, None, 2), slice(None), slice(1, 4, 2)),
    "backwards": (slice(None), slice(None, None, -1)),
    "nothing": slice(2, 2),
    "none": (slice(None), None, 0),
    "ellipsis": (..., 0),
    "ellipsis-none": (0, ..., None),
    "element": (2, 1, 3),
    "array": numpy.array([0, 2, 2, -1]),
    "array-2d": (slice(None), numpy.array([[0, 0], [2, 1]])),
    "arrays": (numpy.array([0, 1, 0]), numpy.array([2, 2, 2])),
    "arrays-apart": (numpy.array([0, 1]), slice(None), numpy.array([3, 3])),
    "array-integer": (numpy.array([1, 1]), 0),
    "array-none": (None, numpy.array([1, 1]), slice(0, 2)),
    "empty": numpy.array([], dtype="int64"),
    "mask": numpy.arange(36).reshape(3, 3, 4) % 3 == 0,
    "mask-rows": numpy.array([True, False, True]),
    "mask-mixed": (slice(None), numpy.array([False, True, True]), numpy.array([0, 3])),
    "mask-none": numpy.zeros((3, 3, 4), dtype=bool),
}
for _label, _index in _INDICES.items():
    row(
        "getitem",
        [normal(3, 3, 4)],
        None,
        {"index": _index},
        expected=lambda x, index=_index: x[index],
        label=_label,
    )
row("getitem", [normal()], None, {"index": ()}, expected=lambda x: x[()], label="no-axes")
row("getitem", [normal()], None, {"index": None}, expected=lambda x: x[None], label="no-axes-none")


def _add_at(x, index, shape):
    out = numpy.zeros(shape, x.dtype)
    numpy.add.at(out, index, x)
    return out


for _label, _index, _shape in (
    ("twice", numpy.array([0, 2, 2, 0]), (4, 3)),
    ("slice", (slice(1, 5), slice(None)), (5, 3)),
    ("mask", numpy.array([True, True, False, True, True]), (5, 3)),
):
    row(
        "scatter",
        [normal(4, 3)],
        None,
        {"index": _index, "shape": _shape},
        expected=lambda x, index=_index, shape=_shape: _add_at(x, index, shape),
        label=_label,
        composes="adding at indices is the array library's",
    )
for _axis in (0, 1, -1):
    row(
        "take",
        [normal(4, 4), whole(0, 4)(2, 3)],
        lambda t, x, i, axis=_axis: t.index_select(x, axis, i.reshape(-1)).reshape(
            (2, 3, 4) if axis == 0 else (4, 2, 3)
        ),
        {"axis": _axis},
    )
row(
    "take", [normal(4, 3), whole(-4, 4)(5)], lambda t, x, i: x[i], shapes=(((4, 0), (5,)), ((4, 3), (0,)), ((4,), (1,)))
)
row("take", [normal(4, 3), given(2)], lambda t, x, i: x[:, i], {"axis": 1}, label="one")
for _axis in (0, 1, -1):
    row(
        "take_along_axis",
        [normal(3, 3), whole(0, 3)(3, 3)],
        lambda t, x, i, axis=_axis: t.take_along_dim(x, i, axis),
        {"axis": _axis},
    )
row(
    "take_along_axis",
    [normal(3, 4), whole(0, 4)(1, 2)],
    lambda t, x, i: t.take_along_dim(x, i, 1),
    {"axis": 1},
    label="broadcast",
)
row(
    "one_hot",
    [whole(0, 4)(2, 3)],
    None,
    {"num_classes": 5},
    expected=lambda i: numpy.eye(5)[i],
    differentiable=_PREDICATE,
)
row(
    "one_hot",
    [given([0, 3, 1])],
    expected=lambda i: numpy.eye(4)[i],
    differentiable=_PREDICATE,
    traceable="the number of classes is counted from the numbers",
)

# --- products ---------------------------------------------------------------------------------------------------------

for _a, _b in (
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((1, 3, 4), (2, 4, 1)),
    ((4,), (2, 4, 5)),
    ((2, 3, 4), (4,)),
    ((1, 1), (1, 1)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((2, 3), (3, 0)),
    ((0,), (0,)),
):
    row("matmul", [normal(*_a), normal(*_b)], lambda t, a, b: a @ b, label=f"{_a}{_b}".replace(" ", ""))
row("matmul", [normal(3, 3)], lambda t, a: a @ a, call=lambda f, a: f(a, a), label="with-itself")
row(
    "linear",
    [normal(5, 3), normal(4, 3), normal(4)],
    lambda t, x, w, b: t.nn.functional.linear(x, w, b),
    shapes=(((0, 3), (4, 3), (4,)), ((1, 1), (1, 1), (1,)), ((2, 0), (3, 0), (3,)), ((2, 3), (0, 3), (0,))),
)
row("linear", [normal(2, 5, 3), normal(4, 3), normal(4)], lambda t, x, w, b: t.nn.functional.linear(x, w, b))
row("linear", [normal(3), normal(4, 3), normal(4)], lambda t, x, w, b: t.nn.functional.linear(x, w, b))
row("linear", [normal(5, 3), normal(4, 3)], lambda t, x, w: t.nn.functional.linear(x, w), shapes=(((0, 3), (4, 3)),))
row("tensordot", [normal(2, 3, 4), normal(3, 4, 5)], lambda t, a, b: t.tensordot(a, b, 2))
row(
    "tensordot",
    [normal(2, 3), normal(3, 4)],
    lambda t, a, b: t.tensordot(a, b, 1),
    {"axes": 1},
    shapes=(((0, 2), (2, 1)),),
)
row("tensordot", [normal(2), normal(3)], lambda t, a, b: t.outer(a, b), {"axes": 0})
row(
    "tensordot",
    [normal(2, 3, 4), normal(4, 5, 2)],
    lambda t, a, b: t.tensordot(a, b, ([0, 2], [2, 0])),
    {"axes": ((0, 2), (2, 0))},
)
for _subscripts, *_shapes in (
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ii->", (3, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iij->ij", (3, 3, 2)),
    ("ijj->i", (2, 3, 3)),
    ("ij->j", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ba", (2, 3)),
    ("i,i->", (3,), (3,)),
    ("i,j->ij", (3,), (2,)),
    ("ij,j->", (2, 3), (3,)),
    ("ij,ik->i", (2, 3), (2, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    ("...i->...", (2, 3, 4)),
    ("i...,i...", (3, 2), (3, 2)),
    ("...,...->...", (2, 3), (3,)),
    ("...ii->...i", (2, 3, 3)),
    (",i->i", (), (3,)),
    ("bhqd,bhkd->bhqk", (1, 2, 3, 4), (1, 2, 3, 4)),
    ("ii,ij->j", (3, 3), (3, 2)),
    ("ij,jk->ik", (0, 3), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 2)),
):
    row(
        "einsum",
        [normal(*shape) for shape in _shapes],
        lambda t, *x, subscripts=_subscripts: t.einsum(subscripts, *x),
        call=lambda f, *x, subscripts=_subscripts: ichikara.einsum(subscripts, *x),
        label=_subscripts,
        composes="it is the library's own",
    )

# --- losses -----------------------------------------------------------------------------------------------------------

_PAIR = (((0, 2), (0, 2)), ((1,), (1,)), ((), ()))


def loss(name, samplers, oracle, options=None, shapes=(), **more):
    """A row for each reduction; the mean of nothing is left out."""
    for how in ("mean", "sum", "none"):
        row(
            name,
            samplers,
            lambda t, *x, how=how: oracle(t.nn.functional, *x, reduction=how),
            {**(options or {}), "reduction": how},
            shapes=tuple(s for s in shapes if how != "mean" or 0 not in s[0]),
            label=how,
            **more,
        )


loss("l1_loss", [distinct(3, 4), off_whole(3, 4)], lambda f, x, y, **o: f.l1_loss(x, y, **o), shapes=_PAIR)
loss("mse_loss", [normal(3, 4), normal(3, 4)], lambda f, x, y, **o: f.mse_loss(x, y, **o), shapes=_PAIR)
loss("huber_loss", [normal(3, 4), normal(3, 4)], lambda f, x, y, **o: f.huber_loss(x, y, **o), shapes=_PAIR)
loss(
    "huber_loss",
    [normal(3, 4), normal(3, 4)],
    lambda f, x, y, **o: f.huber_loss(x, y, delta=0.4, **o),
    {"delta": 0.4},
)
row(
    "bernoulli_nll",
    [probability(3, 4), probability(3, 4)],
    lambda t, p, y: t.nn.functional.binary_cross_entropy(p, y, reduction="none"),
    shapes=_PAIR,
)
row(
    "bernoulli_nll",
    [probability(4)],
    lambda t, p: t.nn.functional.binary_cross_entropy(p, p.new_tensor([0.0, 1.0, 1.0, 0.0]), reduction="none"),
    {"target": numpy.array([0.0, 1.0, 1.0, 0.0])},
    call=lambda f, p, target: f(p, target),
    special=[([0.0, 1.0, 0.0, 1.0],)],
    label="sure",
)
_WEIGHT = numpy.array([0.5, 2.0, 1.0, 0.25])
loss(
    "binary_cross_entropy",
    [probability(3, 4), probability(3, 4)],
    lambda f, p, y, **o: f.binary_cross_entropy(p, y, **o),
    shapes=_PAIR,
)
loss(
    "binary_cross_entropy",
    [probability(3, 4), probability(3, 4)],
    lambda f, p, y, **o: f.binary_cross_entropy(p, y, p.new_tensor(_WEIGHT), **o),
    {"weight": _WEIGHT},
)
row(
    "logistic_nll",
    [off_zero(3, 4), probability(3, 4)],
    lambda t, u, y: t.nn.functional.binary_cross_entropy_with_logits(u, y, reduction="none"),
    shapes=_PAIR,
    special=[([0.0, 1000.0, -1000.0, 1000.0], [0.0, 1.0, 1.0, 0.0])],
)
loss(
    "binary_cross_entropy_with_logits",
    [normal(3, 4), probability(3, 4)],
    lambda f, u, y, **o: f.binary_cross_entropy_with_logits(u, y, **o),
    shapes=_PAIR,
)
loss(
    "binary_cross_entropy_with_logits",
    [normal(3, 4), probability(3, 4)],
    lambda f, u, y, **o: f.binary_cross_entropy_with_logits(
        u, y, u.new_tensor(_WEIGHT), pos_weight=u.new_tensor(_WEIGHT * 3), **o
    ),
    {"weight": _WEIGHT, "pos_weight": _WEIGHT * 3},
)
_LABELS = given([0, 3, 1, 1, 2])
_SOME = given([0, 3, -100, 1, -100])
_CLASSES = numpy.array([0.5, 2.0, 1.0, 0.25])
_DEEP = given([[[0, 1], [3, 2], [1, 1]], [[2, -100], [0, 0], [3, 1]]])
row(
    "categorical_nll",
    [normal(5, 4), _LABELS],
    lambda t, u, y: t.nn.functional.cross_entropy(u, y, reduction="none"),
    composes="it gives what its rule needs too",
)
row(
    "categorical_nll",
    [normal(2, 2)],
    lambda t, u: t.nn.functional.cross_entropy(u, t.tensor([0, 0]), reduction="none"),
    call=lambda f, u: f(u, numpy.array([0, 0])),
    special=[([[1000.0, 0.0], [-1000.0, 0.0]],)],
    label="sure",
    composes="it gives what its rule needs too",
)
for _name, _first in (("nll_loss", off_zero), ("cross_entropy", normal)):
    loss(_name, [_first(5, 4), _LABELS], lambda f, x, y, name=_name, **o: getattr(f, name)(x, y, **o))
    loss(_name, [_first(4), given(2)], lambda f, x, y, name=_name, **o: getattr(f, name)(x, y, **o))
    loss(_name, [_first(5, 4), _SOME], lambda f, x, y, name=_name, **o: getattr(f, name)(x, y, **o))
    loss(
        _name,
        [_first(5, 4), _LABELS],
        lambda f, x, y, name=_name, **o: getattr(f, name)(x, y, ignore_index=1, **o),
        {"ignore_index": 1},
    )
    loss(
        _name,
        [_first(2, 4, 3, 2), _DEEP],
        lambda f, x, y, name=_name, **o: getattr(f, name)(x, y, x.new_tensor(_CLASSES), **o),
        {"weight": _CLASSES},
    )
    loss(_name, [_first(1, 1), given([0])], lambda f, x, y, name=_name, **o: getattr(f, name)(x, y, **o))
row(
    "cross_entropy",
    [normal(3, 4)],
    lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([1, 2, -100])),
    call=lambda f, x: f(x, numpy.array([1, 2, -100])),
    special=[([[-numpy.inf, 0.0, 1.0], [-numpy.inf, 3.0, 1.0], [-numpy.inf, 0.0, 1.0]],)],
    label="ignored-infinite",
)
for _more in ({"label_smoothing": 0.1}, {"label_smoothing": 0.1, "weight": _CLASSES}):
    loss(
        "cross_entropy",
        [normal(2, 4, 3, 2), _DEEP],
        lambda f, x, y, more=_more, **o: f.cross_entropy(
            x, y, **{k: x.new_tensor(v) if k == "weight" else v for k, v in more.items()}, **o
        ),
        _more,
    )
for _more in ({}, {"weight": _CLASSES}, {"label_smoothing": 0.2, "weight": _CLASSES}):
    loss(
        "cross_entropy",
        [normal(5, 4), distribution(5, 4)],
        lambda f, x, y, more=_more, **o: f.cross_entropy(
            x, y, **{k: x.new_tensor(v) if k == "weight" else v for k, v in more.items()}, **o
        ),
        _more,
    )
loss("cross_entropy", [normal(4), distribution(4)], lambda f, x, y, **o: f.cross_entropy(x, y, **o))
loss("cross_entropy", [normal(2, 4, 3), distribution(2, 4, 3)], lambda f, x, y, **o: f.cross_entropy(x, y, **o))

import cases_array_api  # noqa: E402, F401 - more rows, which find this module as far as it is
import cases_sequence  # noqa: E402, F401 - more rows, which find this module as far as it is
import cases_vision  # noqa: E402, F401 - more rows again

assert all(case.oracle or case.expected for case in CASES)
assert len({case.id for case in CASES}) == len(CASES)
DIFFERENTIABLE = [case for case in CASES if case.differentiable is True]
__all__ = ["CASES", "DIFFERENTIABLE", "Case", "Tensor", "check_gradients", "rows_of"]
