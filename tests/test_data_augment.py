"""Augmentation: what each one does to pixels, that the seed alone decides, and that no image knows its neighbours."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from ichikara import nn, optim
from ichikara.arrays import Generator
from ichikara.data import (
    Compose,
    CutOut,
    DataLoader,
    Dataset,
    Elastic,
    Flip,
    MixUpLoader,
    Noise,
    Rotate,
    Scale,
    Shift,
    load_cubic,
    load_digits,
    load_moons,
    mix_up,
)
from ichikara.data.interpolation import interpolate
from ichikara.errors import UserError
from ichikara.train import Trainer

ALL = [
    Rotate(20),
    Shift(2),
    Shift(1.5, whole=False),
    Scale(0.7, 1.4),
    Flip(),
    Flip(horizontal=False),
    Elastic(20, 3),
    Noise(0.2),
    CutOut(4),
    Compose([Rotate(20), Noise(0.1), Shift(2), Elastic(20, 3), CutOut(3)]),
]
each = pytest.mark.parametrize("augment", ALL, ids=repr)
seeds = st.integers(0, 2**32)


def images(n=3, c=2, h=7, w=9, seed=0, dtype="float32"):
    return numpy.random.default_rng(seed).normal(size=(n, c, h, w)).astype(dtype)


shapes = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


def shifted(image, down, right):
    """`numpy.roll`, with zeros where it would wrap around."""
    result = numpy.roll(image, (down, right), (-2, -1))
    h, w = image.shape[-2:]
    result[..., : max(down, 0), :] = 0
    result[..., max(h + min(down, 0), 0) :, :] = 0
    result[..., : max(right, 0)] = 0
    result[..., max(w + min(right, 0), 0) :] = 0
    return result


# --- what all have in common ------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shape_and_type_are_kept_nothing_is_mutated_and_the_seed_decides(augment, dtype):
    x = images(dtype=dtype)
    before = x.copy()
    one, same, other = (augment(x, Generator(seed)) for seed in (3, 3, 4))
    numpy.testing.assert_array_equal(x, before)
    assert one.shape == x.shape
    assert one.dtype == x.dtype
    assert not numpy.shares_memory(one, x)
    numpy.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (one != x).any()


@each
@given(st.integers(0, 4), seeds)
@settings(max_examples=15)
def test_each_image_is_augmented_separately(augment, kept, seed):
    """What becomes of an image depends on its own pixels and its place in the batch, not on the other images."""
    x, y = images(5), images(5, seed=1)
    y[kept] = x[kept]
    numpy.testing.assert_array_equal(augment(x, Generator(seed))[kept], augment(y, Generator(seed))[kept])


@each
def test_images_of_a_batch_are_augmented_differently(augment):
    x = numpy.repeat(images(1), 64, axis=0)
    assert len(numpy.unique(augment(x, Generator(0)).reshape(64, -1), axis=0)) >= 2


@pytest.mark.parametrize(
    "make",
    [
        lambda p: Rotate((5, 20), p),
        lambda p: Shift(2.5, False, p),
        lambda p: Scale(1.2, 1.5, p),
        lambda p: Elastic(30, 3, p),
        lambda p: Noise(0.5, p),
        lambda p: CutOut(5, p),
        Flip,
    ],
)
def test_an_image_is_changed_with_the_given_probability(make):
    x = images(400, 1, 5, 5) + 10
    changed = lambda p: (make(p)(x, Generator(1)) != x).any(axis=(1, 2, 3))
    assert not changed(0.0).any()
    assert changed(1.0).all()
    assert 0.2 < changed(0.3).mean() < 0.4


@each
def test_a_batch_of_none_stays_none(augment):
    assert augment(images(0), Generator(0)).shape == (0, 2, 7, 9)


@given(shapes, seeds)
def test_nothing_to_do_is_the_identity(shape, seed):
    x = images(*shape)
    still = [Rotate(0), Shift(0), Shift(0, whole=False), Scale(1, 1), Flip(0), Elastic(0, 2), Noise(0)]
    for augment in (*still, Compose(still), Compose([])):
        numpy.testing.assert_array_equal(augment(x, Generator(seed)), x)


# --- moving pixels ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 3), st.integers(1, 9), st.integers(-3, 3), seeds)
def test_quarter_turns_are_numpys(c, side, quarters, seed):
    x = images(4, c, side, side)
    turned = Rotate((90 * quarters, 90 * quarters))(x, Generator(seed))
    numpy.testing.assert_allclose(turned, numpy.rot90(x, quarters, (2, 3)), atol=1e-5)


@given(st.floats(0, 90), seeds)
@settings(max_examples=30)
def test_a_turn_by_any_angle_is_scipys(angle, seed):
    x = images(2, 1, 8, 8, dtype="float64")
    turned = Rotate((angle, angle))(x, Generator(seed))
    expected = ndimage.rotate(x, angle, axes=(3, 2), reshape=False, order=1, mode="grid-constant")
    numpy.testing.assert_allclose(turned, expected, atol=1e-9)


@given(shapes, st.integers(-10, 10), st.integers(-10, 10))
def test_a_shift_by_whole_pixels_rolls_without_coming_round(shape, down, right):
    x = images(*shape)
    matrix = numpy.tile(numpy.array([[1, 0, -down], [0, 1, -right]], "float32"), (len(x), 1, 1))
    moved = interpolate(x, matrix, numpy.zeros((len(x), 2, 1), "float32"))
    numpy.testing.assert_array_equal(moved, shifted(x, down, right))


def test_shifts_are_by_whole_pixels_all_of_them_and_none_further():
    x = images(1, 1, 4, 5, dtype="float64")
    possible = {shifted(x, down, right).tobytes(): (down, right) for down in range(-4, 5) for right in range(-4, 5)}
    moved = Shift(1)(numpy.repeat(x, 300, axis=0), Generator(0)) + 0.0  # no −0
    found = {possible[image[None].tobytes()] for image in moved}
    assert found == {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}


@given(seeds)
@settings(max_examples=30)
def test_a_shift_by_parts_of_a_pixel_moves_the_centre_of_mass(seed):
    x = numpy.zeros((50, 1, 15, 15))
    x[:, :, 7, 7] = 1
    moved = Shift(2.5, whole=False)(x, Generator(seed))
    numpy.testing.assert_allclose(moved.sum((1, 2, 3)), 1)
    centres = numpy.einsum("nchw,ahw->na", moved, numpy.indices((15, 15))) - 7
    assert (abs(centres) <= 2.5).all()
    assert (abs(centres - centres.round()) > 0.01).any()


def test_scaling_by_two_doubles_and_by_a_half_halves():
    x = numpy.zeros((1, 1, 8, 8))
    x[..., 2:6, 2:6] = 1
    # A pixel of the double lies a quarter from that which it copies; inside of the square all are one.
    large = Scale(2, 2)(x, Generator(0))
    assert (large[..., 1:7, 1:7] == 1).all()
    assert Scale(0.5, 0.5)(numpy.ones((1, 1, 8, 8)), Generator(0)).sum() == 16
    areas = Scale(0.5, 1)(numpy.repeat(x, 400, 0), Generator(0)).sum((1, 2, 3)) / 16
    assert 0.2 < areas.min() < 0.35 < 0.9 < areas.max() <= 1.05


@given(shapes, seeds)
def test_flips_are_numpys(shape, seed):
    x = images(*shape)
    numpy.testing.assert_array_equal(Flip(1)(x, Generator(seed)), x[..., ::-1])
    numpy.testing.assert_array_equal(Flip(1, horizontal=False)(x, Generator(seed)), x[..., ::-1, :])
    both = Compose([Flip(1), Flip(1, horizontal=False)])
    numpy.testing.assert_array_equal(both(x, Generator(seed)), x[..., ::-1, ::-1])


def test_neighbours_are_joined_in_their_order():
    """Turn, then move, is not move, then turn."""
    x = images(1, 1, 6, 6)
    down = Shift(0)
    down._draw = lambda n, generator: numpy.tile([[1.0, 0, -1], [0, 1, 0], [0, 0, 1]], (n, 1, 1))
    quarter = Rotate((90, 90))
    g = Generator(0)
    numpy.testing.assert_allclose(Compose([quarter, down])(x, g), shifted(numpy.rot90(x, 1, (2, 3)), 1, 0), atol=1e-5)
    numpy.testing.assert_allclose(Compose([down, quarter])(x, g), numpy.rot90(shifted(x, 1, 0), 1, (2, 3)), atol=1e-5)


def test_one_interpolation_blurs_less_than_two():
    x = images(1, 1, 21, 21)
    there, back = Rotate((30, 30)), Rotate((-30, -30))
    inside = (..., slice(6, -6), slice(6, -6))
    joined = Compose([there, back])(x, Generator(0))
    numpy.testing.assert_allclose(joined[inside], x[inside], atol=1e-4)
    twice = back(there(x, Generator(0)), Generator(0))
    assert abs(twice - x)[inside].mean() > 0.1


@given(st.floats(0.5, 5), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=30)
def test_the_elastic_field_is_uniform_noise_smoothed_by_a_gaussian(sigma, h, w):
    elastic = Elastic(alpha=10, sigma=sigma)
    field = elastic.field((3, h, w), Generator(5))
    noise = Generator(5).uniform((3, 2, h, w), -1, 1)
    expected = 10 * ndimage.gaussian_filter(noise, (0, 0, sigma, sigma), mode="constant", truncate=4)
    numpy.testing.assert_allclose(field, expected, atol=2e-3)


def test_an_elastic_distortion_reads_each_pixel_where_the_field_says():
    x = images(2, 3, 12, 10, dtype="float64")
    field = Elastic(30, 3).field((2, 12, 10), Generator(5))
    distorted = Elastic(30, 3)(x, Generator(5))
    for image, moved, there in zip(x, distorted, numpy.indices((12, 10)) + field, strict=True):
        for channel, got in zip(image, moved, strict=True):
            expected = ndimage.map_coordinates(channel, there, order=1, mode="grid-constant")
            numpy.testing.assert_allclose(got, expected, atol=1e-9)
    assert field.std() == pytest.approx(0.163 * 30 / 3, rel=0.3)  # as the docstring says


def test_what_came_before_a_distortion_is_distorted():
    """Turned and then distorted, in one interpolation, is the turned image distorted."""
    x = images(3, 1, 9, 9, dtype="float64")
    stream = Generator(5)
    stream.uniform((3,), dtype="float64")  # what the turn draws
    expected = Elastic(30, 3)(numpy.rot90(x, 1, (2, 3)), stream)
    result = Compose([Rotate((90, 90)), Elastic(30, 3)])(x, Generator(5))
    numpy.testing.assert_allclose(result, expected, atol=1e-6)


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_any_warp_is_scipys_interpolation_also_in_pieces(seed):
    """Large batches are worked through in pieces; the seams must not show."""
    rng = numpy.random.default_rng(seed)
    x = rng.normal(size=(40, 2, 14, 11))
    matrices = rng.normal(size=(40, 2, 3)) * [[[1, 1, 5]]]
    result = interpolate(x, matrices, rng.normal(size=(40, 2, 1)) * 0 + 0.25, background=-1.5)
    grid = numpy.indices((14, 11)).reshape(2, -1) - numpy.array([[6.5], [5.0]])
    for i in (0, 13, 39):
        places = matrices[i, :, :2] @ grid + matrices[i, :, 2:] + [[6.5], [5.0]] + 0.25
        for c in (0, 1):
            expected = ndimage.map_coordinates(x[i, c], places, order=1, mode="grid-constant", cval=-1.5)
            numpy.testing.assert_allclose(result[i, c].ravel(), expected, atol=1e-9)


@pytest.mark.parametrize("augment", [Rotate((45, 45)), Shift(3), Scale(0.5, 0.5), Elastic(60, 3), CutOut(4)], ids=repr)
def test_outside_is_the_background(augment):
    x = numpy.full((5, 1, 8, 8), 2.5, "float32")
    numpy.testing.assert_allclose(Compose([augment], background=2.5)(x, Generator(0)), x, rtol=1e-6)
    assert (augment(x, Generator(0)) == 0).any()


# --- painting over pixels ---------------------------------------------------------------------------------------------


def test_noise_is_normal_with_the_given_deviation():
    x = images(16, 1, 28, 28)
    noise = (Noise(0.3)(x, Generator(0)) - x).ravel() / 0.3
    assert stats.kstest(noise, "norm").pvalue > 0.01


@given(st.integers(1, 12), st.integers(1, 8), st.integers(1, 8), seeds)
def test_a_cut_out_is_one_rectangle_at_most_as_large_as_asked(size, h, w, seed):
    x = images(6, 2, h, w) + 100
    for before, after in zip(x, CutOut(size)(x, Generator(seed)), strict=True):
        gone = after == 0
        assert gone.any()
        numpy.testing.assert_array_equal(after[~gone], before[~gone])
        numpy.testing.assert_array_equal(gone[0], gone[1])  # the same in each channel
        rows, columns = gone[0].any(1), gone[0].any(0)
        numpy.testing.assert_array_equal(gone[0], rows[:, None] & columns)
        for line in (rows, columns):
            assert 1 <= line.sum() <= size
            assert numpy.diff(numpy.flatnonzero(line)).max(initial=1) == 1


def test_cut_outs_are_whole_in_the_middle_and_reach_every_pixel():
    gone = CutOut(3)(numpy.ones((2000, 1, 6, 6)), Generator(0))[:, 0] == 0
    assert gone.sum((1, 2)).max() == 9
    assert gone.any(0).all()


# --- composing, flat images, loaders ----------------------------------------------------------------------------------


def test_flat_images_are_augmented_as_images():
    x = images(4, 1, 8, 8)
    transforms = [Rotate(20), Noise(0.1), CutOut(2)]
    expected = Compose(transforms)(x, Generator(0))
    for shape in ((8, 8), (1, 8, 8)):
        for given_ in (x.reshape(4, 64), x.reshape(4, 8, 8), x):
            result = Compose(transforms, shape=shape)(given_, Generator(0))
            assert result.shape == given_.shape
            numpy.testing.assert_array_equal(result.ravel(), expected.ravel())


def test_whole_numbers_become_float32():
    assert Shift(1)(numpy.ones((2, 1, 3, 3), "uint8"), Generator(0)).dtype == "float32"


def test_a_function_of_ones_own_and_a_composition_can_be_composed():
    x = images()
    double = lambda images, generator: 2 * images
    result = Compose([Compose([Flip(1)]), double])(x, Generator(0))
    numpy.testing.assert_array_equal(result, 2 * x[..., ::-1])


def test_a_loader_augments_each_epoch_differently_and_repeats_from_its_state():
    data = load_digits(as_images=True)[:100]
    make = lambda: DataLoader(data, 32, shuffle=True, generator=Generator(7), transform=Compose([Rotate(10), Noise(1)]))
    loader, same = make(), make()
    epoch = lambda loader: numpy.concatenate([inputs for inputs, _ in loader])
    first = epoch(loader)
    assert first.dtype == "float32"
    numpy.testing.assert_array_equal(first, epoch(same))
    state = loader.state
    second = epoch(loader)
    assert (numpy.sort(first.ravel()) != numpy.sort(second.ravel())).any()
    same.state = state
    numpy.testing.assert_array_equal(second, epoch(same))
    numpy.testing.assert_array_equal(data.inputs, load_digits(as_images=True).inputs[:100])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Rotate(-5), "degrees is a number of at least 0"),
        (lambda: Rotate("much"), "degrees is a number"),
        (lambda: Rotate((5, -5)), "the least angle and the largest"),
        (lambda: Rotate((1, 2, 3)), "a pair of the least"),
        (lambda: Shift(1.5), "pixels is a whole number"),
        (lambda: Shift(-1), "pixels is a whole number of at least 0"),
        (lambda: Scale(0, 1), "above 0"),
        (lambda: Scale(1.2, 1.1), "the least factor and the largest"),
        (lambda: Elastic(1, 0), "sigma is a number of pixels above 0"),
        (lambda: Noise(-1), "std is a number of at least 0"),
        (lambda: CutOut(0), "size is a whole number of at least 1"),
        (lambda: Flip(1.5), "p is the probability"),
        (lambda: Flip(horizontal="no"), "true or false"),
        (lambda: Compose([Rotate]), "takes augmentations such as"),
        (lambda: Compose([], shape=(2,)), r"\(h, w\) or \(c, h, w\)"),
        (lambda: Rotate(5)(numpy.ones((3, 64)), Generator(0)), r"was given \(3, 64\); for flat images.*shape="),
        (lambda: Compose([], shape=(5, 5))(numpy.ones((3, 64)), Generator(0)), r"\(3, 64\) are no images of shape"),
        (lambda: Rotate(5)(numpy.array("a"), Generator(0)), "images are real numbers"),
    ],
)  # fmt: skip
def test_each_misuse_is_answered(call, words):
    with pytest.raises(UserError, match=words):
        call()


# --- mix-up -----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 20), st.integers(2, 5), st.floats(0.05, 5), seeds)
def test_mixtures_lie_between_two_examples_of_the_batch(n, classes, alpha, seed):
    labels = numpy.random.default_rng(seed).integers(classes, size=n)
    # An input has a one at its row, so that a mixture says itself what it is made of.
    parts, targets = mix_up(numpy.eye(n), labels, classes, alpha, Generator(seed))
    assert (parts >= 0).all()
    assert ((parts > 0).sum(1) <= 2).all()
    numpy.testing.assert_allclose(parts.sum(1), 1)
    numpy.testing.assert_allclose(targets, parts @ numpy.eye(classes)[labels], atol=1e-12)
    mates = (parts > 0) & ~numpy.eye(n, dtype=bool)
    assert (mates.sum(0) <= 1).all()  # each is the mate of one other at most


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_the_shares_are_beta_distributed(alpha):
    n = 4000
    x = numpy.arange(n)[:, None].astype("float64")
    mixed, targets = mix_up(x, numpy.arange(n) % 2, 2, alpha, Generator(1))
    mates = Generator(1)
    mates.uniform((n,), dtype="float64")
    mates = mates.permutation(n)
    differ = mates != numpy.arange(n)
    share = ((mixed[:, 0] - mates) / (numpy.arange(n) - mates + ~differ))[differ]
    assert stats.kstest(share.clip(0, 1), "beta", (alpha, alpha)).pvalue > 0.001
    assert targets.dtype == "float64"


def test_mix_up_takes_probabilities_and_leaves_the_batch_alone():
    x, y = numpy.eye(3, dtype="float32"), numpy.array([0, 1, 2])
    soft = numpy.eye(3, dtype="float32")
    a, b = mix_up(x, y, 3, 1.0, Generator(0)), mix_up(x, soft, 3, 1.0, Generator(0))
    for one, other in zip(a, b, strict=True):
        assert one.dtype == "float32"
        numpy.testing.assert_array_equal(one, other)
    numpy.testing.assert_array_equal(x, numpy.eye(3))
    numpy.testing.assert_array_equal(soft, numpy.eye(3))


def test_a_network_learns_from_mixtures():
    data = load_moons(200, noise=0.1)
    loader = MixUpLoader(DataLoader(data, 50, shuffle=True, generator=Generator(0)), alpha=0.4)
    assert len(loader) == 4
    state = loader.state
    first = [inputs for inputs, _ in loader]
    loader.state = state
    for one, again in zip(first, loader, strict=True):
        numpy.testing.assert_array_equal(one, again[0])
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05))
    history = trainer.fit(loader, 30)
    assert history["train_loss"][-1] < 0.8 * history["train_loss"][0]
    assert (trainer.predict(data.inputs).argmax(1) == data.targets).mean() > 0.85


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mix_up(numpy.eye(2), [0, 1], 2, 0, Generator(0)), "alpha is a number above 0"),
        (lambda: mix_up(numpy.eye(2), [0, 2], 2, 1, Generator(0)), "from 0 to 1, not 2"),
        (lambda: mix_up(numpy.eye(2), [0, 1, 1], 2, 1, Generator(0)), "a label for each example"),
        (lambda: mix_up(numpy.eye(2, dtype=int), [0, 1], 2, 1, Generator(0)), "only floating-point inputs"),
        (lambda: MixUpLoader(DataLoader(load_cubic())), "cubic is a regression set"),
    ],
)
def test_what_cannot_be_mixed_is_refused(call, words):
    with pytest.raises(UserError, match=words):
        call()


def test_scalers_mark_what_they_scaled():
    from ichikara.data import StandardScaler

    data = Dataset([[1.0], [3.0]], [0.0, 1.0])
    scaler = StandardScaler()
    assert not scaler.fitted
    scaled = scaler.fit(data).transform(data)
    assert scaler.fitted
    assert (data.scaled, scaled.scaled, scaled[:1].scaled) == (False, True, True)
    assert not scaler.inverse_transform(scaled).scaled
    assert scaled.checksum != data.checksum
