"""The published faulty programs: their tables, and what a diagnosis of them is worth."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from ichikara.glass.rules.rule import RULES
from ichikara.recipes.clinic import FAULTS
from ichikara.recipes.clinic.examination import sick
from ichikara.recipes.clinic.healthy import healthy

sys.path.insert(0, str(Path(__file__).parent.parent))  # benchmarks are not part of the package

from benchmarks.markdown import replace_between, table
from benchmarks.published_faults import page
from benchmarks.published_faults.runs import MARKS, SOURCES, UNMAPPED, examine, mark
from benchmarks.torch_twins import Twin

PROGRAMS = [program for programs in SOURCES.values() for program in programs]


def test_each_program_is_there_once_and_its_right_answers_are_rules():
    numbers = [program.number for program in PROGRAMS]
    assert len(set(numbers)) == len(numbers)
    assert {name for program in PROGRAMS for name in (*program.causes, *program.also)} <= set(RULES)
    assert not {program.number for program in PROGRAMS} & {one for reasons in UNMAPPED.values() for one in reasons}


@pytest.mark.parametrize("number", ["50306988", "accelerate-2665"])
def test_the_repaired_program_is_better(number):
    (program,) = [program for program in PROGRAMS if program.number == number]
    faulty, repaired = examine(program, False, 0), examine(program, True, 0)
    assert faulty["score"] + 0.2 < repaired["score"] > 0.9


def test_a_mark_goes_by_the_first_finding():
    program = replace(PROGRAMS[0], causes=("unscaled",), also=("leaking",))
    found = {
        "unscaled leaking": "named",
        "leaking unscaled": "also",
        "unknown": "unknown",
        "zigzag": "wrong",
        "": "missed",
    }
    good, bad = {"findings": [], "score": 0.9}, {"findings": [], "score": 0.5}
    assert {names: mark(program, bad | {"findings": names.split()}, good) for names in found} == found
    assert mark(program, good, good) == "harmless"
    assert {*found.values(), "harmless"} == set(MARKS)


def test_the_page_shows_what_was_found(tmp_path):
    row = {"name": "a", "findings": ["unscaled", "zigzag"], "certain": ["unscaled"], "score": 0.25}
    sound = {"name": "b", "findings": [], "certain": [], "score": None}
    program = replace(PROGRAMS[0], causes=("unscaled",))
    text = page.text([("DeepFD", program, row, sound)])
    assert "| unscaled, zigzag? | named | 0.25 → – | nothing |" in text
    assert "| DeepFD | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 0 of 1 |" in text
    file = tmp_path / "page.md"
    file.write_text("before\n<a>\nold\n</a>\nafter\n")
    replace_between(file, "<a>", "</a>", table(["x"], [["1 | 2"]]))
    assert file.read_text() == "before\n<a>\n\n| x |\n| --- |\n| 1 &#124; 2 |\n\n</a>\nafter\n"


@pytest.mark.parametrize(
    "fault", [None, "no_zero_grad", "summed_loss", "layer_never_called", "detached_half", "mixed_units"]
)
def test_a_twin_in_pytorch_takes_the_same_steps(torch, fault):
    recipe = healthy("mlp", 0)
    recipe.training.epochs = 1
    ours, theirs = sick(FAULTS[fault] if fault else None, recipe.model_copy(deep=True)), Twin(recipe)
    if fault:
        FAULTS[fault].patch(theirs)
    ours.fit()
    theirs.ready().run()
    assert len(ours.losses) == len(theirs.losses) > 20
    numpy.testing.assert_allclose(theirs.losses[:5], ours.losses[:5], rtol=1e-4)
    assert theirs.history[0]["val_loss"] == pytest.approx(ours.history[0]["val_loss"], rel=0.05)
