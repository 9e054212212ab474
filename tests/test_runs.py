"""A run's folder: what a resume may change, what its record says, who may write; and what is seen of a training."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from typing import get_args

import needs
import numpy
import pytest
from test_recipes import _no_pictures, _small_data, short, words_of  # noqa: F401 - fixtures

from ichikara.recipes import build, load_recipe, packaged, train_run
from ichikara.train import Callback, load_arrays, save_arrays

MOONS = ["data.n_samples=120", "training.epochs=3", "baseline=false"]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def complaint(answer):
    """The error message, in one line."""
    status, out, err = answer
    assert status == 2, err
    assert out == ""
    return err.strip().splitlines()[-1].removeprefix("error: ")


# --- A. what a resume may change --------------------------------------------------------------------------------------


def other(value, choices=()):
    """Another value of the same kind."""
    if choices:
        return next(choice for choice in choices if choice not in (value, None))
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value / 2 if value else 0.25
        case list():
            return [*value, value[-1]]
        case None:
            return 1
        case _:
            return f"{value}x"


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def settings_of(recipe):
    """Every setting that the schema has, and every option that the recipe gives, each with another value."""
    for key in type(recipe).model_fields:
        table = getattr(recipe, key)
        if key == "early_stopping" and table is None:
            yield "early_stopping.patience", 3
        elif key in ("schedule", "initialisation") and table is None:
            yield f"{key}.name", {"schedule": "StepLR", "initialisation": "zeros_"}[key]
        elif isinstance(table, list):
            yield key, [{"name": "Flip"}]
        elif hasattr(table, "model_dump"):
            fields = type(table).model_fields
            for name, value in {**{name: getattr(table, name) for name in fields}, **(table.model_extra or {})}.items():
                kind = fields[name].annotation if name in fields else None
                words = [word for word in get_args(kind) if isinstance(word, str)]
                yield f"{key}.{name}", other(value, words)
        else:
            yield key, other(table)


MAY_CHANGE = ("training.epochs", "early_stopping.patience", "optimizer.lr", "training.engine", "title", "baseline")


def may_change(recipe, key):
    absent = key.startswith("early_stopping.") and recipe.early_stopping is None
    return not absent and (key in MAY_CHANGE or key.startswith("schedule."))


@pytest.mark.parametrize("name", packaged())
def test_each_setting_that_would_make_another_run_is_refused_by_name(name, run, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    settings = short(name, epochs=2)
    recipe = load_recipe(name, settings)
    train_run(build(load_recipe(name, short(name, epochs=1))), folder)
    before = files_of(folder)
    refused = [key for key, _ in settings_of(recipe) if not may_change(recipe, key)]
    assert {"seed", "split.seed", "split.test", "data.name", "model.name", "training.batch_size"} <= set(refused)
    for key, value in settings_of(recipe):
        if key in refused:
            said = complaint(run("train", "--resume", "r", "--set", f"{key}={toml(value)}"))
            assert key.partition(".")[0] in said, said
            assert files_of(folder) == before, key
    status, _, err = run("train", "--resume", "r")
    assert status == 0, err


SCHEDULES = {
    "none": [],
    "step": ["schedule.name=StepLR", "schedule.step_size=1", "schedule.gamma=0.5"],
    "cosine": ["schedule.name=CosineAnnealingLR", "schedule.T_max=9"],
    "batch": ["schedule.name=ExponentialLR", "schedule.gamma=0.99", "schedule.every=batch"],
    "cycle": ["schedule.name=OneCycleLR", "schedule.max_lr=0.05", "schedule.total_steps=60", "schedule.every=batch"],
    "plateau": ["schedule.name=ReduceLROnPlateau", "schedule.patience=0", "schedule.threshold=0.9"],
}


def trained(run, tmp_path, *settings):
    """Train for three epochs into the folder r."""
    status, _, err = run("train", "moons", *words_of([*MOONS, *settings]), "--out", "r")
    assert status == 0, err


def rates(folder):
    rows = (folder / "history.csv").read_text().splitlines()
    place = rows[0].split(",").index("lr")
    return [float(row.split(",")[place]) for row in rows[1:]]


CHANGES = [
    ("none", ["optimizer.lr=0.5"], [0.5, 0.5]),
    ("step", ["optimizer.lr=0.5"], [0.5 / 8, 0.5 / 16]),
    ("step", ["schedule.gamma=0.1"], [2e-5, 2e-6]),
    ("step", ["schedule.step_size=2"], [0.01, 0.005]),
    ("none", ["schedule.name=StepLR", "schedule.step_size=1", "schedule.gamma=0.5"], [0.0025, 0.00125]),
    ("cosine", ["schedule.T_max=4"], [0.02 * (1 + numpy.cos(numpy.pi * t / 4)) / 2 for t in (3, 4)]),
    ("batch", ["schedule.gamma=0.9"], [0.02 * 0.9**9, 0.02 * 0.9**12]),
    ("batch", ["schedule.every=epoch"], [0.02 * 0.99**3, 0.02 * 0.99**4]),
    ("plateau", ["optimizer.lr=0.5"], [0.5, None]),
    ("plateau", ["schedule.factor=0.5"], [None, None]),
]


@pytest.mark.parametrize(("schedule", "changes", "expected"), CHANGES)
def test_a_change_of_the_rate_counts_in_recipe_history_and_training(run, tmp_path, schedule, changes, expected):
    trained(run, tmp_path, *SCHEDULES[schedule])
    folder = tmp_path / "r"
    before = rates(folder)
    status, out, err = run("train", "--resume", "r", *words_of([*changes, "training.epochs=5"]), "--json")
    assert status == 0, err
    after = rates(folder)
    assert after[:3] == before
    for found, wanted in zip(after[3:], expected, strict=True):
        assert wanted is None or found == pytest.approx(wanted)
    recipe = tomllib.loads((folder / "recipe.toml").read_text())
    for change in changes:
        key, _, value = change.partition("=")
        table, _, name = key.partition(".")
        assert str(recipe[table][name]) == value
    told = {change["setting"] for change in json.loads(out)["changes"] if change["after_epoch"] == 3}
    assert {change.partition("=")[0] for change in changes} <= told
    kept = files_of(folder)
    status, _, err = run("train", "--resume", "r")
    assert status == 0, err
    assert {name for name, content in files_of(folder).items() if content != kept[name]} <= {"report.html", "run.json"}


def test_the_rate_of_a_resumed_run_is_the_one_it_trains_with(run, tmp_path):
    trained(run, tmp_path)
    weights = load_arrays(tmp_path / "r/weights.safetensors")[0]
    assert run("train", "--resume", "r", *words_of(["optimizer.lr=0.0", "training.epochs=4"]))[0] == 0
    still = load_arrays(tmp_path / "r/weights.safetensors")[0]
    assert all(numpy.array_equal(weights[name], still[name]) for name in weights)


def test_a_cycle_is_drawn_out_and_its_rate_is_not_the_optimisers(run, tmp_path):
    trained(run, tmp_path, *SCHEDULES["cycle"])
    before = files_of(tmp_path / "r")
    words = words_of(["training.epochs=25"])
    assert "set schedule.total_steps=75" in complaint(run("train", "--resume", "r", *words))
    assert "change max_lr" in complaint(
        run("train", "--resume", "r", *words_of(["optimizer.lr=1", "training.epochs=5"]))
    )
    assert files_of(tmp_path / "r") == before
    assert run("train", "--resume", "r", *words, "--set", "schedule.total_steps=75")[0] == 0


def test_a_change_that_could_have_no_effect_is_refused(run, tmp_path):
    trained(run, tmp_path)
    before = files_of(tmp_path / "r")
    for changes, words in (
        (["optimizer.lr=0.5"], "raise training.epochs"),
        (["schedule.name=StepLR", "schedule.step_size=2"], "raise training.epochs"),
        (["training.epochs=2"], "training.epochs is 2"),
    ):
        assert words in complaint(run("train", "--resume", "r", *words_of(changes)))
        assert files_of(tmp_path / "r") == before
    assert run("train", "--resume", "r", "--set", "title=Another", "--set", "baseline=true", "--json")[1].count(
        "logistic"
    )
    assert 'title = "Another"' in (tmp_path / "r/recipe.toml").read_text()


def test_more_patience_continues_a_run_that_was_stopped(run, tmp_path):
    settings = ["training.epochs=40", "early_stopping.patience=1", "optimizer.lr=0.3"]
    trained(run, tmp_path, *settings)
    done = len(rates(tmp_path / "r"))
    assert done < 40
    assert "early_stopping.patience" in complaint(run("train", "--resume", "r", "--set", "training.epochs=50"))
    assert run("train", "--resume", "r", "--set", "early_stopping.patience=60")[0] == 0
    assert len(rates(tmp_path / "r")) == 40
    assert run("train", "moons", *words_of([*MOONS, *settings, "early_stopping.patience=60"]), "--out", "whole")[0] == 0
    assert rates(tmp_path / "whole") == rates(tmp_path / "r")
    assert files_of(tmp_path / "whole")["weights.safetensors"] == files_of(tmp_path / "r")["weights.safetensors"]


def test_a_change_survives_a_kill_before_its_first_checkpoint(run, tmp_path):
    """The recipe is written then, and the checkpoint is still that of before."""
    trained(run, tmp_path)
    path = tmp_path / "r/recipe.toml"
    path.write_text(path.read_text().replace("lr = 0.02", "lr = 0.5").replace("epochs = 3", "epochs = 5"))
    status, _, err = run("train", "--resume", "r")
    assert status == 0, err
    assert rates(tmp_path / "r")[3:] == [0.5, 0.5]
    path.write_text(path.read_text().replace("hidden = [\n    16,", "hidden = [\n    32,"))
    assert "model.hidden" in complaint(run("train", "--resume", "r"))


def test_other_data_is_refused_and_the_same_data_elsewhere_is_not(run, tmp_path):
    x = numpy.random.default_rng(0).normal(size=(80, 2)).round(3)
    lines = [f"{a},{b},{'up' if a + b > 0 else 'down'}" for a, b in x]
    (tmp_path / "mine.csv").write_text("\n".join(["a,b,kind", *lines]))
    settings = ["data.target=kind", 'model.name="mlp"', "scale.name=standard"]
    (tmp_path / "mine.toml").write_text(
        '[data]\nname = "csv"\npath = "mine.csv"\n[model]\nname = "mlp"\n[optimizer]\nname = "Adam"\n'
        "[training]\nepochs = 2\n"
    )
    status, _, err = run("train", "mine.toml", *words_of(settings), "--out", "r")
    assert status == 0, err
    before = files_of(tmp_path / "r")
    for text, words in (
        ("\n".join(["a,b,kind", *lines[1:], lines[0]]), "the training data"),
        ("\n".join(["a,c,kind", *lines]), "the names of the columns"),
        ("\n".join(["a,b,kind", *lines]).replace("down", "low"), "the names of the classes"),
    ):
        (tmp_path / "other.csv").write_text(text)
        found = run("train", "--resume", "r", *words_of([f"data.path={tmp_path / 'other.csv'}", "training.epochs=3"]))
        assert words in complaint(found)
        assert files_of(tmp_path / "r") == before
    (tmp_path / "mine.csv").rename(tmp_path / "moved.csv")
    assert (
        run("train", "--resume", "r", *words_of([f"data.path={tmp_path / 'moved.csv'}", "training.epochs=3"]))[0] == 0
    )


def test_the_recipe_that_a_run_is_of_may_be_named_at_a_resume(run, tmp_path):
    words = ["moons", "--seed", "3", *words_of(MOONS), "--resume", "r"]
    assert run("train", *words)[0] == run("train", *words)[0] == 0
    assert "seed (3 to 4)" in complaint(run("train", "moons", "--seed", "4", "--resume", "r"))
    assert "data.name ('moons' to 'digits')" in complaint(run("train", "digits", "--seed", "3", "--resume", "r"))


# --- B. the record is true --------------------------------------------------------------------------------------------


class Diverge(Callback):
    """Makes a weight not a number after some epochs, as a gradient that overflows does."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_start(self, trainer, epoch):
        if epoch == self.epoch:
            parameter = next(iter(trainer.model.parameters()))
            parameter.data = numpy.full(parameter.shape, numpy.nan, "float32")


