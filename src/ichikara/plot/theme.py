"""Colours, widths and fonts of charts: one table, which the pages of the course have too."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["THEMES", "Theme", "families", "two_inks"]

PIXEL = 72 / 96  # points; a chart's lengths are those of a web page

FONTS = Path(__file__).parent / "fonts"
"""The fonts that ship, made by ``tools/fonts.py`` from the characters of our texts."""

STRONG = "Source Sans 3 Semibold"

_OTHER = (
    "Zen Kaku Gothic New",
    "Noto Sans CJK JP",
    "IPAexGothic",
    "IPAGothic",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
)


@dataclass(frozen=True)
class Theme:
    """Colours. Arguments: ``inks``, of marks; ``texts``, of words in the same ink, which need more contrast."""

    paper: str
    wash: str
    ink: str
    ink2: str
    axis: str
    rule: str
    inks: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


THEMES = {
    "light": Theme(
        paper="#fdfdfc",
        wash="#f4f5f4",
        ink="#1b1f24",
        ink2="#545b64",
        axis="#8b9299",
        rule="#d9dcdd",
        inks={"ink": "#1b1f24", "quiet": "#8b9299", "a": "#23458f", "b": "#c87800"},
        texts={"ink": "#1b1f24", "quiet": "#545b64", "a": "#23458f", "b": "#8a5200"},
    ),
    "dark": Theme(
        paper="#15181b",
        wash="#1d2125",
        ink="#e7e6e2",
        ink2="#aab0b6",
        axis="#757c84",
        rule="#343a40",
        inks={"ink": "#e7e6e2", "quiet": "#757c84", "a": "#5f8fe6", "b": "#f3bd5a"},
        texts={"ink": "#e7e6e2", "quiet": "#aab0b6", "a": "#94b6f6", "b": "#f3bd5a"},
    ),
}


@cache
def _fonts() -> tuple[list[str], list[str]]:
    """The fonts for words in Latin letters, and those for other scripts: ours, and then those that are installed."""
    from matplotlib import font_manager

    for path in sorted(FONTS.glob("*.ttf")):
        font_manager.fontManager.addfont(path)
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["Source Sans 3", "DejaVu Sans"], [name for name in _OTHER if name in installed]


def families(text: str | Iterable[str], strong: bool = False) -> list[str]:
    """The fonts for a text: those that ship, Matplotlib's own, and for other scripts those that are installed.

    Arguments: ``strong``, for a heading.

    >>> families("moons")
    ['Source Sans 3', 'DejaVu Sans']
    """
    latin, other = _fonts()
    latin = [STRONG, *latin] if strong else latin
    return latin if "".join(text).isascii() else [*latin[:-1], *other, latin[-1]]


@cache
def two_inks() -> Any:
    """A colour map from the first ink over white, for 0, to the second."""
    from matplotlib.colors import LinearSegmentedColormap

    light = THEMES["light"]
    return LinearSegmentedColormap.from_list("two inks", [light.inks["a"], "#ffffff", light.inks["b"]])
