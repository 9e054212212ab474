r"""Pooling: an image made smaller by taking what lies near together as one; and resampling, which also makes it larger.

Averages over windows and interpolation weigh rows and columns separately, so both are products with two matrices of
constants, :math:`Y = A X B^\top`, and need no derivative of their own.
"""

import math

from ..arrays import add_into, default_float, is_floating, is_half, namespace, uint8
from ..autodiff import composed, op
from ..checks import positive, yes_or_no
from ..errors import UserError, choose
from .indexing import take
from .reduce import mean
from .shape import repeat, reshape
from .window import as_given, as_images, as_plane, count_positions, make_window, padded, sizes

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "interpolate",
    "max_pool1d",
    "max_pool2d",
    "max_pooling",
    "max_unpooling",
]

_host = namespace()  # matrices and indices of constants are NumPy's


# --- the largest ------------------------------------------------------------------------------------------------------


@op(r"y_{n c i} = \max_k x_{n c (s i + d k - p)}", floating=True, residuals=("winners",))
def max_pooling(x, /, kernel=(), window=None):
    """The largest of each window, and which it was: `max_pool2d`, its arguments in one form.

    Shapes: (n, c, h, w) -> (n, c, oh, ow).

    Arguments: ``kernel``, height and width; ``window``, a `Window`. The winners are numbered row by row.
    """
    xp = namespace(x)
    image = padded(x, window, -math.inf)
    y, *others = [image[place] for place in window.places(kernel, window.positions(x.shape[2:], kernel))]
    dtype = uint8 if len(others) < 256 else "int32"
    winners = xp.astype(xp.broadcast_to(_first_inside(x.shape[2:], kernel, window), y.shape), dtype)
    for number, other in enumerate(others, 1):
        winners = xp.maximum(winners, xp.astype(other > y, winners.dtype) * number)  # the last that beat all before it
        y = xp.maximum(y, other)
    return y, winners


@op(r"x_{n c j} = \sum_{i:\,j = s i + d k_i - p} y_{n c i}", floating=True)
def max_unpooling(out, winners, /, size=(), kernel=(), window=None):
    """Each output put where the winner of its window was: the gradient of `max_pooling`.

    Shapes: (n, c, oh, ow), (n, c, oh, ow) -> (n, c, \\*size).

    Arguments: ``winners``, as `max_pooling` numbers them; ``size``, the height and width of the image.
    """
    x = namespace(out).zeros((*out.shape[:2], *window.padded(size)), dtype=out.dtype)
    for number, place in enumerate(window.places(kernel, out.shape[2:])):
        x = add_into(x, place, out * (winners == number))
    return x[window.inside(size)]


