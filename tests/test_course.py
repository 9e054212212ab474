"""What every lesson keeps: two texts of one shape, figures at all values, claims that hold, exercises that judge."""

import json
import math
import random
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from course_values import random_value, verdict
from fontTools.ttLib import TTFont

from ichikara.course.lesson import call
from ichikara.course.lessons import LESSONS, READY, lesson_of, picture_of, text_of
from ichikara.course.markdown import Directive
from ichikara.course.page import PIECES, live, plain
from ichikara.course.server.views import home, lesson_page
from ichikara.words import LANGUAGES, in_language, texts, texts_of

pytestmark = pytest.mark.filterwarnings("error")
PROMISES = Path(__file__).parent / "promises"
each = pytest.mark.parametrize("slug", READY)


@pytest.fixture(autouse=True)
def _english():
    with in_language("en"):
        yield


def directives(source):
    """All directives of a text, those inside others too."""
    for part in Directive("", "", {}, source).parts:
        if isinstance(part, Directive):
            yield part
            yield from directives(part.body)


def whole(slug, language):
    text = text_of(slug, language)
    return "\n".join([text.lede, *(f"{piece.heading}\n{piece.body}" for piece in text.pieces.values())])


# --- texts ------------------------------------------------------------------------------------------------------------


def test_the_catalogue_has_a_title_and_a_picture_for_every_lesson():
    for slug in LESSONS:
        assert set(texts("lessons")[f"{slug}.title"]) == set(LANGUAGES)
        assert picture_of(slug).startswith("<svg")


@each
def test_both_texts_have_one_shape(slug):
    shapes = []
    for language in LANGUAGES:
        text = text_of(slug, language)
        found = list(directives(whole(slug, language)))
        shapes.append([list(text.pieces)] + [(d.kind, d.argument if d.kind != "question" else "") for d in found])
        assert text.title == texts("lessons")[f"{slug}.title"][language]
        labels = [re.findall(r"^- ([\w.-]+): ", d.body, re.MULTILINE) for d in found]
        shapes[-1].append(labels)
    assert shapes[0] == shapes[1]
    assert shapes[0][0] == [name for name in PIECES if name != "recall"]


@each
def test_short_texts_have_every_language(slug):
    for name, found in texts_of(lesson_of(slug).folder / "words.toml").items():
        assert set(found) == set(LANGUAGES), name
        assert all(text.strip() for text in found.values()), name
        places = [set(re.findall(r"\{(\w+)", text)) for text in found.values()]
        assert places[0] == places[1], name


NOT_PROSE = re.compile(
    r"\$\$[^$]*\$\$|\$[^$]*\$|`[^`]*`|\{\{[^}]*\}\}|^:(controls|actions|formula|draw|wide|below):.*|^:{3,}\{(?!question).*"
    r"|^- [\w.-]+: |\bL[12]\b",
    re.MULTILINE,
)


@each
@pytest.mark.parametrize("language", LANGUAGES)
def test_numerals_of_the_prose_are_computed(slug, language):
    """In formulas and code a numeral defines; elsewhere it would be a claim that nobody computes."""
    text = text_of(slug, language)
    for name, piece in text.pieces.items():
        if name == "exercise":  # the data of an exercise are what they are
            continue
        for line in re.sub(r"^\d\. ", "", piece.body, flags=re.MULTILINE).splitlines():
            assert not re.search(r"[0-9０-９]", NOT_PROSE.sub("", line)), line


AVOID = re.compile(r"\b(obviously|simply|just|clearly|trivial\w*|easy|easily)\b|!", re.IGNORECASE)


@each
def test_words_that_put_readers_off_do_not_occur(slug):
    assert not AVOID.search(re.sub(r"\$[^$]*\$|`[^`]*`|!=", "", whole(slug, "en")))
    assert "！" not in whole(slug, "ja")


@each
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_that_a_text_quotes_is_there(slug, language):
    lesson = lesson_of(slug)
    figures = {f"{name}.{key}" for name in lesson.figures for key in lesson.show(name, lesson.values({})).chart.numbers}
    own = set(lesson.claims) | set(lesson.experiments) | set(lesson.predictions) | {"answer"}
    for found in re.findall(r"\{\{\s*([\w.-]+)", whole(slug, language)):
        assert found in figures or found.split(".")[0] in own, found


