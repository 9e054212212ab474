"""Figures and images as parts of a web page. The page needs no other file, and sets the colours of figures."""

import base64
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import numpy

from .backend import LOCK
from .theme import THEMES

__all__ = ["inline_png", "inline_svg"]

# The colours of drawings are the page's to choose, so that they suit light and dark.
_LIGHT = THEMES["light"]
_VARIABLES = {
    "#000000": "currentColor",
    "#ffffff": "var(--page, #ffffff)",
    _LIGHT.ink: "currentColor",
    _LIGHT.paper: f"var(--page, {_LIGHT.paper})",
    _LIGHT.ink2: f"var(--quiet, {_LIGHT.ink2})",
    _LIGHT.axis: f"var(--axis, {_LIGHT.axis})",
    _LIGHT.rule: f"var(--rule, {_LIGHT.rule})",
    _LIGHT.inks["a"]: f"var(--blue, {_LIGHT.inks['a']})",
    _LIGHT.inks["b"]: f"var(--orange, {_LIGHT.inks['b']})",
    _LIGHT.texts["b"]: f"var(--orange-text, {_LIGHT.texts['b']})",
}
_TINTS = {_LIGHT.inks[ink]: THEMES["dark"].inks[ink] for ink in ("a", "b")} | {_LIGHT.ink: _LIGHT.inks["quiet"]}
"""Inks of tints, which are images and cannot have variables; and others for them that light and dark paper show."""


def inline_svg(figure: Any, name: str, alt: str) -> str:
    """A figure as the text of an ``<svg>`` element, with text as text, for the body of an HTML page.

    Arguments: ``figure``, of Matplotlib; ``name``, a word that no other figure of the page has; ``alt``, a description
    for screen readers.

    >>> from ichikara.charts import Axis, Chart
    >>> from ichikara.plot import draw
    >>> text = inline_svg(draw(Chart([], Axis(), Axis())), "empty", "a figure without lines")
    >>> text.startswith('<svg role="img" aria-label="a figure without lines"'), "http" in text
    (True, False)
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    settings = rc_context({"svg.fonttype": "none", "svg.hashsalt": name})
    with LOCK, settings, _tinted(figure), warnings.catch_warnings():
        # The browser draws the letters; Matplotlib only measures them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", lambda tag: _tag(tag[0], name), text)
    width = float(re.search(r'viewBox="\S+ \S+ (\S+)', text)[1])  # type: ignore[index]
    head = f'<svg role="img" aria-label="{escape(alt)}" style="max-width: {width * 96 / 72:.0f}px"'
    text = re.sub(r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', lambda found: f"{head} {found[1]}>", text)
    return re.sub(r"\n\s*", "\n", text).strip()


@contextmanager
def _tinted(figure: Any) -> Iterator[None]:
    """Give the tints of a figure, which are images with an opacity, inks for light and dark paper, for a while."""
    from matplotlib.colors import to_rgb
    from matplotlib.image import AxesImage

    before = [(image, image.get_array()) for image in figure.findobj(AxesImage)]
    try:
        for image, pixels in before:
            if pixels.ndim == 3 and pixels.shape[2] == 4:
                changed = numpy.array(pixels)
                for ink, other in _TINTS.items():
                    changed[(abs(pixels[..., :3] - to_rgb(ink)) < 1e-6).all(axis=-1), :3] = to_rgb(other)
                image.set_data(changed)
        yield
    finally:
        for image, pixels in before:
            image.set_data(pixels)


def _tag(tag: str, name: str) -> str:
    """A tag whose identifiers begin with the figure's name, and whose colours are the page's variables."""
    tag = tag.replace("xlink:href", "href")
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = re.sub(r'href="#', f'href="#{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-")
    return re.sub(r"(?<=: )#[0-9a-f]{6}\b", lambda colour: _VARIABLES.get(colour[0], colour[0]), tag)


def inline_png(image: numpy.ndarray, side: int = 96) -> str:
    """An image as the address of an ``<img>`` that holds the image itself.

    Shapes: (height, width), (height, width, 3) or (height, width, 4), from 0 (black) to 1.

    Arguments: ``side``, how many pixels its shorter side should have at least: small images are enlarged by whole
    numbers, so that their pixels stay square and sharp.

    >>> inline_png(numpy.zeros((8, 8)))[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    times = max(1, -(-side // min(image.shape[:2])))
    pixels = (numpy.clip(image, 0, 1) * 255).round().astype("uint8").repeat(times, 0).repeat(times, 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
