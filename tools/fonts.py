"""Makes the fonts of the course and of charts: subsets of free fonts, with the characters that our texts use.

    pip install fonttools brotli
    python -m tools.fonts          # downloads the fonts from the npm registry, and writes the subsets

The pages get WOFF2, and Matplotlib, which cannot read that, TTF.
"""

import hashlib
import io
import json
import re
import tarfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ichikara"
PAGES = SOURCE / "course" / "static" / "fonts"
FILES = SOURCE / "plot" / "fonts"
REGISTRY = "https://registry.npmjs.org"

PACKAGES = {
    "source-sans": "3.52.0",
    "source-serif": "4.5.1",
    "@ibm/plex-mono": "2.5.0",
    "@fontsource/zen-kaku-gothic-new": "5.3.0",
    "@fontsource/zen-old-mincho": "5.3.0",
}
FONTS = {
    "serif-400": ("source-serif", "TTF/SourceSerif4-Regular.ttf"),
    "serif-400i": ("source-serif", "TTF/SourceSerif4-It.ttf"),
    "serif-600": ("source-serif", "TTF/SourceSerif4-Semibold.ttf"),
    "sans-400": ("source-sans", "TTF/SourceSans3-Regular.ttf"),
    "sans-600": ("source-sans", "TTF/SourceSans3-Semibold.ttf"),
    "mono-400": ("@ibm/plex-mono", "fonts/complete/woff2/IBMPlexMono-Regular.woff2"),
    "mono-600": ("@ibm/plex-mono", "fonts/complete/woff2/IBMPlexMono-SemiBold.woff2"),
    "kaku-400": ("@fontsource/zen-kaku-gothic-new", "files/zen-kaku-gothic-new-japanese-400-normal.woff2"),
    "kaku-700": ("@fontsource/zen-kaku-gothic-new", "files/zen-kaku-gothic-new-japanese-700-normal.woff2"),
    "mincho-600": ("@fontsource/zen-old-mincho", "files/zen-old-mincho-japanese-600-normal.woff2"),
}
"""The fonts, the package of each, and its file there."""

LATIN = "".join(map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x100), *range(0x391, 0x3D7)]))
SIGNS = "–—‘’“”…′″⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼₙ←↑→↓↔⇒∂∇∈∏∑−∓√∞∫≈≠≤≥⋅·×÷±ℝηαβγσΣ✓"
KANA = "".join(
    map(chr, [*range(0x3000, 0x3040), *range(0x3041, 0x3097), *range(0x309D, 0x30A0), *range(0x30A0, 0x3100)])
)
FULL = "".join(map(chr, range(0xFF01, 0xFF5F)))


def texts() -> list[Path]:
    """The files whose words are shown."""
    lessons = SOURCE / "course" / "lessons"
    return [
        *sorted((SOURCE / "words").glob("*.toml")),
        *sorted(lessons.glob("*/*.md")),
        *sorted(lessons.glob("*/*.toml")),
        *sorted(lessons.glob("*/*.py")),
    ]


def characters() -> set[str]:
    """The characters of all texts that are shown."""
    return {character for path in texts() for character in path.read_text(encoding="utf-8") if character.isprintable()}


def headings() -> set[str]:
    """The characters of headings and titles."""
    found = set()
    for path in texts():
        text = path.read_text(encoding="utf-8")
        lines = re.findall(r"^(?:#+ |:title: )(.*)$", text, re.MULTILINE)
        if path.name in ("lessons.toml", "course.toml"):
            lines.append(text)
        found.update("".join(lines))
    return {character for character in found if character.isprintable()}


def wanted(name: str) -> set[str]:
    """The characters that a font should have."""
    if name.startswith("kaku"):
        return set(KANA + FULL) | {c for c in characters() if ord(c) > 0x2000}
    if name.startswith("mincho"):
        return set(KANA + FULL) | {c for c in headings() if ord(c) > 0x2000}
    return set(LATIN + SIGNS) | {c for c in characters() if ord(c) < 0x3000}


def package(name: str) -> tarfile.TarFile:
    """A package of the registry, opened."""
    version, short = PACKAGES[name], name.rpartition("/")[2]
    with urllib.request.urlopen(f"{REGISTRY}/{name}/-/{short}-{version}.tgz") as answer:
        return tarfile.open(fileobj=io.BytesIO(answer.read()))


def subset(data: bytes, characters: set[str], form: str) -> bytes:
    """A font with some of its characters, in a format: "woff2", or "" for TTF."""
    from fontTools import subset as tool
    from fontTools.ttLib import TTFont

    options = tool.Options(
        flavor=form or None, layout_features=["kern", "liga", "onum", "lnum", "tnum", "palt", "mark"]
    )
    options.name_IDs = [0, 1, 2, 4, 6, 13, 14]  # the licence stays in the file
    font = TTFont(io.BytesIO(data), recalcTimestamp=False)  # the same texts give the same bytes
    made = tool.Subsetter(options)
    made.populate(text="".join(characters))
    made.subset(font)
    font.flavor = form or None
    if not form:
        font["OS/2"].usWeightClass = 400  # Matplotlib is asked for a family, and never for a weight
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def main() -> None:
    """Write all fonts, and the list of the characters that each has."""
    from fontTools.ttLib import TTFont

    covers, opened, licences = {}, {name: package(name) for name in PACKAGES}, {}
    FILES.mkdir(exist_ok=True)
    for name, (source, path) in FONTS.items():
        member = opened[source].extractfile(f"package/{path}")
        assert member is not None
        data = member.read()
        made = subset(data, wanted(name), "woff2")
        (PAGES / f"{name}.woff2").write_bytes(made)
        if name in ("sans-400", "sans-600", "kaku-400"):
            (FILES / f"{name}.ttf").write_bytes(subset(data, wanted(name), ""))
        found = TTFont(io.BytesIO(made)).getBestCmap()
        covers[name] = "".join(chr(code) for code in sorted(found))
        print(
            f"{name:12} {len(found):5} characters {len(made):7} bytes  sha256 {hashlib.sha256(made).hexdigest()[:12]}"
        )
        licences[source] = source
    (PAGES / "characters.json").write_text(json.dumps(covers, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