@each
@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_made(slug, language):
    page = lesson_page(slug, language)
    assert " style=" not in page
    assert " onclick=" not in page
    assert f'lang="{language}"' in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert slug in home(language)


def test_promises_are_kept():
    for slug in READY:
        lesson = lesson_of(slug)
        kinds = {
            "predict": lesson.predictions,
            "move": {**lesson.controls, **lesson.handles, **lesson.actions},
            "picture": {**lesson.figures, **lesson.experiments},
            "claim": {**lesson.claims, **lesson.experiments, **lesson.figures},
            "exercise": lesson.exercises,
        }
        table = tomllib.loads((PROMISES / f"{slug}.toml").read_text(encoding="utf-8"))
        assert set(table) == set(kinds), slug
        for kind, promises in table.items():
            for promise, names in promises.items():
                for name in [names] if isinstance(names, str) else names:
                    assert name in kinds[kind], (slug, promise, name)


# --- figures ----------------------------------------------------------------------------------------------------------


@each
def test_figures_at_any_values(slug):
    lesson, draw = lesson_of(slug), random.Random(0)
    cases = [{}] + [{n: random_value(c, draw) for n, c in lesson.controls.items()} for _ in range(12)]
    for given in cases:
        values = lesson.values(json.loads(json.dumps(given)))
        state = live(lesson, values)
        json.dumps(state, default=plain, allow_nan=False)
        for name, figure in state["figures"].items():
            assert figure["chart"]["alt"], name
            for handle in figure["handles"]:
                assert handle["name"] in lesson.handles
                assert math.isfinite(handle["x"])
                assert math.isfinite(handle["y"])
                assert handle["label"], name


@each
def test_figures_are_pure(slug):
    lesson = lesson_of(slug)
    first, second = (live(lesson, lesson.values({})) for _ in range(2))
    assert json.dumps(first, default=plain) == json.dumps(second, default=plain)


@each
def test_handles_and_actions_give_values_that_controls_can_have(slug):
    lesson, draw = lesson_of(slug), random.Random(1)
    for function in lesson.actions:
        lesson.moved(function, lesson.values({}))
    for name in lesson.figures:
        for handle in lesson.show(name, lesson.values({})).handles:
            for _ in range(3):
                x, y = handle.x + draw.uniform(-9, 9), handle.y + draw.uniform(-9, 9)
                lesson.moved(handle.name, lesson.values({}), x=x, y=y, index=handle.index)


@each
def test_every_control_is_within_reach(slug):
    """A control is on the page, or a figure's handles or drawing change it."""
    lesson = lesson_of(slug)
    options = [d.options for d in directives(whole(slug, "en"))]
    shown = {name for o in options for key in ("controls", "draw") for name in o.get(key, "").split()}
    values = lesson.values({})
    for function in lesson.handles.values():
        shown |= set(call(function, values, x=0.0, y=0.0, index=0))
    assert set(lesson.controls) <= shown


# --- predictions, claims, experiments, results ------------------------------------------------------------------------


@each
def test_predictions(slug):
    lesson = lesson_of(slug)
    assert lesson.predictions
    for name, prediction in lesson.predictions.items():
        answer = prediction.answer()
        assert set(answer.right) <= set(prediction.options)
        assert answer.right
        if not prediction.several:
            assert len(answer.right) == 1
        found = next(d for d in directives(whole(slug, "en")) if (d.kind, d.argument) == ("prediction", name))
        replies = {d.argument for d in directives(found.body) if d.kind == "reply"}
        assert replies >= {"right"} | (set(prediction.options) - set([] if prediction.several else answer.right))


@each
def test_claims_hold(slug):
    lesson = lesson_of(slug)
    assert lesson.claims or lesson.experiments
    for name, claim in lesson.claims.items():
        outcome = claim()
        assert outcome.holds, (name, outcome.numbers)
        for language in LANGUAGES:
            quoted = re.findall(rf"\{{\{{\s*{name}\.(\w+)", whole(slug, language))
            assert set(quoted) <= set(outcome.numbers), name
        assert all(chart.alt for chart in outcome.charts), name


