"""Rows of the table of cases for what sees images: convolution, pooling, resampling, normalisation."""

import numpy
from cases import distinct, normal, positive, row, whole

from ichikara.ops.window import Window

_LIBRARY = "a library computes it"


def _value(f, *inputs, **options):
    """The output alone: the body of an operation gives what it keeps for its rules too."""
    found = f(*inputs, **options)
    return found[0] if isinstance(found, tuple) else found


def _functional(name, *rest, **more):
    """PyTorch's function of this name, with these arguments after the inputs."""
    return lambda t, *inputs: getattr(t.nn.functional, name)(*inputs, *rest, **more)


# --- convolution ------------------------------------------------------------------------------------------------------

for _options, _x, _w in (
    ({}, (2, 2, 4, 5), (3, 2, 3, 2)),
    ({"stride": 2}, (2, 1, 6, 5), (2, 1, 3, 3)),
    ({"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}, (2, 4, 4, 5), (2, 2, 3, 2)),
    ({"padding": "same", "dilation": 2}, (1, 1, 4, 4), (1, 1, 3, 3)),
    ({"padding": "valid"}, (1, 1, 3, 3), (1, 1, 2, 2)),
    ({"groups": 3, "padding": 1}, (1, 3, 3, 3), (6, 1, 3, 3)),
    ({"stride": 2}, (2, 3, 3, 4), (2, 3, 1, 1)),
    ({"padding": 1}, (2, 3, 2, 2), (2, 3, 1, 1)),
):
    _o, _c = _w[0], _x[1]
    _sizes = [((n, *_x[1:]), _w, (_o,)) for n in (1, 0)] + [(_x[1:], _w, (_o,))] if not _options else ()
    row("conv2d", [normal(*_x), normal(*_w), normal(_o)], _functional("conv2d", **_options), _options, shapes=_sizes)
row(
    "conv2d",
    [normal(2, 1, 3, 4), normal(2, 1, 3, 2)],
    lambda t, x, w: t.nn.functional.conv2d(t.nn.functional.pad(x, (0, 1, 1, 1)), w),
    {"padding": "same"},
    label="same-of-even",
)
row("conv2d", [normal(1, 2, 4, 4), normal(2, 2, 3, 3)], _functional("conv2d"), label="without-bias")
for _options, _x, _w in (
    ({}, (2, 2, 5), (3, 2, 3)),
    ({"stride": 2, "padding": 2, "dilation": 2, "groups": 2}, (2, 4, 6), (4, 2, 3)),
    ({"padding": "same"}, (1, 1, 4), (1, 1, 3)),
):
    _sizes = [((n, *_x[1:]), _w, _w[:1]) for n in (1, 0)] + [(_x[1:], _w, _w[:1])] if not _options else ()
    row("conv1d", [normal(*_x), normal(*_w), normal(_w[0])], _functional("conv1d", **_options), _options, shapes=_sizes)
for _options, _x, _w, _c in (
    ({}, (2, 3, 2, 3), (3, 2, 3, 2), 2),
    ({"stride": 2, "padding": 1, "output_padding": 1}, (2, 2, 2, 3), (2, 1, 3, 3), 1),
    (
        {"stride": (2, 3), "padding": (0, 1), "output_padding": (1, 0), "groups": 2, "dilation": (1, 2)},
        (1, 4, 2, 2),
        (4, 1, 2, 3),
        2,
    ),
):
    _sizes = [((n, *_x[1:]), _w, (_c,)) for n in (1, 0)] + [(_x[1:], _w, (_c,))] if not _options else ()
    row(
        "conv_transpose2d",
        [normal(*_x), normal(*_w), normal(_c)],
        _functional("conv_transpose2d", **_options),
        _options,
        shapes=_sizes,
    )
for _options in ({}, {"stride": 3, "padding": 1, "output_padding": 2, "dilation": 2, "groups": 2}):
    row(
        "conv_transpose1d",
        [normal(2, 2, 3), normal(2, 3, 3), normal(3 * _options.get("groups", 1))],
        _functional("conv_transpose1d", **_options),
        _options,
    )

_WINDOW = Window((2, 1), ((1, 0), (1, 1)), (1, 2))


def _padded(t, x):
    return t.nn.functional.pad(x, (1, 1, 1, 0))


row(
    "convolution",
    [normal(2, 2, 5, 5), normal(3, 2, 2, 3), normal(3)],
    lambda t, x, w, b: t.nn.functional.conv2d(_padded(t, x), w, b, (2, 1), 0, (1, 2)),
    {"window": _WINDOW},
    composes=_LIBRARY,
)
row(
    "convolution_image",
    [normal(2, 3, 3, 3), normal(3, 2, 2, 3), normal(2)],
    lambda t, g, w, b: t.nn.functional.conv_transpose2d(g, w, b, (2, 1), 0, 0, 1, (1, 2))[..., 1:, 1:-1],
    {"window": _WINDOW, "size": (5, 5)},
    composes=_LIBRARY,
)
row(
    "convolution_weight",
    [normal(2, 3, 3, 3), normal(2, 2, 5, 5)],
    lambda t, g, x: t.nn.functional.conv2d(
        _padded(t, x).transpose(0, 1), g.transpose(0, 1), None, (1, 2), 0, (2, 1)
    ).transpose(0, 1),
    {"window": _WINDOW, "kernel": (2, 3)},
    composes=_LIBRARY,
)

# --- pooling ----------------------------------------------------------------------------------------------------------

_IMAGES = (((1, 2, 5, 6),), ((0, 2, 5, 6),), ((2, 5, 6),))
for _options in (
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0), "dilation": (2, 1)},
    {"kernel_size": 1},
    {"kernel_size": 2, "stride": 3, "ceil_mode": True},
):
    _sizes = _IMAGES if _options == {"kernel_size": 2} else ()
    row("max_pool2d", [distinct(2, 2, 5, 6)], _functional("max_pool2d", **_options), _options, shapes=_sizes)