def predicted(run, tmp_path):
    numpy.save(tmp_path / "x.npy", numpy.ones((2, 2)))
    return run("predict", "r", "x.npy", "--json")


DIVERGING = {
    "plain": [],
    "stopping": ["early_stopping.patience=5"],
    "averaging": ["training.average=0.5"],
    "no validation": ["split.validation=0"],
}


@pytest.mark.parametrize("kind", DIVERGING)
def test_a_run_that_diverges_keeps_its_last_good_weights_and_says_so(run, tmp_path, kind):
    (tmp_path / "r").mkdir()
    recipe = load_recipe("moons", [*MOONS, "training.epochs=6", *DIVERGING[kind]])
    if kind != "stopping":
        recipe.early_stopping = None
    parts = build(recipe)
    parts.trainer.callbacks.append(Diverge(4))
    with pytest.raises(ValueError, match="the loss became nan in epoch 4"):
        train_run(parts, tmp_path / "r")
    record = json.loads((tmp_path / "r/run.json").read_text())
    assert record["diverged"] == 4
    assert not record["finished"]
    kept = record["best_epoch"]
    assert kept in (1, 2, 3)
    columns = parts.trainer.history.rows[kept - 1]
    assert {name: record[name] for name in columns if name.startswith(("train_", "val_"))}.items() <= columns.items()
    if kind != "no validation":
        assert parts.trainer.evaluate(parts.watched)["loss"] == pytest.approx(columns["val_loss"])
    for answer in (predicted(run, tmp_path), run("evaluate", "r", "--json")):
        status, out, err = answer
        assert status == 0, err
        assert f"r diverged in epoch 4; its weights are the last good ones, of epoch {kept}" in err
        assert json.loads(out)["diverged"] == 4
    # a resume goes on from the checkpoint, which is good
    assert run("train", "--resume", "r")[0] == 0
    assert json.loads((tmp_path / "r/run.json").read_text())["diverged"] is None
    assert "diverged" not in predicted(run, tmp_path)[2]