def run_experiment(slug, name, most=None):
    lesson = lesson_of(slug)
    last = None
    for count, progress in enumerate(call(lesson.experiments[name], lesson.values({})), 1):
        assert 0 < progress.done <= progress.total
        last = progress
        json.dumps([progress.numbers, progress.chart and progress.chart.to_dict()], default=plain, allow_nan=False)
        if count == most:
            break
    return last


EXPERIMENTS = [(slug, name) for slug in READY for name in lesson_of(slug).experiments]


@pytest.mark.parametrize(("slug", "name"), EXPERIMENTS)
def test_experiments_begin(slug, name):
    progress = run_experiment(slug, name, 2)
    assert progress.chart is None or progress.chart.alt
    for language in LANGUAGES:
        quoted = re.findall(rf"\{{\{{\s*{name}\.(\w+)", whole(slug, language))
        assert set(quoted) <= set(progress.numbers)


@pytest.mark.slow
@pytest.mark.parametrize(("slug", "name"), EXPERIMENTS)
def test_experiments_end(slug, name):
    progress = run_experiment(slug, name)
    assert progress.done == progress.total
    assert progress.numbers.get("holds", True)


RESULTS = [(slug, name) for slug in READY for name in lesson_of(slug).results]


@pytest.mark.parametrize(("slug", "name"), RESULTS)
def test_a_sample_of_kept_results_is_computed_again(slug, name):
    results = lesson_of(slug).results[name]
    assert list(results.kept) == [str(part) for part in results.parts]
    assert not results.differs(results.parts[0])


@pytest.mark.slow
@pytest.mark.parametrize(("slug", "name"), RESULTS)
def test_all_kept_results_are_computed_again(slug, name):
    results = lesson_of(slug).results[name]
    assert [differs for part in results.parts if (differs := results.differs(part))] == []


# --- exercises --------------------------------------------------------------------------------------------------------

EXERCISES = [(slug, name) for slug in READY for name in lesson_of(slug).exercises]


@each
def test_a_lesson_has_three_exercises(slug):
    assert len(lesson_of(slug).exercises) >= 3


@pytest.mark.parametrize(("slug", "name"), EXERCISES)
def test_exercises_tell_right_from_wrong(slug, name):
    exercise = lesson_of(slug).exercises[name]
    assert verdict(exercise, exercise.right) is None
    assert len(exercise.wrong) >= 2
    for misconception, answer in exercise.wrong.items():
        assert verdict(exercise, answer) == misconception
    nothing = {"code": exercise.stub, "numbers": dict.fromkeys(exercise.fields, ""), "choice": None}[exercise.kind]
    assert verdict(exercise, nothing) is not None
    if exercise.kind == "choice":
        assert set(exercise.wrong) | {exercise.right} == set(exercise.fields)


@pytest.mark.parametrize(("slug", "name"), EXERCISES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_exercises_have_words_for_each_answer(slug, name, language):
    exercise = lesson_of(slug).exercises[name]
    found = next(d for d in directives(whole(slug, language)) if (d.kind, d.argument) == ("exercise", name))
    replies = [d for d in directives(found.body) if d.kind == "reply"]
    assert {d.argument for d in replies} >= {"right", *exercise.wrong}
    assert len({d.body for d in replies}) == len(replies)
    assert sum(d.kind == "hint" for d in directives(found.body)) == 3
    assert found.options["title"]


@each
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lesson_leaves_three_questions(slug, language):
    assert sum(d.kind == "question" for d in directives(whole(slug, language))) >= 3


# --- fonts ------------------------------------------------------------------------------------------------------------


def test_the_fonts_have_every_character_of_the_texts():
    """Where this fails, `python -m tools.fonts` makes the fonts again."""
    fonts = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "fonts.py"))
    covers = json.loads((fonts["PAGES"] / "characters.json").read_text(encoding="utf-8"))
    text = set("".join(covers[name] for name in ("serif-400", "sans-400", "kaku-400")))
    assert fonts["characters"]() - text == set()
    assert fonts["headings"]() - set(covers["mincho-600"]) - set(covers["serif-600"]) == set()
    for name in ("sans-400", "sans-600", "kaku-400"):
        found = TTFont(fonts["FILES"] / f"{name}.ttf").getBestCmap()
        assert {ord(character) for character in covers[name]} == set(found)
