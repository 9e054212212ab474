"""Augmentation on the fly: rotated, shifted, noisy copies of images, a whole batch at a time.

An augmentation is a function of a batch's inputs and a `Generator`, as `DataLoader` takes for its ``transform``. What
moves pixels (rotate, shift, scale, flip, elastic) only gives the position at which each pixel is read; `Compose` joins
successive ones, so that a batch is interpolated once.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy

from ichikara.arrays import Generator
from ichikara.checks import number, whole_number, yes_or_no
from ichikara.errors import UserError

from .interpolation import interpolate

__all__ = ["Compose", "CutOut", "Elastic", "Flip", "Noise", "Rotate", "Scale", "Shift"]


class _Augmentation:
    """What all share: a probability, drawn for each image separately, and a call on a batch of images."""

    def __init__(self, p: float):
        self.p = number("p", p, at_least=0)
        if self.p > 1:
            raise UserError(f"p is the probability that an image is changed, from 0 to 1, not {p!r}")

    def __call__(self, inputs: numpy.ndarray, generator: Generator) -> numpy.ndarray:
        return Compose([self])(inputs, generator)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def _chosen(self, n: int, generator: Generator) -> numpy.ndarray:
        """Which of n images are changed."""
        return numpy.ones(n, bool) if self.p == 1 else generator.bernoulli(self.p, (n,))


class _Warp(_Augmentation):
    """An augmentation that moves pixels."""

    def matrices(self, n: int, generator: Generator) -> numpy.ndarray:
        """For each image, the map from a position in the result, (y, x, 1) from the centre, to the one read."""
        return numpy.where(self._chosen(n, generator)[:, None, None], self._draw(n, generator), numpy.eye(3))

    def field(self, shape: tuple[int, int, int], generator: Generator) -> numpy.ndarray | None:
        """A displacement field beside the matrices, (n, 2, h, w); None for none."""
        return None

    def _draw(self, n: int, generator: Generator) -> numpy.ndarray:
        return _identities(n)


class Rotate(_Warp):
    r"""Rotate each image about its centre by a random angle.

    .. math:: \varphi \sim U(-d, d), \qquad
        \begin{pmatrix} y' \\ x' \end{pmatrix} =
        \begin{pmatrix} \cos\varphi & \sin\varphi \\ -\sin\varphi & \cos\varphi \end{pmatrix}
        \begin{pmatrix} y \\ x \end{pmatrix}

    where (y, x) is a pixel of the result, y downwards, and (y', x') is where it is read.

    Shapes: (n, c, h, w) -> (n, c, h, w), float32 and float64 unchanged.

    Arguments: ``degrees``, the largest angle to either side, or a pair of the least and the largest, counter-clockwise;
    ``p``, the probability that an image is rotated at all.

    Errors: `UserError` for arguments out of range, and for inputs that are no images.

    >>> Rotate((90, 90))(numpy.array([[[[1.0, 2.0], [3.0, 4.0]]]]), Generator(0)).round(6).tolist()
    [[[[2.0, 4.0], [1.0, 3.0]]]]

    Source: part D7 of the lecture "1から作る DEEP LEARNING".
    """

    def __init__(self, degrees: float | tuple[float, float], p: float = 1.0):
        if isinstance(degrees, list | tuple):
            if len(degrees) != 2:
                raise UserError(f"degrees is the largest angle, or a pair of the least and the largest, not {degrees}")
            low, high = (number("degrees", d) for d in degrees)
        else:
            high = number("degrees", degrees, at_least=0)
            low = -high
        if low > high:
            raise UserError(f"degrees is a pair of the least angle and the largest, not {degrees}")
        self.degrees = (low, high)
        super().__init__(p)

    def _draw(self, n, generator):
        angle = numpy.deg2rad(generator.uniform((n,), *self.degrees, dtype="float64"))
        matrices = _identities(n)
        matrices[:, 0, 0] = matrices[:, 1, 1] = numpy.cos(angle)
        matrices[:, 0, 1] = numpy.sin(angle)
        matrices[:, 1, 0] = -matrices[:, 0, 1]
        return matrices


class Shift(_Warp):
    r"""Shift each image vertically and horizontally, by random distances.

    .. math:: y' = y - a, \quad x' = x - b, \qquad a, b \sim U(-d, d)

    Shapes: (n, c, h, w) -> (n, c, h, w), float32 and float64 unchanged.

    Arguments: ``pixels``, the largest distance; ``whole``, whether distances are whole pixels, so that a shift alone
    blurs nothing; ``p``, the probability that an image is shifted at all.

    Errors: `UserError` for arguments out of range, and for inputs that are no images.

    >>> moved = Shift(1)(numpy.array([[[[1.0, 2.0], [3.0, 4.0]]]]), Generator(0))
    >>> moved.tolist()  # one down
    [[[[0.0, 0.0], [1.0, 2.0]]]]

    Source: M. Nielsen, "Neural Networks and Deep Learning" (2015), chapter 3: the training set, artificially expanded.
    """

    def __init__(self, pixels: int | float, whole: bool = True, p: float = 1.0):
        self.whole = yes_or_no("whole", whole)
        self.pixels = whole_number("pixels", pixels, at_least=0) if self.whole else number("pixels", pixels, at_least=0)
        super().__init__(p)

    def _draw(self, n, generator):
        matrices = _identities(n)
        if self.whole:
            matrices[:, :2, 2] = generator.integers(self.pixels + 1, (n, 2), low=-self.pixels)
        else:
            matrices[:, :2, 2] = generator.uniform((n, 2), -self.pixels, self.pixels, dtype="float64")
        return matrices


class Scale(_Warp):
    r"""Scale each image about its centre by a random factor.

    .. math:: y' = y / s, \quad x' = x / s, \qquad s \sim U(\mathrm{low}, \mathrm{high})

    Shapes: (n, c, h, w) -> (n, c, h, w), float32 and float64 unchanged; what grows beyond the image is cropped.

    Arguments: ``low`` and ``high``, the least and the largest factor, above 0; ``p``, the probability that an image is
    scaled at all.

    Errors: `UserError` for arguments out of range, and for inputs that are no images.

    >>> Scale(0.5, 0.5)(numpy.ones((1, 1, 1, 4)), Generator(0)).tolist()
    [[[[0.0, 1.0, 1.0, 0.0]]]]

    Source: part D7 of the lecture "1から作る DEEP LEARNING".
    """

    def __init__(self, low: float, high: float, p: float = 1.0):
        self.low, self.high = number("low", low), number("high", high)
        if not 0 < self.low <= self.high:
            raise UserError(f"low and high are the least factor and the largest, above 0, not {low!r} and {high!r}")
        super().__init__(p)

    def _draw(self, n, generator):
        matrices = _identities(n)
        factor = self.low if self.low == self.high else generator.uniform((n,), self.low, self.high, dtype="float64")
        matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / factor
        return matrices


class Flip(_Warp):
    r"""Mirror an image, left to right or top to bottom.

    .. math:: x' = -x \quad \text{or} \quad y' = -y

    Shapes: (n, c, h, w) -> (n, c, h, w), float32 and float64 unchanged.

    Arguments: ``p``, the probability that an image is mirrored; ``horizontal``, True to exchange left and right, False
    for top and bottom. Not for digits and letters, whose meaning a reflection changes.

    Errors: `UserError` for arguments out of range, and for inputs that are no images.

    >>> Flip(p=1)(numpy.array([[[[1.0, 2.0, 3.0]]]]), Generator(0)).tolist()
    [[[[3.0, 2.0, 1.0]]]]

    Source: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep Convolutional Neural Networks"
    (2012), section 4.1.
    """

    def __init__(self, p: float = 0.5, horizontal: bool = True):
        self.horizontal = yes_or_no("horizontal", horizontal)
        super().__init__(p)

    def _draw(self, n, generator):
        axis = 1 if self.horizontal else 0
        matrices = _identities(n)
        matrices[:, axis, axis] = -1
        return matrices


class Elastic(_Warp):
    r"""Elastic distortion: each image is deformed by a smooth random displacement field.

    .. math:: (y', x') = (y, x) + \alpha\, G_\sigma * (u, v), \qquad u, v \sim U(-1, 1) \text{ at each pixel}

    where G is a Gaussian of deviation σ. A pixel is moved by about 0.16 α/σ in each direction (one standard deviation).

    Shapes: (n, c, h, w) -> (n, c, h, w), float32 and float64 unchanged.

    Arguments: ``alpha``, the strength, in pixels; ``sigma``, how smooth the field is, in pixels; ``p``, the probability
    that an image is distorted at all. For digits of 28×28 the paper has α = 34 and σ = 4.

    Errors: `UserError` for arguments out of range, and for inputs that are no images.

    >>> image = numpy.zeros((1, 1, 28, 28), "float32")
    >>> image[..., 14, :] = 1
    >>> bool(Elastic(34, 4)(image, Generator(0))[..., 14, :].min() < 1)  # the line is distorted
    True

    Source: P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis" (2003).
    """

    def __init__(self, alpha: float, sigma: float, p: float = 1.0):
        self.alpha, self.sigma = number("alpha", alpha, at_least=0), number("sigma", sigma)
        if self.sigma <= 0:
            raise UserError(f"sigma is a number of pixels above 0, not {sigma!r}")
        super().__init__(p)

    def matrices(self, n, generator):
        return _identities(n)

    def field(self, shape, generator):
        n, h, w = shape
        strength = (self.alpha * self._chosen(n, generator)).astype("float32")
        noise = generator.uniform((n, 2, h, w), -1, 1)
        # Smoothing along an axis is a product with a small matrix, and that is faster than a filter.
        return strength[:, None, None, None] * (self._smoothing(h) @ noise @ self._smoothing(w))

    def _smoothing(self, size: int) -> numpy.ndarray:
        """The weights of all pixels of a line in each of its smoothed pixels; there is nothing beyond the line."""
        weight = lambda distance: numpy.exp(-0.5 * (distance / self.sigma) ** 2)
        reach = numpy.arange(-numpy.ceil(4 * self.sigma), numpy.ceil(4 * self.sigma) + 1)
        places = numpy.arange(size)
        return (weight(places[:, None] - places) / weight(reach).sum()).astype("float32")


class Noise(_Augmentation):
    r"""Add noise to every pixel.

    .. math:: x \leftarrow x + \varepsilon, \qquad \varepsilon \sim N(0, \mathrm{std}^2)

    Shapes: (n, c, h, w) -> (n, c, h, w), float32 and float64 unchanged.

    Arguments: ``std``, the noise's standard deviation, in the inputs' unit; ``p``, the probability that an image is
    made noisy at all. Nothing is clipped.

    Errors: `UserError` for arguments out of range, and for inputs that are no images.

    >>> round(float(Noise(0.1)(numpy.zeros((8, 1, 28, 28), "float32"), Generator(0)).std()), 2)
    0.1

    Source: C. Bishop, "Training with Noise is Equivalent to Tikhonov Regularization" (1995).
    """

    def __init__(self, std: float, p: float = 1.0):
        self.std = number("std", std, at_least=0)
        super().__init__(p)

    def paint(self, images: numpy.ndarray, generator: Generator, background: float) -> numpy.ndarray:
        std = (self.std * self._chosen(len(images), generator)).astype(images.dtype)
        return images + std[:, None, None, None] * generator.normal(images.shape, dtype=images.dtype.name)


class CutOut(_Augmentation):
    """Cover a random square of each image with background; the square may reach beyond the edge.

    Shapes: (n, c, h, w) -> (n, c, h, w), float32 and float64 unchanged.

    Arguments: ``size``, the square's side in pixels; ``p``, the probability that an image gets one.

    Errors: `UserError` for arguments out of range, and for inputs that are no images.

    >>> float(CutOut(1)(numpy.ones((1, 1, 2, 2)), Generator(0)).sum())
    3.0

    Source: T. DeVries, G. Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout" (2017).
    """

    def __init__(self, size: int, p: float = 1.0):
        self.size = whole_number("size", size, at_least=1)
        super().__init__(p)

    def paint(self, images: numpy.ndarray, generator: Generator, background: float) -> numpy.ndarray:
        n, _, h, w = images.shape
        covered = self._covered(h, n, generator)[:, :, None] & self._covered(w, n, generator)[:, None, :]  # (n, h, w)
        covered &= self._chosen(n, generator)[:, None, None]
        return numpy.where(covered[:, None], images.dtype.type(background), images)

    def _covered(self, length: int, n: int, generator: Generator) -> numpy.ndarray:
        first = generator.integers(length, (n, 1)) - self.size // 2
        places = numpy.arange(length)
        return (first <= places) & (places < first + self.size)


class Compose:
    """Several augmentations, one after the other; successive ones that move pixels share one interpolation.

    Shapes: (n, c, h, w) -> (n, c, h, w), or with ``shape`` any (n, \\*) of as many numbers; float32 and float64
    unchanged, whole numbers become float32. Between four pixels the value is interpolated (bilinear).

    Arguments: ``transforms``, of this module, or functions of images and a `Generator`; ``shape``, (h, w) or (c, h, w),
    of images that come as flat rows; ``background``, what is outside of an image, and in a cut-out: 0 unless the inputs
    were scaled so that an empty pixel is another number.

    Errors: `UserError` for what is no augmentation, and for inputs that are no images or of another size.

    >>> augment = Compose([Rotate(15), Shift(2), Scale(0.9, 1.1), Noise(0.05)], shape=(28, 28))
    >>> augment(numpy.zeros((128, 784), "float32"), Generator(0)).shape
    (128, 784)

    Source: bilinear interpolation as in R. Gonzalez, R. Woods, "Digital Image Processing" (2018), section 2.4.
    """

    def __init__(
        self,
        transforms: Sequence[Callable[[numpy.ndarray, Generator], numpy.ndarray]],
        shape: tuple[int, ...] | None = None,
        background: float = 0.0,
    ):
        wrong = [each for each in transforms if not callable(each) or isinstance(each, type)]
        if wrong:
            raise UserError(f"Compose takes augmentations such as Rotate(15), not {wrong[0]!r}")
        self.transforms = list(transforms)
        self.shape = None if shape is None else tuple(whole_number("shape", side, at_least=1) for side in shape)
        if self.shape is not None and len(self.shape) not in (2, 3):
            raise UserError(f"shape is that of one image, (h, w) or (c, h, w), not {shape}")
        self.background = number("background", background)

    def __call__(self, inputs: numpy.ndarray, generator: Generator) -> numpy.ndarray:
        images = self._images(numpy.asarray(inputs))
        for moving, group in groupby(self.transforms, lambda each: isinstance(each, _Warp)):
            if moving:
                images = _warp(images, [each for each in group if isinstance(each, _Warp)], generator, self.background)
                continue
            for each in group:
                paint = getattr(each, "paint", None)
                images = each(images, generator) if paint is None else paint(images, generator, self.background)
        return images.reshape(numpy.shape(inputs))

    def __repr__(self):
        return f"Compose({self.transforms}, shape={self.shape}, background={self.background:g})"

    def _images(self, inputs: numpy.ndarray) -> numpy.ndarray:
        """The inputs as (n, c, h, w), floating."""
        if inputs.dtype.kind not in "biuf":
            raise UserError(f"images are real numbers, not {inputs.dtype}")
        floats = inputs.astype(numpy.result_type(inputs.dtype, "float32") if inputs.dtype.kind == "f" else "float32")
        if self.shape is None:
            if inputs.ndim != 4:
                raise UserError(
                    f"an augmentation takes images (n, c, h, w), and was given {inputs.shape}; for flat images give "
                    f"their shape: Compose([...], shape=(28, 28))"
                )
            return floats
        shape = self.shape if len(self.shape) == 3 else (1, *self.shape)
        if not inputs.ndim or inputs[:1].size != min(len(inputs), 1) * numpy.prod(shape):
            raise UserError(f"inputs {inputs.shape} are no images of shape {self.shape}")
        return floats.reshape(len(inputs), *shape)


def _identities(n: int) -> numpy.ndarray:
    return numpy.tile(numpy.eye(3), (n, 1, 1))


def _warp(images: numpy.ndarray, warps: list[_Warp], generator: Generator, background: float) -> numpy.ndarray:
    """The images, all warps done in one interpolation."""
    n, _, h, w = images.shape
    matrix, field = _identities(n), numpy.zeros((n, 2, 1), images.dtype)
    for each in warps:
        drawn = each.field((n, h, w), generator)
        if drawn is not None:  # a field belongs to the result, and is transformed by the warps before it
            field = field + matrix[:, :2, :2].astype(images.dtype) @ drawn.reshape(n, 2, h * w)
        matrix = matrix @ each.matrices(n, generator)
    return interpolate(images, matrix[:, :2].astype(images.dtype), field, background)