def test_a_resumed_run_that_diverges_keeps_what_it_had(run, tmp_path):
    trained(run, tmp_path)
    before = load_arrays(tmp_path / "r/weights.safetensors")[0]
    parts = build(load_recipe(tmp_path / "r/recipe.toml", ["training.epochs=5"]))
    parts.trainer.callbacks.append(Diverge(4))
    with pytest.raises(ValueError, match="epoch 4"):
        train_run(parts, tmp_path / "r", resume=True)
    after, about = load_arrays(tmp_path / "r/weights.safetensors")
    assert all(numpy.array_equal(before[name], after[name]) for name in before)
    assert about["diverged"] == 4


def test_a_gan_that_diverges_keeps_its_last_good_weights(run, tmp_path):
    (tmp_path / "r").mkdir()
    parts = build(load_recipe("digits-gan", short("digits-gan", "training.batch_size=512", epochs=4)))
    parts.trainer.callbacks.append(Diverge(3))
    with pytest.raises(ValueError, match="epoch 3"):
        train_run(parts, tmp_path / "r")
    assert json.loads((tmp_path / "r/run.json").read_text())["best_epoch"] in (1, 2)
    status, _, err = run("sample", "r", "--count", "4", "--json")
    assert status == 0, err
    assert "diverged in epoch 3" in err


