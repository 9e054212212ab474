r"""Convolution: one small pattern, looked for everywhere in an image.

Convolution is linear in its image and in its weight, and so are its two gradients, which are again each other's. So
three records are enough for derivatives of every order; `conv1d`, `conv2d` and their transposes are made of them.

Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016).
"""

import math

from ..arrays import add_into, namespace, sum_along
from ..autodiff import composed, op
from ..errors import UserError
from .shape import expand_dims
from .window import as_given, as_images, as_plane, count_positions, make_window, padded, sizes

__all__ = [
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "convolution",
    "convolution_image",
    "convolution_weight",
]


def _im2col(x, kernel, window, groups):
    """What the window sees at each position, as a column.

    Shapes: (n, c, h, w) -> (n, groups, c / groups kh kw, oh ow).
    """
    xp = namespace(x)
    image = padded(x, window, 0.0)
    seen = [image[place] for place in window.places(kernel, window.positions(x.shape[2:], kernel))]  # (n, c, oh, ow)
    columns = xp.stack(seen, axis=2)  # (n, c, kh kw, oh, ow)
    n, c, k, *positions = columns.shape
    return xp.reshape(columns, (n, groups, c // groups * k, positions[0] * positions[1]))


def _col2im(columns, channels, kernel, positions, size, window):
    """Each column added where the window saw it: the reverse of `_im2col`. Shapes: -> (n, channels, *size)."""
    xp, n = namespace(columns), columns.shape[0]
    columns = xp.reshape(columns, (n, channels, kernel[0] * kernel[1], *positions))
    image = xp.zeros((n, channels, *window.padded(size)), dtype=columns.dtype)
    for k, place in enumerate(window.places(kernel, positions)):
        image = add_into(image, place, columns[:, :, k])
    return image[window.inside(size)]


def _by_group(out, groups):
    """Shapes: (n, o, oh, ow) -> (n, groups, o / groups, oh ow)."""
    n, o, height, width = out.shape
    return namespace(out).reshape(out, (n, groups, o // groups, height * width))


def _matrices(weight, groups):
    """Shapes: (o, c / groups, kh, kw) -> (groups, o / groups, c / groups kh kw)."""
    o, *rest = weight.shape
    return namespace(weight).reshape(weight, (groups, o // groups, math.prod(rest)))


def _biased(y, bias):
    return y if bias is None else y + bias[:, None, None]


@op(r"y_{n o i} = b_o + \sum_{c, k} w_{o c k}\,x_{n c (s i + d k - p)}", floating=True)
def convolution(x, weight, bias=None, /, window=None, groups=1):
    """What a window sees of each image at every position, weighed and added up: `conv2d`, its arguments in one form.

    Shapes: (n, c, h, w), (o, c / groups, kh, kw), (o) or None -> (n, o, oh, ow).

    Arguments: ``window``, a `Window`: stride s, padding p, dilation d; ``groups`` of channels.
    """
    kernel = weight.shape[2:]
    y = _matrices(weight, groups) @ _im2col(x, kernel, window, groups)
    shape = (x.shape[0], weight.shape[0], *window.positions(x.shape[2:], kernel))
    return _biased(namespace(y).reshape(y, shape), bias)


@op(r"x_{n c j} = b_c + \sum_{o, i, k:\,s i + d k - p = j} w_{o c k}\,y_{n o i}", floating=True)
def convolution_image(out, weight, bias=None, /, size=(), window=None, groups=1):
    """Each output added to all that its window saw: without a bias the gradient of `convolution` by its image.

    Shapes: (n, o, oh, ow), (o, c / groups, kh, kw), (c) or None -> (n, c, \\*size).

    Arguments: ``size``, the height and width of the image; the others as of `convolution`.
    """
    columns = _matrices(weight, groups).mT @ _by_group(out, groups)
    channels, kernel = groups * weight.shape[1], weight.shape[2:]
    return _biased(_col2im(columns, channels, kernel, out.shape[2:], size, window), bias)


@op(r"w_{o c k} = \sum_{n, i} y_{n o i}\,x_{n c (s i + d k - p)}", floating=True)
def convolution_weight(out, x, /, kernel=(), window=None, groups=1):
    """What the windows saw, weighed by each output and added up: the gradient of `convolution` by its weight.

    Shapes: (n, o, oh, ow), (n, c, h, w) -> (o, c / groups, \\*kernel).

    Arguments: ``kernel``, the height and width of the weight; the others as of `convolution`.
    """
    matrices = sum_along(_by_group(out, groups) @ _im2col(x, kernel, window, groups).mT, 0)
    return namespace(matrices).reshape(matrices, (out.shape[1], x.shape[1] // groups, *kernel))


convolution.gradient(
    x=(
        r"\bar x_{n c j} = \sum_{o, i, k:\,s i + d k - p = j} w_{o c k}\,\bar y_{n o i}",
        lambda g, weight, x_shape, window, groups: convolution_image(g, weight, None, x_shape[2:], window, groups),
    ),
    weight=(
        r"\bar w_{o c k} = \sum_{n, i} \bar y_{n o i}\,x_{n c (s i + d k - p)}",
        lambda g, x, weight_shape, window, groups: convolution_weight(g, x, weight_shape[2:], window, groups),
    ),
    bias=(r"\bar b_o = \sum_{n, i} \bar y_{n o i}", lambda g: sum_along(g, (0, 2, 3))),
)
convolution.jacobian(
    x=r"\frac{\partial y_{n o i}}{\partial x_{m c j}} = [n = m] \sum_k w_{o c k}\,[j = s i + d k - p]",
    weight=r"\frac{\partial y_{n o i}}{\partial w_{q c k}} = [o = q] \sum_j x_{n c j}\,[j = s i + d k - p]",
    bias=r"\frac{\partial y_{n o i}}{\partial b_q} = [o = q]",
)

convolution_image.gradient(
    out=(
        r"\bar y_{n o i} = \sum_{c, k} w_{o c k}\,\bar x_{n c (s i + d k - p)}",
        lambda g, weight, window, groups: convolution(g, weight, None, window, groups),
    ),
    weight=(
        r"\bar w_{o c k} = \sum_{n, i} y_{n o i}\,\bar x_{n c (s i + d k - p)}",
        lambda g, out, weight_shape, window, groups: convolution_weight(out, g, weight_shape[2:], window, groups),
    ),
    bias=(r"\bar b_c = \sum_{n, j} \bar x_{n c j}", lambda g: sum_along(g, (0, 2, 3))),
)
convolution_image.jacobian(
    out=r"\frac{\partial x_{n c j}}{\partial y_{m o i}} = [n = m] \sum_k w_{o c k}\,[j = s i + d k - p]",
    weight=r"\frac{\partial x_{n c j}}{\partial w_{o q k}} = [c = q] \sum_i y_{n o i}\,[j = s i + d k - p]",
    bias=r"\frac{\partial x_{n c j}}{\partial b_q} = [c = q]",
)

convolution_weight.gradient(
    out=(
        r"\bar y_{n o i} = \sum_{c, k} \bar w_{o c k}\,x_{n c (s i + d k - p)}",
        lambda g, x, window, groups: convolution(x, g, None, window, groups),
    ),
    x=(
        r"\bar x_{n c j} = \sum_{o, i, k:\,s i + d k - p = j} \bar w_{o c k}\,y_{n o i}",
        lambda g, out, x_shape, window, groups: convolution_image(out, g, None, x_shape[2:], window, groups),
    ),
)
convolution_weight.jacobian(
    out=r"\frac{\partial w_{o c k}}{\partial y_{n q i}} = [o = q] \sum_j x_{n c j}\,[j = s i + d k - p]",
    x=r"\frac{\partial w_{o c k}}{\partial x_{n q j}} = [c = q] \sum_i y_{n o i}\,[j = s i + d k - p]",
)


@composed(r"y_{n o i} = b_o + \sum_{c, k} w_{o c k}\,x_{n c (s i + d k - p)}")
def conv2d(x, weight, bias=None, /, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of images: o patterns, each looked for everywhere.

    Shapes: (n, c, h, w) or (c, h, w), (o, c / groups, kh, kw), (o) or None -> (n, o, oh, ow) or (o, oh, ow), where
    oh = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1.

    Arguments: ``stride``, the step from one position to the next; ``padding``, zeros around the image, ``'valid'`` for
    none, ``'same'`` for as many as keep its size; ``dilation``, the step between the window's elements; ``groups``, of
    channels that do not see each other. Each is a number, or a pair for the vertical and the horizontal axis.

    Raises UserError for shapes that do not fit, and where the window is larger than the image.

    >>> conv2d([[[1.0, 2.0, 4.0]]], [[[[-1.0, 1.0]]]]).tolist()
    [[[1.0, 2.0]]]

    Source: K. Fukushima, "Neocognitron" (1980); Y. LeCun et al., "Backpropagation Applied to Handwritten Zip Code
    Recognition" (1989).
    """
    return _convolution("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


@composed(r"y_{n o i} = b_o + \sum_{c, k} w_{o c k}\,x_{n c (s i + d k - p)}")
def conv1d(x, weight, bias=None, /, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of sequences: as `conv2d`, with one axis.

    Shapes: (n, c, l) or (c, l), (o, c / groups, k), (o) or None -> (n, o, ol) or (o, ol), where
    ol = (l + 2 padding - dilation (k - 1) - 1) // stride + 1.
    """
    return _convolution("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


@composed(r"y_{n c j} = b_c + \sum_{o, i, k:\,s i + d k - p = j} w_{o c k}\,x_{n o i}")
def conv_transpose2d(x, weight, bias=None, /, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution: each input spread over a window of the output; it makes images larger by its stride.

    Shapes: (n, o, h, w) or (o, h, w), (o, c / groups, kh, kw), (c) or None -> (n, c, oh, ow) or (c, oh, ow), where
    oh = (h - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1.

    Arguments: as of `conv2d`, of which this is the gradient by the image; ``output_padding``, rows and columns to add
    at the end, because several sizes of image have an output of one size.

    Raises UserError for shapes that do not fit, and for an output_padding that no image could have led to.

    >>> conv_transpose2d([[[1.0, 2.0]]], [[[[1.0, 1.0]]]], stride=2).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]

    Source: M. Zeiler et al., "Deconvolutional Networks" (2010).
    """
    return _transposed("conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding, groups, dilation)


@composed(r"y_{n c j} = b_c + \sum_{o, i, k:\,s i + d k - p = j} w_{o c k}\,x_{n o i}")
def conv_transpose1d(x, weight, bias=None, /, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution of sequences: as `conv_transpose2d`, with one axis.

    Shapes: (n, o, l) or (o, l), (o, c / groups, k), (c) or None -> (n, c, ol) or (c, ol), where
    ol = (l - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1.
    """
    return _transposed("conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def _convolution(name, axes, x, weight, bias, stride, padding, dilation, groups):
    _check(name, axes, x, weight, bias, groups, channels=weight.shape[1] * groups, biases=weight.shape[0])
    if weight.shape[0] % groups:
        raise UserError(f"{name}: {weight.shape[0]} output channels do not make {groups} groups of one size")
    window = make_window(axes, weight.shape[2:], stride, padding, dilation)
    images = as_images(axes, x)
    weight = expand_dims(weight, axis=2) if axes == 1 else weight
    count_positions(name, window, images.shape[2:], weight.shape[2:])
    return as_given(axes, x, convolution(images, weight, bias, window, groups))


def _transposed(name, axes, x, weight, bias, stride, padding, output_padding, groups, dilation):
    channels = weight.shape[1] * groups
    _check(name, axes, x, weight, bias, groups, channels=weight.shape[0], biases=channels)
    if weight.shape[0] % groups:
        raise UserError(f"{name}: {weight.shape[0]} input channels do not make {groups} groups of one size")
    extra = sizes("output_padding", output_padding, axes, at_least=0)
    window = make_window(axes, weight.shape[2:], stride, sizes("padding", padding, axes, at_least=0), dilation)
    extra = as_plane(extra, 0)
    if any(n >= s for n, s in zip(extra, window.stride, strict=True)):
        raise UserError(f"{name}: output_padding {output_padding} must be smaller than stride {stride}")
    images = as_images(axes, x)
    weight = expand_dims(weight, axis=2) if axes == 1 else weight
    size = tuple(
        (n - 1) * s - sum(p) + d * (k - 1) + more + 1
        for n, s, p, d, k, more in zip(images.shape[2:], *window, weight.shape[2:], extra, strict=True)
    )
    if min(size) < 1:
        raise UserError(f"{name}: of an input of shape {x.shape} nothing is left with padding {padding}")
    return as_given(axes, x, convolution_image(images, weight, bias, size, window, groups))


def _check(name, axes, x, weight, bias, groups, channels, biases):
    """Raise UserError where the shapes of a convolution do not fit together."""
    sizes("groups", groups, 1)
    if weight.ndim != axes + 2:
        raise UserError(f"{name}: a weight has {axes + 2} axes, and this one has shape {weight.shape}")
    if x.ndim not in (axes + 1, axes + 2) or x.shape[-axes - 1] != channels:
        letters = "h, w" if axes == 2 else "l"
        raise UserError(
            f"{name}: a weight of shape {weight.shape} with groups={groups} takes inputs of shape "
            f"(n, {channels}, {letters}), and this one has shape {x.shape}"
        )
    if bias is not None and bias.shape != (biases,):
        raise UserError(f"{name}: the bias has shape {bias.shape}, and there are {biases} output channels")
