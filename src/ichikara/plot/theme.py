"""Colours, widths and fonts of charts: one table, which the pages of the course have too."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

__all__ = ["THEMES", "Theme", "families"]

PIXEL = 72 / 96  # points; a chart's lengths are those of a web page

FONTS = Path(__file__).parent / "fonts"
"""A folder of fonts (``.ttf``, ``.otf``) for letters that Matplotlib's own font lacks; those in it are used first."""

_CJK = ("Noto Sans CJK JP", "IPAexGothic", "IPAGothic", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic")


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
def _cjk() -> list[str]:
    from matplotlib.font_manager import FontProperties, fontManager

    ours = [path for path in sorted(FONTS.glob("*")) if path.suffix in (".ttf", ".otf")]
    for path in ours:
        fontManager.addfont(path)
    installed = {font.name for font in fontManager.ttflist}
    names = [FontProperties(fname=path).get_name() for path in ours]
    return list(dict.fromkeys([*names, *(name for name in _CJK if name in installed)]))


def families(text: str | Iterable[str]) -> list[str]:
    """The fonts for a user's text: Matplotlib's own, and for other scripts those of `FONTS` and those installed.

    >>> families("moons")
    ['DejaVu Sans']
    """
    return ["DejaVu Sans"] + ([] if "".join(text).isascii() else _cjk())
