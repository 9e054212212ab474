"""More rows of the table of cases: what the array API asks for besides what a network is made of."""

import numpy
from cases import (
    _CONSTANT,
    _PREDICATE,
    _sampler,
    binary,
    distinct,
    given,
    normal,
    off_whole,
    off_zero,
    positive,
    probability,
    row,
    truth,
    unary,
    whole,
)

import ichikara

above_one = _sampler(lambda random, shape: random.uniform(1.2, 4.0, shape))

# --- elementwise ------------------------------------------------------------------------------------------------------

for _name in ("asin", "acos"):
    unary(_name, probability, lambda t, x, name=_name: getattr(t, name)(x), special=[([0.0, 0.5, -0.5],)])
for _name in ("atan", "sinh", "cosh", "asinh"):
    unary(_name, normal, lambda t, x, name=_name: getattr(t, name)(x), special=[([0.0, 3.0, -3.0],)])
unary(
    "atanh",
    probability,
    lambda t, x: t.atanh(x / 2),
    call=lambda f, x: f(ichikara.multiply(x, 0.5)),
    special=[([0.0, 0.5, -0.5],)],
)
unary("tan", probability, lambda t, x: t.tan(x), special=[([0.0, 0.5, -0.5],)])
unary("acosh", above_one, lambda t, x: t.acosh(x), special=[([1.5, 30.0],)])
binary("atan2", off_zero, off_zero, lambda t, a, b: t.atan2(a, b))
unary("log2", positive, lambda t, x: t.log2(x), special=[([numpy.inf, 1.0, 1e-30],)])
unary("log10", positive, lambda t, x: t.log10(x), special=[([numpy.inf, 1.0, 1e-30],)])
binary(
    "logaddexp",
    normal,
    normal,
    lambda t, a, b: t.logaddexp(a, b),
    special=[([1000.0, -1000.0, -numpy.inf], [0.0, -1001.0, 0.0])],
)
binary("hypot", off_zero, off_zero, lambda t, a, b: t.hypot(a, b), special=[([3.0, 0.0], [4.0, 2.0])])
_SIGNS = numpy.array([1.0, -2.0, 0.5, -0.1])
for _shape in ((3, 4), (3, 1), ()):
    row(
        "copysign",
        [off_zero(*_shape)],
        lambda t, x: t.copysign(x, x.new_tensor(_SIGNS)),
        {"signs": _SIGNS},
        call=lambda f, x, signs: f(x, signs),
        special=[([0.0, 2.0, -3.0, -0.0],)],
    )
    row(
        "nextafter",
        [distinct(*_shape)],
        None,
        {"towards": _SIGNS},
        expected=lambda x: numpy.nextafter(x, _SIGNS.astype(x.dtype)),
        call=lambda f, x, towards: f(x, towards),
        traceable="JAX does not differentiate it",
    )
unary("trunc", off_whole, lambda t, x: t.trunc(x), differentiable=_CONSTANT, special=[([0.0, -2.5, 2.5],)])
unary("signbit", off_zero, lambda t, x: t.signbit(x), differentiable=_PREDICATE, special=[([0.0, -0.0, -2.0],)])

_WHOLE = "whole numbers have no gradient"
for _name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    binary(
        _name,
        whole(-9, 9),
        whole(-9, 9),
        lambda t, a, b, name=_name: getattr(t, name)(a, b),
        differentiable=_WHOLE,
    )
    row(
        _name,
        [truth(3, 4), truth(4)],
        lambda t, a, b, name=_name: getattr(t, name)(a, b),
        differentiable=_WHOLE,
        label="truth",
    )
unary("bitwise_invert", whole(-9, 9), lambda t, x: t.bitwise_not(x), differentiable=_WHOLE)
unary("bitwise_invert", truth, lambda t, x: t.bitwise_not(x), differentiable=_WHOLE, label="truth")
for _name in ("bitwise_left_shift", "bitwise_right_shift"):
    binary(
        _name,
        whole(-9, 9),
        whole(0, 5),
        lambda t, a, b, name=_name: getattr(t, name)(a, b),
        differentiable=_WHOLE,
    )

# --- along axes -------------------------------------------------------------------------------------------------------


def _with_initial(t, x, axis, first):
    shape = list(x.shape)
    shape[axis] = 1
    return t.concat([t.full(shape, first, dtype=x.dtype), x], axis)


for _axis in (0, 1, -1):
    row(
        "cumulative_sum",
        [normal(2, 3, 4)],
        lambda t, x, a=_axis: _with_initial(t, t.cumsum(x, a), a, 0.0),
        {"axis": _axis, "include_initial": True},
        shapes=(((2, 0, 3),), ((0, 1, 1),)),
        label="initial",
    )
    row(
        "cumulative_prod",
        [normal(2, 3, 5)],
        lambda t, x, a=_axis: t.cumprod(x, a),
        {"axis": _axis},
        shapes=(((1, 1, 1),), ((2, 0, 3),), ((0, 1, 1),)),
    )
row(
    "cumulative_prod",
    [normal(5)],
    lambda t, x: _with_initial(t, t.cumprod(x, 0), 0, 1.0),
    {"include_initial": True},
    shapes=(((0,),), ((1,),)),
)
row("cumulative_prod", [normal(5)], lambda t, x: t.cumprod(x, 0), special=[([2.0, 0.0, 3.0, 0.0],)])
for _axis in (0, 1, -1):
    row("diff", [normal(3, 4)], lambda t, x, a=_axis: t.diff(x, dim=a), {"axis": _axis}, shapes=(((2, 2),), ((0, 3),)))
