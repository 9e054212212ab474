"""The catalogue: no text lacks a language, and what a text says of numbers it says in every language."""

import re
from pathlib import Path

import pytest

import ichikara.words
from ichikara.words import LANGUAGES, texts

SUBJECTS = sorted(path.stem for path in Path(ichikara.words.__file__).parent.glob("*.toml"))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_text_lacks_a_language(subject):
    for name, text in texts(subject).items():
        assert list(text) == list(LANGUAGES), name
        assert all(words.strip() for words in text.values()), name


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_language_has_the_same_places(subject):
    for name, text in texts(subject).items():
        places = [set(re.findall(r"\{(\w+)", words)) for words in text.values()]
        assert places[0] == places[1], name


def test_the_scripts_of_pages_ask_for_texts_that_there_are():
    known = {name.removeprefix("page.") for name in texts("course") if name.startswith("page.")}
    static = Path(ichikara.words.__file__).parents[1] / "course" / "static"
    asked = {
        name for path in static.glob("*.js") for name in re.findall(r"\bsay\(\"([\w.]+)\"", path.read_text("utf-8"))
    }
    assert asked
    assert asked <= known