def _first_inside(size, kernel, window):
    """The number of the first element of each window that is in the image: what the padding holds never wins."""
    first = []
    for count, length, stride, (before, _), dilation in zip(
        window.positions(size, kernel), kernel, *window, strict=True
    ):
        start = _host.arange(count) * stride - before
        first.append(_host.clip(-(start // dilation), 0, length - 1))
    return first[0][:, None] * kernel[1] + first[1]


def _at_winners(g, winners, kernel, window):
    """Of each window the element that was its winner."""
    image = padded(g, window, 0.0)
    places = window.places(kernel, winners.shape[2:])
    y, *others = (image[place] * (winners == number) for number, place in enumerate(places))
    for other in others:
        y = y + other
    return y


max_pooling.gradient(
    x=(
        r"\bar x_{n c j} = \sum_{i:\,j = s i + d k_i - p} \bar y_{n c i}",
        lambda g, winners, x_shape, kernel, window: max_unpooling(g, winners, x_shape[2:], kernel, window),
    )
)
max_pooling.jacobian(x=r"\frac{\partial y_{n c i}}{\partial x_{m q j}} = [n = m]\,[c = q]\,[j = s i + d k_i - p]")
max_unpooling.gradient(out=(r"\bar y_{n c i} = \bar x_{n c (s i + d k_i - p)}", _at_winners), winners=None)
max_unpooling.jacobian(out=r"\frac{\partial x_{n c j}}{\partial y_{m q i}} = [n = m]\,[c = q]\,[j = s i + d k_i - p]")


@composed(r"y_{n c i} = \max_k x_{n c (s i + d k - p)}")
def max_pool2d(x, /, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest of each window. Of equals the first is the winner, which alone gets the gradient.

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, oh, ow) or (c, oh, ow), where
    oh = (h + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1.

    Arguments: ``stride``, the step between windows, by default their size; ``padding``, around the image, at most half
    a window, which never wins; ``dilation``, the step between the window's elements; ``ceil_mode``, whether a last
    window may reach beyond the edge. Each is a number, or a pair for the vertical and the horizontal axis.

    Raises UserError for a window that does not fit.

    >>> max_pool2d([[[1.0, 2.0], [4.0, 3.0]]], 2).tolist()
    [[[4.0]]]

    Source: M. Ranzato et al., "Unsupervised Learning of Invariant Feature Hierarchies" (2007).
    """
    return _max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode)


@composed(r"y_{n c i} = \max_k x_{n c (s i + d k - p)}")
def max_pool1d(x, /, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest of each window of a sequence: as `max_pool2d`. Shapes: (n, c, l) or (c, l) -> with l pooled."""
    return _max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode)


def _max_pool(name, axes, x, kernel_size, stride, padding, dilation, ceil_mode):
    kernel, window = _pool_window(name, axes, x, kernel_size, stride, padding, dilation, ceil_mode)
    return as_given(axes, x, max_pooling(as_images(axes, x), kernel, window))


def _pool_window(name, axes, x, kernel_size, stride, padding, dilation, ceil_mode):
    """The window of a pooling; a last one that reaches beyond the edge becomes more padding there."""
    _need_axes(name, axes, x)
    kernel = sizes("kernel_size", kernel_size, axes)
    padding = sizes("padding", padding, axes, at_least=0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise UserError(f"{name}: padding {padding} is more than half of the window {kernel}")
    window = make_window(axes, kernel, kernel if stride is None else stride, padding, dilation)
    kernel, size = as_plane(kernel, 1), as_plane(tuple(x.shape[-axes:]), 1)
    if ceil_mode:
        sides = tuple(map(_beyond, size, kernel, *window))
        window = window._replace(padding=sides)
    count_positions(name, window, size, kernel)
    return kernel, window


def _beyond(length, kernel, stride, sides, dilation):
    """The padding of an axis, with what a last window takes that begins in the image and ends outside of it."""
    before, after = sides
    reach = dilation * (kernel - 1) + 1
    last = -(-(length + before + after - reach) // stride)
    if last * stride >= length + before:
        last -= 1
    return before, max(after, last * stride + reach - length - before)


# --- the average ------------------------------------------------------------------------------------------------------


@composed(r"y_{n c i} = \frac{1}{|k|} \sum_k x_{n c (s i + k - p)}")
def avg_pool2d(
    x, /, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """The average of each window.

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, oh, ow) or (c, oh, ow), where
    oh = (h + 2 padding - kernel_size) // stride + 1.

    Arguments: as of `max_pool2d`; ``count_include_pad``, whether the zeros of the padding count as elements;
    ``divisor_override``, by what the sums are divided instead of the number of elements.

    Raises UserError for a window that does not fit.

    >>> avg_pool2d([[[1.0, 2.0], [4.0, 3.0]]], 2).tolist()
    [[[2.5]]]

    Source: Y. LeCun et al., "Handwritten Digit Recognition with a Back-Propagation Network" (1990).
    """
    return _avg_pool("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@composed(r"y_{n c i} = \frac{1}{|k|} \sum_k x_{n c (s i + k - p)}")
def avg_pool1d(x, /, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The average of each window of a sequence: as `avg_pool2d`. Shapes: (n, c, l) or (c, l) -> with l pooled."""
    return _avg_pool("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def _avg_pool(name, axes, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    if divisor is not None and divisor == 0:
        raise UserError(f"{name}: the sums cannot be divided by divisor_override=0")
    kernel, window = _pool_window(name, axes, x, kernel_size, stride, padding, 1, ceil_mode)
    sides = as_plane(sizes("padding", padding, axes, at_least=0), 0)  # what counts, without the windows that reach out
    positions = window.positions(as_plane(tuple(x.shape[-axes:]), 1), kernel)
    matrices = []
    for axis in range(2 - axes, 2):
        length = x.shape[axis - 2]
        start = _host.arange(positions[axis]) * window.stride[axis] - sides[axis]
        end = _host.minimum(start + kernel[axis], length + sides[axis])
        inside = _between(start, end, length)
        if divisor is not None:
            counts = 1
        elif count_include_pad:
            counts = (end - start)[:, None]
        else:
            counts = inside.sum(axis=1, keepdims=True)
        matrices.append(inside / counts)
    y = _resample(x, *matrices)
    return y if divisor is None else y / divisor


def _between(start, end, length):
    """A matrix with a row for each window, true where it is: [start_i <= j < end_i]."""
    place = _host.arange(length)
    return (start[:, None] <= place) & (place < end[:, None])


def _resample(x, *matrices):
    """The last axes multiplied with matrices (out, in), the last with the last."""
    dtype = x.dtype if is_floating(x) and not is_half(x.dtype) else default_float
    *rows, columns = (_host.astype(matrix, dtype) for matrix in matrices)
    return resample(x, rows[0] if rows else None, columns)


@op(r"Y = A X B^\top", floating=True, accumulates=True)
def resample(x, /, rows=None, columns=None):
    """Weighted sums along the last axes: what averages over windows, and interpolates. A weight of 0 leaves out.

    Shapes: (*, h, w) -> (*, oh, ow).

    Arguments: ``rows``, A, (oh, h), or None to leave this axis alone; ``columns``, B, (ow, w).
    """
    y = _weighted_sums(x, columns, -1)
    return y if rows is None else _weighted_sums(y, rows, -2)


resample.gradient(
    x=(
        r"\bar X = A^\top \bar Y B",
        lambda g, rows, columns: resample(g, None if rows is None else rows.T, columns.T),
    )
)
resample.jacobian(x=r"\frac{\partial L}{\partial X} = B^\top \frac{\partial L}{\partial Y} A")


def _weighted_sums(x, matrix, axis):
    with _host.errstate(invalid="ignore"):
        y = x @ matrix.T if axis == -1 else matrix @ x
    if namespace(x) is _host and not _host.isfinite(y).all():
        # In a product 0 times infinity is nan. So each sum is taken again, over its own elements.
        inputs, sums = _host.moveaxis(x, axis, -1), _host.moveaxis(y, axis, -1)
        for i, weights in enumerate(matrix):
            sums[..., i] = inputs[..., weights != 0] @ weights[weights != 0]
    return y


@composed(r"y_{n c i} = \frac{1}{|J_i|} \sum_{j \in J_i} x_{n c j}")
def adaptive_avg_pool2d(x, /, output_size):
    """The averages of as many windows as asked for, whatever the size of the image; with 1, of the whole image.

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, \\*output_size) or (c, \\*output_size).

    Arguments: ``output_size``, a number, or a pair of which None keeps an axis as it is. Window i of o along an axis of
    length l goes from floor(i l / o) to ceil((i + 1) l / o).

    Raises UserError for a size that is not made of whole numbers above 0.

    >>> adaptive_avg_pool2d([[[1.0, 2.0], [4.0, 3.0]]], 1).tolist()
    [[[2.5]]]

    Source: M. Lin, Q. Chen and S. Yan, "Network In Network" (2013), where the output is one by one.
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, x, output_size)


@composed(r"y_{n c i} = \frac{1}{|J_i|} \sum_{j \in J_i} x_{n c j}")
def adaptive_avg_pool1d(x, /, output_size):
    """As `adaptive_avg_pool2d`, for sequences. Shapes: (n, c, l) or (c, l) -> (n, c, o) or (c, o)."""
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, x, output_size)


def _adaptive_avg_pool(name, axes, x, output_size):
    windows = [*_adaptive_windows(name, axes, x, output_size)]
    if is_floating(x) and not any(length % len(start) for length, start, _ in windows):  # side by side
        split = [n for length, start, _ in windows for n in (len(start), length // len(start))]
        return mean(reshape(x, (*x.shape[:-axes], *split)), axis=tuple(range(1 - 2 * axes, 0, 2)))
    return _resample(x, *[_between(start, end, length) / (end - start)[:, None] for length, start, end in windows])


def _adaptive_windows(name, axes, x, output_size):
    """For each axis its length, and where its windows start and end."""
    _need_axes(name, axes, x)
    shape = x.shape[-axes:]
    given: list = list(output_size) if isinstance(output_size, tuple | list) else [output_size] * axes
    if len(given) == axes:
        given = [n if o is None else o for n, o in zip(shape, given, strict=True)]
    for length, number in zip(shape, sizes("output_size", given, axes), strict=True):
        if not length:
            raise UserError(f"{name}: an image of shape {x.shape} has nothing to pool")
        window = _host.arange(number)
        yield length, window * length // number, -(-(window + 1) * length // number)


@composed(r"y_{n c i} = \max_{j \in J_i} x_{n c j}")
def adaptive_max_pool2d(x, /, output_size):
    """The largest of each of as many windows as asked for: as `adaptive_avg_pool2d`.

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, \\*output_size) or (c, \\*output_size).
    """
    kernel, image = [], x
    for axis, (length, start, end) in enumerate(_adaptive_windows("adaptive_max_pool2d", 2, x, output_size), -2):
        widest = int((end - start).max())
        rows = _host.minimum(start[:, None] + _host.arange(widest), end[:, None] - 1)  # the last again if one is short
        if rows.size != length:
            image = take(image, rows.reshape(-1), axis=image.ndim + axis)
        kernel.append(widest)
    return max_pool2d(image, tuple(kernel))


def _need_axes(name, axes, x):
    if x.ndim not in (axes + 1, axes + 2):
        raise UserError(f"{name} takes inputs of shape (n, c, {'h, w' if axes == 2 else 'l'}), not of {x.shape}")


_INTERPOLATED_AXES = {"nearest": None, "linear": 1, "bilinear": 2}


@composed(r"y_{n c i} = \sum_j \max(0, 1 - |u_i - j|)\,x_{n c j}")
def interpolate(x, /, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """Images or sequences of another size: each output is the nearest input, or a mean of its neighbours by distance.

    Output i lies at u = (i + 1/2) / scale - 1/2 of the input; with ``align_corners`` the middles of the outermost
    elements lie on each other.

    Shapes: (n, c, h, w) -> (n, c, \\*size), or (n, c, l) -> (n, c, size).

    Arguments: ``size``, of the output; or ``scale_factor``, by which it is larger, each a number or one for each axis;
    ``mode``, ``'nearest'``, ``'linear'`` (sequences) or ``'bilinear'`` (images); ``align_corners``, not of the nearest.

    Raises UserError for arguments that do not fit together.

    >>> interpolate([[[1.0, 2.0]]], scale_factor=2).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]

    Source: R. Szeliski, "Computer Vision" (2010), section 3.5.
    """
    axes = x.ndim - 2
    expected = choose("mode", mode, _INTERPOLATED_AXES)
    if axes not in (1, 2) or expected not in (None, axes):
        raise UserError(f"interpolate with mode={mode!r} is not of an input of shape {x.shape}")
    if mode == "nearest" and align_corners is not None:
        raise UserError("align_corners is of the modes 'linear' and 'bilinear', not of 'nearest'")
    align_corners = align_corners is not None and yes_or_no("align_corners", align_corners)
    lengths = x.shape[2:]
    new, scales = _new_size(lengths, axes, size, scale_factor)
    if mode == "nearest":
        for axis, (length, number, scale) in enumerate(zip(lengths, new, scales, strict=True), 2):
            x = _nearest(x, axis, length, number, scale)
        return x
    each = zip(lengths, new, scales, strict=True)
    return _resample(x, *[_neighbours(*numbers, align_corners) for numbers in each])


def _new_size(lengths, axes, size, scale_factor):
    """The new lengths, and by how much the input's are larger."""
    if (size is None) == (scale_factor is None):
        raise UserError("interpolate is given a size or a scale_factor, one of the two")
    if size is not None:
        new = sizes("size", size, axes)
        return new, [length / number for length, number in zip(lengths, new, strict=True)]
    factors = scale_factor if isinstance(scale_factor, tuple | list) else (scale_factor,) * axes
    if len(factors) != axes:
        raise UserError(f"scale_factor is a number above 0, or {axes} of them, not {scale_factor!r}")
    factors = [float(positive("scale_factor", factor)) for factor in factors]
    new = tuple(math.floor(length * factor) for length, factor in zip(lengths, factors, strict=True))
    if min(new) < 1:
        raise UserError(f"of an image of {lengths} nothing is left with scale_factor {scale_factor}")
    return new, [1 / factor for factor in factors]


def _nearest(x, axis, length, number, scale):
    if number == length and scale == 1:
        return x
    if number % length == 0 and scale == length / number:
        return repeat(x, number // length, axis=axis)
    place = _host.arange(number, dtype="float32") * _host.float32(scale)  # rounded as PyTorch does
    return take(x, _host.minimum(_host.astype(place, "int64"), length - 1), axis=axis)


def _neighbours(length, number, scale, align_corners):
    """A matrix that gives each new element a share of the two that it lies between."""
    place = _host.arange(number)
    if align_corners:
        u = place * ((length - 1) / (number - 1) if number > 1 else 0.0)
    else:
        u = _host.maximum((place + 0.5) * scale - 0.5, 0.0)
    u = _host.minimum(u, length - 1)
    return _host.maximum(0.0, 1 - _host.abs(u[:, None] - _host.arange(length)))
