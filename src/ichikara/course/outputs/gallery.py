"""All lessons as pages that need no server: they open from a folder, and ask for nothing outside it.

They are the server's own pages. Claims, predictions and experiments are computed when the pages are made; pictures
stand at the values of the start.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...words import LANGUAGES, in_language, language_of
from .. import computed
from ..lesson import Lesson
from ..lessons import READY, lesson_of
from ..server.views import home, lesson_page, recall_page, script_json

__all__ = ["bundled", "write_gallery"]

STATIC = Path(__file__).parents[1] / "static"

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; font-src 'self' file:; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_HEAD = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'


def write_gallery(folder: Path) -> Iterator[Path]:
    """Write the pages of all lessons, in all languages; yields each page that is written.

    Raises UserError for a folder that holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "static" / "lesson.js").exists():
        raise UserError(f"{folder} holds other files; the gallery needs a folder of its own")
    static = folder / "static"
    static.mkdir(parents=True, exist_ok=True)
    shutil.copytree(STATIC / "fonts", static / "fonts", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.json"))
    shutil.copy(STATIC / "style.css", static)
    for entry in ("home", "lesson", "recall"):
        (static / f"{entry}.js").write_text(bundled(entry), encoding="utf-8")
    first = language_of()
    refresh = f'<meta http-equiv="refresh" content="0;url={first}/index.html">'
    links = "".join(f'<p><a href="{code}/index.html" lang="{code}">{name}</a></p>' for code, name in LANGUAGES.items())
    head = f'<meta charset="utf-8">{_HEAD}{refresh}<title>ichikara</title>'
    yield _written(folder / "index.html", f'<!doctype html><html lang="{first}">{head}{links}</html>')
    for language in LANGUAGES:
        (folder / language).mkdir(exist_ok=True)
        yield _written(folder / language / "index.html", _still(home(language), {}))
        yield _written(folder / language / "recall.html", _still(recall_page(language), {}))
        for slug in READY:
            with in_language(language):
                kept = _kept(lesson_of(slug))
            yield _written(folder / language / f"{slug}.html", _still(lesson_page(slug, language), kept))


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _kept(lesson: Lesson) -> dict[str, Any]:
    """What a page asks the server for, by what it asks."""
    experiments: dict[str, Any] = {}
    for name in lesson.experiments:
        for step in computed.experiment(lesson, name, lesson.values({})):
            experiments[name] = step
    return {
        "predict": {name: computed.prediction(lesson, name) for name in lesson.predictions},
        "claim": {name: computed.claim(lesson, name) for name in lesson.claims},
        "experiment": experiments,
    }


def _still(page: str, kept: dict[str, Any]) -> str:
    """A page of the server for a folder: its links lead to files, and it holds what it would ask for."""
    page = re.sub(r'\b(href|src)="/([^"]*)"', lambda found: f'{found[1]}="{_relative(found[2])}"', page)
    page = page.replace('<script type="module" src', "<script src")
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{_HEAD}', 1)
    begin = '<script type="application/json" id="data">{'
    before, _, after = page.partition(begin)
    comma = "" if after.startswith("}") else ", "
    return f'{before}{begin}"kept": {script_json(kept)}{comma}{after}'


def _relative(path: str) -> str:
    """The file of an address of the server, from a page of the gallery on."""
    path, mark, place = path.partition("#")
    if path.startswith("static/"):
        return f"../{path}"
    return f"../{path + 'index' if path.endswith('/') else path}.html{mark}{place}"


_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:const|let|function|class) ([\w$]+)", re.MULTILINE)


def bundled(entry: str) -> str:
    """A page's script with all that it imports, as one script: browsers load no modules from a folder.

    >>> text = bundled("recall")
    >>> "import " in text, "export " in text, text.count("use strict")
    (False, False, 1)
    """
    done: list[str] = []
    return '"use strict";\n' + "".join(_modules(entry, done))


def _modules(name: str, done: list[str]) -> Iterator[str]:
    source = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    for _, other in _IMPORT.findall(source):
        if other not in done:
            yield from _modules(other, done)
    done.append(name)
    names = _EXPORT.findall(source)
    body = re.sub(r"^export ", "", _IMPORT.sub(_taken, source), flags=re.MULTILINE)
    yield f"const module_{name} = (() => {{\n{body}\nreturn {{{', '.join(names)}}};\n}})();\n"


def _taken(found: re.Match) -> str:
    return f"const {found[1].removeprefix('* as ')} = module_{found[2]};"
