"""The benchmarks: that each workload is the same work in every library, and what becomes of the figures."""

import math
import sys
from pathlib import Path

import needs
import numpy
import pytest

from ichikara import nn

sys.path.insert(0, str(Path(__file__).parent.parent))  # benchmarks are not part of the package

from benchmarks import __main__ as command
from benchmarks import digits, figures, measure, page, picture, worker
from benchmarks.workloads import LETTERS, SWEEPS, WORKLOADS, named

ROOT = Path(__file__).parent.parent
each = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)


# A step of the larger networks compiles many kernels first.
QUICK = {"A", "B", "I-B-1", "I-C-1"}


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param(w, id=w.name, marks=() if w.name in QUICK else pytest.mark.slow)
        for w in WORKLOADS
        if not w.name.endswith("256")
    ],
)
def test_a_step_of_ours_gives_numbers(workload):
    assert numpy.isfinite(workload.steps["ichikara"]("")().detach().numpy()).all()


@each
def test_ours_and_pytorch_s_networks_have_the_same_parameters(workload, torch):
    ours, theirs = workload.model(nn), workload.model(torch.nn)
    shapes = lambda network: {name: tuple(p.shape) for name, p in network.named_parameters()}
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("name", ["A", "B", "E", "I-B-1"])
def test_a_step_of_pytorch_s_gives_numbers(name, torch):
    assert numpy.isfinite(named(name).steps["torch"]("")().detach().numpy()).all()


@pytest.mark.parametrize("name", ["A", "B"])
def test_the_other_libraries_take_a_step(name):
    pytest.importorskip("autograd")
    assert math.isfinite(float(named(name).steps["autograd"]("")()))
    step = named(name).steps["scikit-learn"]("")
    first = step()
    assert all(step() <= first * 1.01 for _ in range(3))


@each
def test_costs_are_counted(workload):
    assert workload.cost.operations > 0
    assert workload.cost.bytes > 0


def test_a_cost_that_can_be_counted_by_hand():
    # Products of a 128-row batch: forward and weights' gradients in all layers, inputs' gradients in all but the first.
    first, second, third = 784 * 512, 512 * 512, 512 * 10
    assert named("B").cost.operations == 2 * 128 * (2 * first + 3 * second + 3 * third)


def test_names_are_found_again():
    assert {workload.name[0] for workload in WORKLOADS} == set(LETTERS)
    for points in SWEEPS.values():
        for workload in points.values():
            assert named(workload.name).title == workload.title


def test_pytorch_has_the_modes_that_make_sense():
    assert measure.variants(named("G"))[2:6] == ["torch", "torch-fused", "torch-compile", "torch-channels-last"]
    assert "torch-fused" not in measure.variants(named("I-C-1"))


def test_ours_is_measured_eager_and_staged_and_the_faster_counts():
    needs.one_engine()
    assert measure.variants(named("A"))[:2] == ["ichikara", "ichikara-stage"]
    row = {"ichikara": library(2.0), "ichikara-stage": library(1.0), "torch": library(4.0), "torch-fused": library(5.0)}
    assert figures.best_of_ours(row) == "ichikara-stage"
    assert figures.ratio(row, figures.best_rival(row)) == 0.25
    step, took = worker.start("A", "ichikara-stage")
    assert numpy.isfinite(step().item())
    assert step.captures == 1
    assert took["first_s"] > 0


def test_libraries_take_turns_and_one_that_fails_is_a_line(monkeypatch):
    monkeypatch.setattr(measure, "COMPILED", ())
    found = measure.measure(named("A"), ["ichikara", "no-such-library"], rounds=2, threads=1, seconds=0.01)
    assert len(found["ichikara"]["ms"]) == 2
    assert found["ichikara"]["peak_mib"] >= found["ichikara"]["imported_mib"] > 0
    assert found["no-such-library"] == {"error": "KeyError: 'no-such-library'"}


def test_a_turn_waits_for_other_work_and_counts_itself_disturbed_where_it_stays(monkeypatch):
    busy = iter([90.0, 90.0, 5.0])
    monkeypatch.setattr(measure.psutil, "cpu_percent", lambda pause: next(busy))
    assert measure.come_to_rest()
    assert not list(busy)
    monkeypatch.setattr(measure.psutil, "cpu_percent", lambda pause: 90.0)
    monkeypatch.setattr(measure, "REST", 0.0)
    assert not measure.come_to_rest()