for _options in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}):
    row("max_pool1d", [distinct(2, 2, 7)], _functional("max_pool1d", **_options), _options, shapes=(((2, 7),),))
row(
    "max_pool2d",
    [distinct(1, 1, 2, 2)],
    _functional("max_pool2d", 2),
    {"kernel_size": 2},
    special=[([[[[0.0, 0.0], [0.0, 0.0]]]],), ([[[[-numpy.inf, 1.0], [1.0, numpy.inf]]]],)],
    label="equals",
)
for _options in (
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0)},
    {"kernel_size": 2, "divisor_override": 3},
):
    _sizes = _IMAGES if _options == {"kernel_size": 2} else ()
    row("avg_pool2d", [normal(2, 2, 5, 6)], _functional("avg_pool2d", **_options), _options, shapes=_sizes)
for _options in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}):
    row("avg_pool1d", [normal(2, 2, 8)], _functional("avg_pool1d", **_options), _options, shapes=(((2, 8),),))
row(
    "avg_pool1d",
    [normal(2, 2, 5)],
    _functional("avg_pool1d", 2, 2, 1, False, False),
    {"kernel_size": 2, "padding": 1, "count_include_pad": False},
)
_ROWS, _COLUMNS = (numpy.random.default_rng(0).random(shape) for shape in ((2, 5), (3, 6)))
for _options in ({"columns": _COLUMNS}, {"rows": _ROWS, "columns": _COLUMNS}):
    row(
        "resample",
        [normal(2, 5, 6)],
        lambda t, x, rows=None, columns=None, more=_options: (
            (x if "rows" not in more else t.tensor(_ROWS).to(x) @ x) @ t.tensor(_COLUMNS).to(x).T
        ),
        _options,
    )
for _size in (1, (2, 4), (None, 3), (7, 6)):
    for _name, _sampler in (("adaptive_avg_pool2d", normal), ("adaptive_max_pool2d", distinct)):
        _sizes = _IMAGES if _size == (2, 4) else ()
        row(_name, [_sampler(2, 2, 5, 6)], _functional(_name, _size), {"output_size": _size}, shapes=_sizes)
for _size in (1, 3):
    row("adaptive_avg_pool1d", [normal(2, 2, 5)], _functional("adaptive_avg_pool1d", _size), {"output_size": _size})
for _options in (
    {"scale_factor": 2},
    {"size": (3, 9)},
    {"scale_factor": (1.5, 0.7)},
    {"size": (3, 9), "mode": "bilinear"},
    {"scale_factor": (2.3, 0.7), "mode": "bilinear", "align_corners": False},
    {"size": (1, 9), "mode": "bilinear", "align_corners": True},
):
    row("interpolate", [normal(2, 1, 4, 3)], _functional("interpolate", **_options), _options)
row("interpolate", [normal(2, 1, 4)], _functional("interpolate", scale_factor=3), {"scale_factor": 3})
row("interpolate", [normal(2, 1, 4)], _functional("interpolate", 7, mode="linear"), {"size": 7, "mode": "linear"})

_TWO_BY_TWO = Window((2, 2))
row(
    "max_pooling",
    [distinct(2, 2, 4, 5)],
    _functional("max_pool2d", 2),
    {"kernel": (2, 2), "window": _TWO_BY_TWO},
    call=_value,
)


