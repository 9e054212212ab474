"""The clinic: what is harm, how a diagnosis is marked, and some cells of the published matrix again."""

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ichikara.errors import UserError
from ichikara.glass.rules.rule import RULES
from ichikara.recipes import build, clinic
from ichikara.recipes.clinic import harm, matrix
from ichikara.recipes.clinic.fault import FAULTS
from ichikara.recipes.clinic.page import page, published
from ichikara.recipes.clinic.training import Result, Training

PAGE = Path(__file__).parent.parent / "docs" / "doctor.md"
BOUNDS = harm.bounds([Result(1.0, 1.1), Result(1.1, 1.2), Result(0.9, 1.0), Result(1.0, 1.1), Result(1.0, 1.1)])


def test_a_loss_that_is_no_number_is_harm():
    assert harm.harmed(Result(), BOUNDS)
    assert harm.harmed(Result(math.inf, 1.0), BOUNDS)


@given(st.floats(0, 10))
def test_harm_begins_three_deviations_above_the_healthy_mean(loss):
    assert harm.harmed(Result(loss, loss), BOUNDS) == (loss > BOUNDS.validation)
    assert BOUNDS.validation == pytest.approx(1 + 3 * math.sqrt(0.005))


def test_a_validation_loss_that_flatters_is_harm():
    healthy = harm.bounds([Result(1.0, 1.1), Result(1.1, 1.3), Result(0.9, 1.0), Result(1.0, 1.2), Result(1.0, 1.1)])
    assert not harm.harmed(Result(1.0, 1.2), healthy)
    assert harm.harmed(Result(0.1, 1.2), healthy)


@given(st.lists(st.sampled_from(["a", "b", "unknown"]), max_size=3))
def test_the_mark_goes_by_the_first_finding(findings):
    first = findings[0] if findings else None
    expected = {"a": "named", "b": "wrong", "unknown": "unknown", None: "missed"}[first]
    assert harm.mark(True, findings, ["a"]) == expected
    assert harm.mark(False, findings, ["a"]) == ("harmless" if first in ("a", None) else "alarm")


def test_every_fault_accepts_findings_that_the_doctor_has_and_says_what_it_is():
    for fault in FAULTS.values():
        assert set(fault.accepts) <= set(RULES), fault.name
        assert set(fault.subjects) <= set(clinic.SUBJECTS), fault.name
        assert fault.kind in ("training", "data", "code", "unseen", "unseen_second")
        assert fault.about.endswith(".")
        assert "\n" not in fault.about


def test_there_are_more_than_a_hundred_healthy_variants_all_different():
    recipes = [json.dumps(recipe, sort_keys=True) for recipe in clinic.VARIANTS.values()]
    assert len(set(recipes)) == len(recipes) > 100


def test_a_run_is_the_same_again_and_a_patch_stays_in_its_own_training():
    first, again = (clinic.run("stopped_early", "mlp", seed=1)[0] for _ in range(2))
    assert first.losses == again.losses
    assert Training(clinic.healthy("mlp")).recipe.training.epochs == clinic.SUBJECTS["mlp"]["training"]["epochs"]


def test_the_loop_written_by_hand_is_that_of_the_trainer():
    recipe = clinic.healthy("mlp")
    recipe.training.epochs, recipe.training.engine = 2, "eager"
    training = Training(recipe)
    training.fit()
    parts = build(recipe)
    history = parts.trainer.fit(parts.loader, 2, parts.validation)
    assert [row["val_loss"] for row in training.history] == pytest.approx(list(history["val_loss"]), rel=1e-6)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UserError, match="no_zero_grad"):
        clinic.run("no_zero_gradd", "mlp")
    with pytest.raises(UserError, match="resnet"):
        clinic.run("no_zero_grad", "resnets")


def test_a_training_that_takes_too_long_is_given_up():
    with pytest.raises(TimeoutError, match=r"0\.1 s"):
        Training(clinic.healthy("gpt"), seconds=0.1).fit()


def test_finished_cells_are_kept_until_their_code_changes(tmp_path):
    file, cell, done = tmp_path / "cells.jsonl", matrix.Cell("stopped_early", "mlp", 0), []
    rows = matrix.finish([cell], file, 1, done.append)
    assert matrix.finish([cell], file, 1, done.append) == rows == done
    file.write_text(file.read_text() + '\n{"fault": "stop')  # killed while it was written
    assert list(matrix.read(file).values()) == rows
    file.write_text(file.read_text().replace(rows[0]["digest"], "0" * 16))
    assert not matrix.read(file)


def test_the_page_says_what_was_computed_and_can_be_read_back():
    row = {"findings": [], "validation": 1.0, "test": 1.0}
    rows = {matrix.Cell("", "mlp", seed): {**row, "fault": "", "validation": 1 + seed / 10} for seed in range(5)}
    said = {0: ["forgotten_zero_grad"], 1: ["unknown"], 2: ["dead_relu"]}
    for seed, findings in said.items():
        name = "no_zero_grad"
        rows[matrix.Cell(name, "mlp", seed)] = {"fault": name, "findings": findings, "validation": 9.0, "test": 9.0}
    text = page(rows)
    marks, bounds = published(text)
    assert list(marks.values()) == ["named", "unknown", "wrong"]
    assert bounds["mlp"] == pytest.approx(matrix.bounds_of(rows)["mlp"], rel=1e-5)
    assert "| `no_zero_grad` | ●?✗ |" in text
    assert "1 (33.3%)" in text


def again(count, subjects):
    """Cells of the published matrix that are computed again, and do not come out as published."""
    marks, bounds = published(PAGE.read_text("utf-8"))
    cells = [cell for cell in marks if cell.subject in subjects]
    others = {}
    for cell in random.Random(28).sample(cells, count):
        mark = matrix.judge(matrix.compute(cell), bounds[cell.subject])
        if mark != marks[cell]:
            others[cell] = f"published as {marks[cell]}, now {mark}"
    return others


def test_some_cells_of_the_published_matrix_come_out_again():
    assert not again(4, ["mlp"])


@pytest.mark.slow
def test_twenty_cells_of_the_published_matrix_come_out_again():
    assert not again(20, clinic.SUBJECTS)
