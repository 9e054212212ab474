"""Pictures as inputs: whatever the file's colours, depth, transparency and orientation, its pixels as they are seen."""

import struct
import zlib

import numpy
import pytest
from PIL import Image

from ichikara.arrays import Generator
from ichikara.data import load_inputs
from ichikara.errors import UserError

GREY = numpy.array([[0, 32, 64, 96], [128, 160, 192, 255], [7, 1, 254, 100]], "uint8")  # h 3, w 4
COLOURS = Generator(0).integers(256, (3, 4, 3)).astype("uint8")
SHAPE, IN_COLOURS = (1, 3, 4), (3, 3, 4)


def luma(colours):
    """Shades of grey, as ITU-R 601 weighs the colours."""
    return colours @ numpy.array([0.299, 0.587, 0.114])


def palette(image, colours=256):
    return image.quantize(colours)


def with_alpha(grey, alpha):
    return Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))


ALPHA = numpy.array([[255, 0, 128, 64]] * 3, "uint8")
ON_WHITE = GREY * (ALPHA / 255) + 255 - ALPHA
PICTURES = {
    "grey": (Image.fromarray(GREY), GREY),
    "black and white": (Image.fromarray(GREY).convert("1", dither=Image.Dither.NONE), 255 * (GREY > 127)),
    "16 bits": (Image.fromarray(GREY.astype("uint16") * 257), GREY),
    "dark 16 bits": (Image.fromarray(GREY.astype("uint16")), GREY / 257),
    "grey with alpha": (with_alpha(GREY, ALPHA), ON_WHITE),
    "opaque alpha": (with_alpha(GREY, ALPHA * 0 + 255), GREY),
    "colours": (Image.fromarray(COLOURS), luma(COLOURS)),
    "colours with alpha": (with_alpha(GREY, ALPHA).convert("RGBA"), ON_WHITE),
    "palette": (palette(Image.fromarray(COLOURS)), luma(COLOURS)),
    "palette of greys": (Image.fromarray(GREY).convert("P"), GREY),
}


def read(image, path, shape=SHAPE, **options):
    lines = []
    image.save(path, **options)
    array = load_inputs(path, shape, tell=lines.append)
    assert array.shape == (1, *shape)
    return array[0], " ".join(lines)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_read_as_it_is_seen(tmp_path, name):
    image, seen = PICTURES[name]
    array, said = read(image, tmp_path / "a.png")
    numpy.testing.assert_allclose(array[0] * 255, seen, atol=1.01)
    assert ("transparent parts become white" in said) == (name in ("grey with alpha", "colours with alpha"))
    assert ("16 bits are scaled" in said) == ("16" in name)
    assert ("shades of grey" in said) == (name in ("colours", "palette"))


@pytest.mark.parametrize("name", PICTURES)
def test_a_network_of_colours_gets_three_channels(tmp_path, name):
    image, seen = PICTURES[name]
    array, _ = read(image, tmp_path / "a.png", IN_COLOURS)
    expected = COLOURS.transpose(2, 0, 1) if name in ("colours", "palette") else numpy.stack([seen] * 3)
    numpy.testing.assert_allclose(array * 255, expected, atol=1.01)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "I;16"])
def test_a_transparent_colour_becomes_white(tmp_path, mode):
    image = Image.fromarray(GREY.astype("uint16") if mode == "I;16" else GREY)
    image = image if mode == "I;16" else image.convert(mode)
    key = (32, 32, 32) if mode == "RGB" else 32
    array, said = read(image, tmp_path / "a.png", transparency=key)
    assert array[0, 0, 1] == 1
    assert array[0, 0, 0] == 0
    assert "transparent parts become white" in said


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["png", "jpg"])
def test_a_picture_is_turned_upright(tmp_path, orientation, form):
    large = numpy.kron(GREY, numpy.ones((8, 8), "uint8"))  # as a JPEG stores blocks of 8×8
    stored = {  # what a camera stores of what is seen, by the definition of the EXIF tag
        1: large,
        2: large[:, ::-1],
        3: large[::-1, ::-1],
        4: large[::-1],
        5: large.T,
        6: numpy.rot90(large),
        7: large[::-1, ::-1].T,
        8: numpy.rot90(large, -1),
    }[orientation]
    tags = Image.Exif()
    tags[0x0112] = orientation
    image = Image.fromarray(numpy.ascontiguousarray(stored))
    array, said = read(image, tmp_path / f"a.{form}", (1, *large.shape), exif=tags)
    numpy.testing.assert_allclose(array[0] * 255, large, atol=12)
    assert ("turned as its EXIF data say" in said) == (orientation > 1)


def test_the_colours_of_a_printer_and_the_first_frame(tmp_path):
    array, _ = read(Image.fromarray(COLOURS).convert("CMYK").resize((32, 24), 0), tmp_path / "a.jpg", (3, 24, 32))
    numpy.testing.assert_allclose(array.mean((1, 2)) * 255, COLOURS.mean((0, 1)), atol=15)
    frames = [Image.fromarray(GREY).convert("P"), Image.fromarray(255 - GREY).convert("P")]
    array, said = read(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    numpy.testing.assert_allclose(array[0] * 255, GREY, atol=1.01)
    assert "its first frame is taken" in said


def png(width, height):
    """A PNG that says it has this size, and holds nothing."""
    out = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b""))):
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out


@pytest.mark.parametrize("side", [28, 600, 12_000, 20_000, 2**31 - 1])
def test_a_size_is_refused_before_the_picture_is_decoded(tmp_path, side, monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was decoded"))
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side))
    with pytest.raises(UserError, match=r"pixels.* trained"):
        load_inputs(path, SHAPE)


def test_what_is_no_picture(tmp_path):
    path = tmp_path / "a.png"
    for content in (b"", b"hello", png(4, 3), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 3\n"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="as a picture"):
            load_inputs(path, SHAPE)