def _unpooled(t, out, winners):
    rows, columns = t.arange(2)[:, None], t.arange(2)
    places = (2 * rows + winners // 2) * 5 + 2 * columns + winners % 2
    return (
        t.zeros(2, 2, 20, dtype=out.dtype).scatter(2, places.reshape(2, 2, 4), out.reshape(2, 2, 4)).reshape(2, 2, 4, 5)
    )


row(
    "max_unpooling",
    [normal(2, 2, 2, 2), whole(0, 4)(2, 2, 2, 2)],
    _unpooled,
    {"size": (4, 5), "kernel": (2, 2), "window": _TWO_BY_TWO},
    composes="it adds in place",
)

# --- normalisation ----------------------------------------------------------------------------------------------------

_MEAN, _VAR = numpy.array([0.3, -1.0, 2.0]), numpy.array([0.5, 1.0, 2.0])


def _in_training(f, x, w, b, **options):
    return f(x, None, None, w, b, **options)


def _in_evaluation(f, x, *affine, **options):
    return f(x, _MEAN.astype(x.dtype), _VAR.astype(x.dtype), *affine, **options)


for _shape, _sizes in (
    ((4, 3), (((2, 3), (3,), (3,)),)),
    ((2, 3, 4), ()),
    ((2, 3, 2, 3), (((1, 3, 2, 1), (3,), (3,)),)),
):
    row(
        "batch_norm",
        [normal(*_shape), normal(3), normal(3)],
        lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, True, eps=0.01),
        {"training": True, "eps": 0.01},
        call=_in_training,
        shapes=_sizes,
    )
row(
    "batch_norm",
    [normal(2, 3, 2, 2), normal(3), normal(3)],
    lambda t, x, w, b: t.nn.functional.batch_norm(x, x.new_tensor(_MEAN), x.new_tensor(_VAR), w, b),
    call=_in_evaluation,
    shapes=(((0, 3, 2, 2), (3,), (3,)), ((1, 3), (3,), (3,))),
    label="running",
)
row(
    "batch_norm",
    [normal(2, 3, 2)],
    lambda t, x: t.nn.functional.batch_norm(x, x.new_tensor(_MEAN), x.new_tensor(_VAR)),
    call=_in_evaluation,
    label="running-plain",
)
row(
    "instance_norm",
    [normal(2, 3, 2, 3), normal(3), normal(3)],
    lambda t, x, w, b: t.nn.functional.instance_norm(x, None, None, w, b),
    call=_in_training,
    shapes=(((1, 3, 2, 1), (3,), (3,)),),
)
row(
    "instance_norm",
    [normal(2, 3, 4)],
    lambda t, x: t.nn.functional.instance_norm(x, x.new_tensor(_MEAN), x.new_tensor(_VAR), use_input_stats=False),
    {"use_input_stats": False},
    call=_in_evaluation,
)
for _shape in ((4,), (3, 4)):
    row(
        "layer_norm",
        [normal(2, 3, 4), normal(*_shape), normal(*_shape)],
        lambda t, x, w, b, shape=_shape: t.nn.functional.layer_norm(x, shape, w, b),
        call=lambda f, x, w, b, shape=_shape, **o: f(x, shape, w, b, **o),
        shapes=(((0, 3, 4), _shape, _shape), ((1, 3, 4), _shape, _shape)),
    )
row("layer_norm", [normal(2, 4)], _functional("layer_norm", (4,)), {"normalized_shape": 4}, label="plain")
row(
    "rms_norm",
    [normal(2, 3, 4), normal(4)],
    lambda t, x, w: t.nn.functional.rms_norm(x, (4,), w, 1e-3),
    {"eps": 1e-3},
    call=lambda f, x, w, **o: f(x, 4, w, **o),
    shapes=(((0, 3, 4), (4,)), ((1, 4), (4,))),
)
row("rms_norm", [positive(2, 3, 4)], _functional("rms_norm", (3, 4)), {"normalized_shape": (3, 4)}, label="plain")
row(
    "group_norm",
    [normal(2, 6, 2, 3), normal(6), normal(6)],
    lambda t, x, w, b: t.nn.functional.group_norm(x, 3, w, b),
    call=lambda f, x, w, b, **o: f(x, 3, w, b, **o),
    shapes=(((1, 6, 1, 2), (6,), (6,)), ((0, 6, 2, 2), (6,), (6,)), ((2, 6), (6,), (6,))),
)
row("group_norm", [normal(2, 4, 3)], _functional("group_norm", 2), {"num_groups": 2}, label="plain")
row(
    "normalise",
    [normal(3, 2, 4), normal(2, 1), normal(1, 2, 4)],
    lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, training=True) * w + b,
    {"axes": (0, 2)},
    call=_value,
)
row(
    "normalise",
    [normal(3, 4, 5), normal(4, 5), normal(4, 5)],
    lambda t, x, w, b: t.nn.functional.layer_norm(x, (4, 5), w, b),
    {"axes": (1, 2)},
    call=_value,
    label="rows",
)
row(
    "rms_normalise",
    [normal(3, 4), normal(4)],
    lambda t, x, w: t.nn.functional.rms_norm(x, (4,), w, 1e-5),
    call=_value,
)