def test_the_first_start_and_the_middle_one_of_the_others_count(monkeypatch):
    took = iter([9.0, 1.0, 5.0, 2.0])

    class Worker(measure.Worker):
        def __init__(self, *words):
            super().__init__(*words)
            self.began["first_s"] = next(took)

    monkeypatch.setattr(measure, "Worker", Worker)
    found = measure.measure(named("A"), ["ichikara"], rounds=1, threads=1, seconds=0.01)["ichikara"]
    assert (found["cold_s"], found["first_s"]) == (9.0, 2.0)


def test_the_recipe_digits_ends_a_step_and_then_an_epoch():
    took = digits.begin_training()
    assert 0 < took["step_s"] < took["epoch_s"]


def test_a_worker_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(measure, "PATIENCE", 0.01)
    found = measure.measure(named("A"), ["autograd"], rounds=1)
    assert found["autograd"]["error"].startswith("ended with status")


def test_a_round_has_at_least_three_steps():
    steps = []
    assert worker.measure(lambda: steps.append(1), seconds=0) >= 0
    assert len(steps) == 1 + worker.LEAST


def library(*ms, **more):
    return {
        "ms": list(ms),
        "import_s": 0.5,
        "first_s": 1.0,
        "imported_mib": 30.0,
        "peak_mib": 50.0,
        "disturbed": 0,
        **more,
    }


@pytest.fixture
def result():
    """Made-up figures."""
    rows = {
        "A": {"ichikara": library(1.0, 2.0, 3.0, cold_s=4.0), "torch": library(2.0, 4.0, 6.0), "jax": library(4, 4, 4)},
        "B": {"ichikara": library(8.0, 8.0, 8.0), "torch": library(4.0, 4.0, 4.0), "dezero": {"error": "Gone: why"}},
    }
    return {
        "about": {"cpu": "A processor", "cores": 2, "system": "Linux", "versions": {"Python": "3.11"}},
        "threads": 2,
        "rounds": 3,
        "machine": {"operations_s": 1e11, "bytes_s": 1e10},
        "digits": {"step_s": 0.0123, "epoch_s": 0.5},
        "rows": {
            name: {"title": f"title {name}", "cost": {"operations": 1e8, "bytes": 1e6}, "found": found}
            for name, found in rows.items()
        },
    }


def test_ratios_are_of_the_same_round(result):
    row = result["rows"]["A"]["found"]
    assert figures.best_rival(row) == "torch"  # whose median is JAX's too, and which is named first
    assert figures.ratio(row, "torch") == 0.5
    assert figures.geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert figures.limit_ms({"operations": 1e8, "bytes": 1e6}, result["machine"]) == pytest.approx(1.0)


def test_the_page_has_all_figures_and_keeps_the_notes(result, tmp_path):
    path = tmp_path / "docs" / "performance.md"
    page.write(result, path)
    text = path.read_text(encoding="utf-8")
    assert "2 (1.5–2.5)" in text  # the median and the quartiles
    assert "0.5 (0.5–0.5)" in text  # our time in PyTorch's
    assert "**1**" in text  # half and twice
    assert "1 (4)" in text  # warm and cold
    assert "all on disk, a first step of ours takes at the most 0.998 s more than a later one\n(A, ichikara)" in text
    assert "nothing on disk, a first step of ours takes at the most 4 s more" in text
    assert "first step 0.0123 s after the start of the training,\nits first epoch after 0.5 s" in text
    assert "- dezero (B): Gone: why" in text
    assert "busy: 0 of 15." in text

    path.write_text(text.replace(page.NOTES, "\nFloat16 did not pay.\n"), encoding="utf-8")
    page.write(result, path, "pictures/performance.svg")
    again = path.read_text(encoding="utf-8")
    assert f"{page.BEGIN}\nFloat16 did not pay.\n{page.END}" in again
    assert "](pictures/performance.svg)" in again


def test_a_page_of_one_library_alone_has_no_ratios(result):
    for row in result["rows"].values():
        row["found"] = {"ichikara": row["found"]["ichikara"]}
    assert "Geometric mean" not in page.text(result, page.NOTES, None)


def test_the_picture_is_drawn(tmp_path):
    points = {"8": {"ichikara": library(1.0), "torch": library(2.0)}, "16": {"ichikara": library(3.0), "torch": {}}}
    picture.draw({"batch": points, "width": points}, tmp_path / "pictures" / "performance.svg")
    assert (tmp_path / "pictures" / "performance.svg").stat().st_size > 1000


def test_the_command_says_what_is_wrong(capsys):
    assert command.options_of(["b", "D"]).letters == "BD"
    with pytest.raises(SystemExit):
        command.options_of(["xyz"])
    assert "unknown workloads: X, Y, Z" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.options_of(["--from-json", "gone.json"])
    assert "there is no file gone.json" in capsys.readouterr().err