@pytest.mark.parametrize("name", ["polynomial", "universal", "moons"])
def test_a_rate_that_is_far_too_large_leaves_no_bad_weights(run, tmp_path, name):
    """Whatever epoch it diverges in, the weights that are left are better than none."""
    settings = ["optimizer.name=SGD", "optimizer.lr=1e6", "training.epochs=60", "data.n_samples=100", "baseline=false"]
    status, out, err = run("train", name, *words_of(settings), "--out", "r", "--json")
    record = json.loads((tmp_path / "r/run.json").read_text())
    assert (status == 2) == (record["diverged"] is not None)
    width = 2 if name == "moons" else 1
    numpy.save(tmp_path / "x.npy", numpy.ones((2, width)))
    status, out, err = run("predict", "r", "x.npy", "--json")
    if record["diverged"]:
        assert status == 2
        assert out == ""
        assert f"diverged in epoch {record['diverged']}" in err
        assert not (tmp_path / "r/weights.safetensors").exists()


def test_weights_that_are_not_finite_are_refused_and_leave_the_vault_closed(run, tmp_path):
    trained(run, tmp_path)
    path = tmp_path / "r/weights.safetensors"
    arrays, about = load_arrays(path)
    for value, words in ((numpy.nan, "not finite"), (1e38, "not finite")):
        save_arrays(path, {name: numpy.full_like(array, value) for name, array in arrays.items()}, about)
        for answer in (predicted(run, tmp_path), run("evaluate", "r", "--json")):
            assert words in complaint(answer)
    assert json.loads((tmp_path / "r/vault.json").read_text())["openings"] == []