row("diff", [normal(3, 4)], lambda t, x: t.diff(x, n=2), {"n": 2})
row("diff", [normal(3, 4)], lambda t, x: x.clone(), {"n": 0}, label="none")
row(
    "diff",
    [normal(3, 4), normal(3, 2), normal(3, 1)],
    lambda t, x, a, b: t.diff(x, prepend=a, append=b),
    call=lambda f, x, a, b: f(x, prepend=a, append=b),
    label="joined",
)
for _options in ({}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1}):
    row(
        "count_nonzero",
        [whole(0, 2)(2, 3, 4)],
        None,
        _options,
        expected=lambda x, options=_options: numpy.count_nonzero(x, **options),
        differentiable="it counts",
        shapes=(((2, 0, 3),),),
    )

# --- order ------------------------------------------------------------------------------------------------------------

for _axis in (0, 1, -1):
    for _descending in (False, True):
        _options = {"axis": _axis, "descending": _descending}
        row(
            "sort",
            [distinct(3, 4)],
            lambda t, x, a=_axis, d=_descending: t.sort(x, dim=a, descending=d).values,
            _options,
            shapes=(((1, 1),), ((0, 3),), ((2, 0),)),
        )
        row(
            "argsort",
            [distinct(3, 4)],
            lambda t, x, a=_axis, d=_descending: t.argsort(x, dim=a, descending=d, stable=True),
            _options,
            differentiable="its values are positions",
            special=[([[2.0, 1.0], [2.0, 1.0]],)],
        )
row(
    "searchsorted",
    [given([-1.0, 0.0, 0.0, 2.0]), given([[-2.0, 0.0], [2.0, 3.0]])],
    lambda t, a, b: t.searchsorted(a, b),
    differentiable="its values are positions",
    traceable="JAX's positions are int32",
)
row(
    "searchsorted",
    [given([0.0, 2.0, -1.0, 0.0]), given([0.0, 5.0])],
    lambda t, a, b: t.searchsorted(a, b, right=True, sorter=t.tensor([2, 0, 3, 1])),
    {"side": "right", "sorter": numpy.array([2, 0, 3, 1])},
    differentiable="its values are positions",
    traceable="JAX's positions are int32",
)
for _invert in (False, True):
    row(
        "isin",
        [whole(0, 5)(3, 4), given([1, 3])],
        lambda t, x, s, i=_invert: t.isin(x, s, invert=i),
        {"invert": _invert},
        differentiable=_PREDICATE,
    )

# --- places -----------------------------------------------------------------------------------------------------------

row(
    "moveaxis",
    [normal(2, 3, 4)],
    lambda t, x: t.moveaxis(x, (0, 1), (-1, 0)),
    {"source": (0, 1), "destination": (-1, 0)},
)
row("moveaxis", [normal(2, 3, 4)], lambda t, x: x.clone(), {"source": (), "destination": ()}, label="none")
row("flatten", [normal()], lambda t, x: t.flatten(x), label="number")
row(
    "pad",
    [normal(2, 3)],
    lambda t, x: t.nn.functional.pad(x, (2, 2, 1, 1)),
    {"pad_width": numpy.array([[1], [2]])},
    label="array",
)
row(
    "repeat",
    [normal(2, 3)],
    lambda t, x: t.repeat_interleave(x, t.tensor([1, 2, 3]), 1),
    {"repeats": [1, 2, 3], "axis": 1},
    shapes=(((0, 3),),),
    label="each",
)
row(
    "repeat",
    [normal(2, 3)],
    lambda t, x: t.repeat_interleave(x, t.tensor([2, 0]), 0),
    call=lambda f, x: f(x, ichikara.asarray([2, 0]), axis=0),
    label="tensor",
)
row(
    "repeat",
    [normal(2, 2)],
    lambda t, x: t.repeat_interleave(x.reshape(-1), t.tensor([1, 0, 3, 2])),
    {"repeats": numpy.array([1, 0, 3, 2])},
    label="each-flattened",
)
for _counts in ((2,), (2, 3), (1, 2, 2), (0, 1), ()):
    row(
        "tile",
        [normal(2, 3)],
        lambda t, x, counts=_counts: t.tile(x, counts),
        {"repetitions": _counts},
        shapes=(((0, 1),), ((1, 1),)),
    )
row("tile", [normal()], lambda t, x: t.tile(x, (2, 3)), {"repetitions": (2, 3)}, label="number")
row("roll", [normal(2, 3)], lambda t, x: t.roll(x, (1, 2), (0, 1)), {"shift": [1, 2], "axis": [0, 1]}, label="list")
row(
    "scatter",
    [normal()],
    None,
    {"index": numpy.array([0, 2, 2]), "shape": (4,)},
    expected=lambda x: x * numpy.array([1.0, 0, 2, 0]),
    label="broadcast",
    composes="adding at indices is the array library's",
)
row(
    "vecdot",
    [normal(3, 4), normal(3, 4)],
    lambda t, a, b: t.linalg.vecdot(a, b),
    shapes=(((0, 2), (0, 2)), ((2, 0), (2, 0))),
)
row("vecdot", [normal(4, 1, 3), normal(4, 2, 1)], lambda t, a, b: t.linalg.vecdot(a, b, dim=0), {"axis": 0})

# --- nothing to reduce ------------------------------------------------------------------------------------------------

for _name in ("sum", "mean", "max", "min", "prod", "logsumexp"):
    for _axis in (0, -1) if _name != "mean" else ():
        row(
            _name,
            [normal()],
            lambda t, x: x.clone(),
            {"axis": _axis},
            label="number",
            traceable="JAX's numbers have no axis 0",
        )
    row(_name, [normal(2, 3)], lambda t, x: x.clone(), {"axis": ()}, label="no-axes")