def test_a_number_that_float32_cannot_hold_is_refused_with_its_place(run, tmp_path):
    trained(run, tmp_path)
    numpy.save(tmp_path / "x.npy", [[0.0, 1.0], [0.0, 1e300]])
    assert "holds 1e+300 at (1, 1)" in complaint(run("predict", "r", "x.npy"))


def test_a_folder_that_has_gone_is_said_to_have_gone(run, tmp_path):
    class Remove(Callback):
        def on_epoch_end(self, trainer, row):
            shutil.rmtree(tmp_path / "r", ignore_errors=True)

    parts = build(load_recipe("moons", MOONS))
    parts.trainer.callbacks.append(Remove())
    (tmp_path / "r").mkdir()
    with pytest.raises(ValueError, match="r is gone") as caught:
        train_run(parts, tmp_path / "r")
    assert "untouched" not in str(caught.value)


def test_a_backend_that_is_not_there_does_not_matter(tmp_path):
    needs.one_engine()
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    words = [
        sys.executable,
        "-m",
        "ichikara",
        "train",
        "xor",
        "--set",
        "training.epochs=2",
        "--out",
        str(tmp_path / "r"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r/curves.png").read_bytes().startswith(b"\x89PNG")
    assert "could not be drawn" not in (tmp_path / "r/report.html").read_text()


def test_curves_that_cannot_be_drawn_are_one_line(run, tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("no ink")

    monkeypatch.setattr("ichikara.plot.learning_curves", broken)
    status, _, err = run("train", "moons", *words_of(MOONS), "--out", "r")
    assert status == 0
    assert "the run is saved, but curves.png could not be drawn: no ink" in err.splitlines()


def test_json_has_no_word_for_nan():
    from ichikara.strict_json import dumps

    text = dumps({"a": [1.0, float("inf")], "b": {"c": float("nan")}, "d": "NaN"})
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": [1.0, None],
        "b": {"c": None},
        "d": "NaN",
        "not_finite": {"a[1]": "inf", "b.c": "nan"},
    }


def test_a_run_with_a_loss_that_is_not_finite_is_resumed_and_read_by_all(run, tmp_path):
    """The loss of the validation data may overflow though no weight does."""
    trained(run, tmp_path)
    path = tmp_path / "r/checkpoint.safetensors"
    arrays, about = load_arrays(path)
    text = json.dumps(about).replace(repr(about["history"]["list"][-1]["pairs"][3][1]), '{"number": "inf"}')
    save_arrays(path, arrays, json.loads(text))
    status, out, err = run("train", "--resume", "r", "--json", "--set", "training.epochs=4")
    assert status == 0, err
    assert "inf" in (tmp_path / "r/history.csv").read_text()
    for text in (out, (tmp_path / "r/run.json").read_text()):
        json.loads(text, parse_constant=pytest.fail)


# --- the lock ---------------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from ichikara.recipes.folder import writing
with writing(Path(sys.argv[1]), "ichikara train"):
    Path(sys.argv[1], ".fig.0123abcd.tmp").write_bytes(b"")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_who_writes_and_a_killed_one_is_no_hindrance(run, tmp_path):
    trained(run, tmp_path, "split.test=0.2")
    before = files_of(tmp_path / "r")
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "r")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "ready\n"
    more = ["--set", "training.epochs=4"]
    for words in (
        ["train", "moons", *words_of(MOONS), "--out", "r"],
        ["train", "--resume", "r", *more],
        ["evaluate", "r"],
    ):
        said = complaint(run(*words))
        assert f"r is being written by ichikara train (process {holder.pid} on {os.uname().nodename}, since 20" in said
    holder.kill()
    holder.communicate()
    left = files_of(tmp_path / "r")
    assert {name: left[name] for name in before} == before
    assert set(left) - set(before) == {".run.lock", ".fig.0123abcd.tmp"}
    assert run("train", "--resume", "r", *more)[0] == 0
    assert not {".run.lock", ".fig.0123abcd.tmp"} & set(files_of(tmp_path / "r"))


def test_of_two_trainings_that_are_started_together_one_wins(tmp_path):
    words = [
        "train",
        "moons",
        *words_of([*MOONS, "training.epochs=40", "training.engine=eager"]),
        "--out",
        str(tmp_path / "r"),
    ]
    both = [
        subprocess.Popen([sys.executable, "-m", "ichikara", *words], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in both]
    assert sorted(status for _, status in ends) == [0, 2], ends
    (said,) = (err for err, status in ends if status)
    assert re.search("is being written by ichikara train|holds a run already", said.splitlines()[-1])


# --- G. without a terminal --------------------------------------------------------------------------------------------


def test_each_epoch_is_a_line_of_plain_text_where_there_is_no_terminal(run, tmp_path):
    status, out, err = run("train", "moons", *words_of(MOONS), "--out", "r", "--json")
    assert status == 0
    json.loads(out)
    lines = [line for line in err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert [line.endswith("left") for line in lines] == [True, True, False]
    for line in lines:
        assert re.fullmatch(
            r"epoch ./3  train loss [\d.]+, accuracy [\d.]+% · validation loss [\d.]+, accuracy [\d.]+%"
            r" · rate 0\.02( · 0:00:\d\d left)?",
            line,
        ), line
    assert "\x1b" not in err


def test_a_line_is_there_as_soon_as_its_epoch_is_done():
    from rich.console import Console

    from ichikara.train import Progress

    class File(io.StringIO):
        flushed = 0

        def flush(self):
            self.flushed = len(self.getvalue())

    file, seen = File(), []

    class Look(Callback):
        def on_epoch_end(self, trainer, row):
            seen.append((file.getvalue().count("\n"), file.flushed == len(file.getvalue())))

    parts = build(load_recipe("moons", MOONS))
    parts.trainer.callbacks += [Progress(Console(file=file)), Look()]
    parts.trainer.fit(parts.loader, 3, parts.watched)
    assert seen == [(1, True), (2, True), (3, True)]


@pytest.mark.parametrize("command", ["evaluate", "cross-validate", "find-lr"])
def test_with_json_the_standard_output_is_json_alone(run, tmp_path, command):
    if command == "evaluate":
        trained(run, tmp_path)
    status, out, err = run(command, *(["r"] if command == "evaluate" else ["moons", *words_of(MOONS)]), "--json")
    assert status == 0, err
    json.loads(out)
