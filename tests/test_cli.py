"""The command: what a newcomer types, and what a mistake is answered with."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time

import needs
import numpy
import pytest

from ichikara.data import load_moons

RECIPE = """
title = "Tiny"
[data]
name = "{name}"
{data}
[split]
validation = 0.25
test = 0.25
[scale]
name = "standard"
[model]
name = "mlp"
hidden = [8]
[loss]
name = "{loss}"
[optimizer]
name = "Adam"
lr = 0.05
[training]
epochs = 3
batch_size = 16
"""


@pytest.fixture
def recipe(tmp_path):
    """Write a small recipe and give its path."""

    def write(name="moons", data="n_samples = 120", loss="cross_entropy"):
        path = tmp_path / "tiny.toml"
        path.write_text(RECIPE.format(name=name, data=data, loss=loss), encoding="utf-8")
        return path

    return write


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


def complaint(answer, status=2):
    """The one line that a mistake is answered with."""
    code, out, err = answer
    assert code == status
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


# --- the main job -----------------------------------------------------------------------------------------------------


def test_train_evaluate_predict(run, recipe, tmp_path):
    status, out, err = run("train", recipe(), "--out", "r", "--json")
    assert status == 0
    summary = last_json(out)
    assert summary["run"] == "r"
    assert summary["epochs"] == 3
    assert {"seconds", "train_loss", "val_loss", "val_accuracy"} <= set(summary)
    sizes = "60 for training, 30 for validation, 30 in the vault"
    for word in ("Tiny", sizes, "parameters", "ichikara evaluate r"):
        assert word in err
    names = {path.name for path in (tmp_path / "r").iterdir()}
    assert {"recipe.toml", "weights.safetensors", "history.csv", "curves.png", "run.json", "vault.json"} <= names
    rows = list(csv.DictReader((tmp_path / "r/history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["val_loss"]) == summary["val_loss"]
    assert (tmp_path / "r/curves.png").read_bytes().startswith(b"\x89PNG")

    status, out, _ = run("evaluate", "r", "--json")
    first = last_json(out)
    assert status == 0
    assert first["openings"] == 1
    assert 0 <= first["test_accuracy"] <= 1

    assert "opened before" in complaint(run("evaluate", "r"), status=3)
    status, out, _ = run("evaluate", "r", "--again", "--json")
    assert status == 0
    again = last_json(out)
    assert again["openings"] == 2
    assert again["test_loss"] == first["test_loss"]

    numpy.save(tmp_path / "x.npy", numpy.array([[0.0, 1.0], [1.0, -0.5], [2.0, 0.0]]))
    status, out, _ = run("predict", "r", "x.npy", "--json")
    rows = last_json(out)["predictions"]
    assert status == 0
    assert len(rows) == 3
    assert all(row["class"] in load_moons(2).classes and 0.5 <= row["probability"] <= 1 for row in rows)
    (tmp_path / "x.csv").write_text("0,1\n1,-0.5\n2,0\n")
    assert last_json(run("predict", "r", "x.csv", "--json")[1])["predictions"] == rows
    assert "probability" in run("predict", "r", "x.csv")[1]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(run, recipe, tmp_path):
    path = recipe()
    weights = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("train", path, "--seed", seed, "--out", folder)[0] == 0
        weights.append((tmp_path / folder / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_a_run_that_is_made_longer_equals_one_that_was_long(run, recipe, tmp_path):
    path = recipe()
    assert run("train", path, "--set", "training.epochs=5", "--out", "whole")[0] == 0
    assert run("train", path, "--out", "parts")[0] == 0
    status, _, err = run("train", "--resume", "parts", "--set", "training.epochs=5")
    assert status == 0
    assert "resuming after epoch 3 of 5" in err
    whole, parts = ((tmp_path / f / "weights.safetensors").read_bytes() for f in ("whole", "parts"))
    assert whole == parts


def test_an_engine_is_chosen_and_kept_with_the_run(run, recipe, tmp_path):
    loss = {}
    for engine in ("eager", "replay", "auto") if needs.registry() else ("eager", "auto"):
        status, out, err = run("train", recipe(), "--out", engine, "--engine", engine, "--json")
        assert status == 0, err
        assert "not replayed" not in err
        assert f'engine = "{engine}"' in (tmp_path / engine / "recipe.toml").read_text()
        loss[engine] = last_json(out)["train_loss"]
    assert loss["auto"] == loss.get("replay", loss["auto"]) == pytest.approx(loss["eager"], rel=1e-4)
    status, _, err = run("train", "--resume", "auto", "--engine", "eager", "--set", "training.epochs=4")
    assert status == 0, err
    assert 'engine = "eager"' in (tmp_path / "auto" / "recipe.toml").read_text()


def test_runs_are_numbered_and_never_overwritten(run, recipe, tmp_path):
    path = recipe()
    assert run("train", path)[0] == run("train", path)[0] == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["tiny-1", "tiny-2"]
    assert "holds a run already" in complaint(run("train", path, "--out", "runs/tiny-1"))


def test_a_regression_from_a_csv_file_of_the_users_own(run, recipe, tmp_path):
    x = numpy.linspace(-1, 1, 80)
    lines = "\n".join(f"{a:.4f},{2 * a + 1:.4f}" for a in x)
    (tmp_path / "line.csv").write_text("dose,answer\n" + lines)
    path = recipe("csv", 'path = "line.csv"', "mse")
    status, out, _ = run("train", path, "--set", "training.epochs=60", "--out", "r", "--json")
    assert status == 0
    assert last_json(out)["val_loss"] < 0.02
    assert "test_loss" in last_json(run("evaluate", "r", "--json")[1])
    (tmp_path / "ask.csv").write_text("other,dose\n7,0.5\n7,-0.5\n")
    rows = last_json(run("predict", "r", "ask.csv", "--json")[1])["predictions"]
    assert [row["output"][0] for row in rows] == pytest.approx([2, 0], abs=0.3)


def test_a_picture_is_predicted_as_its_array_is(run, tmp_path):
    from PIL import Image
    from sklearn.datasets import load_digits

    assert run("train", "digits", "--set", "training.epochs=3", "--out", "r")[0] == 0
    images = load_digits().images
    numpy.save(tmp_path / "x.npy", images[:1])
    picture = (images[0] / 16 * 255).round().astype("uint8")
    Image.fromarray(picture).save(tmp_path / "x.png")
    Image.fromarray(255 - picture).save(tmp_path / "ink.png")
    (of_array,) = last_json(run("predict", "r", "x.npy", "--json")[1])["predictions"]
    for words in (("x.png",), ("ink.png", "--invert")):
        (of_picture,) = last_json(run("predict", "r", *words, "--json")[1])["predictions"]
        assert of_picture["class"] == of_array["class"]
        assert of_picture["probability"] == pytest.approx(of_array["probability"], abs=0.02)
    Image.fromarray(numpy.zeros((28, 28), "uint8")).save(tmp_path / "large.png")
    assert "28×28 pixels" in complaint(run("predict", "r", "large.png"))


@pytest.mark.parametrize("name", ["xor", "moons", "perceptron"])
def test_packaged_recipes_train(run, name):
    status, out, _ = run("train", name, "--json")
    summary = last_json(out)
    assert status == 0
    assert summary["train_accuracy"] > 0.97


def test_recipes_and_summary(run):
    status, out, _ = run("recipes")
    assert status == 0
    for name in ("digits", "xor", "moons", "perceptron", "mnist-mlp"):
        assert name in out
    status, out, _ = run("summary", "digits")
    assert status == 0
    assert "Linear" in out
    assert "9,610" in out


def test_help_names_every_command(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("recipes", "train", "evaluate", "predict", "summary"):
        assert command in out


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train"], "say which recipe"),
        (["train", "digit"], "did you mean 'digits'?"),
        (["train", "./none.toml"], "there is no recipe file none.toml"),
        (["train", "digits", "--set", "optimizer.lr"], "key=value"),
        (["train", "digits", "--set", "optimiser.lr=1"], "unknown key 'optimiser'; did you mean 'optimizer'?"),
        (["train", "digits", "--set", "training.epoch=1"], "unknown key 'training.epoch'; did you mean 'epochs'?"),
        (["train", "digits", "--set", "training.epochs=0"], "'training.epochs' is 0"),
        (["train", "digits", "--set", "training.epochs=many"], "'training.epochs' is 'many'"),
        (["train", "digits", "--engine", "repaly"], "did you mean 'replay'? Allowed: auto, eager, replay"),
        (["train", "digits", "--set", "scale.name=minmx"], "did you mean 'minmax'?"),
        (["train", "digits", "--set", "optimizer.name=Adm"], "did you mean 'Adam'?"),
        (["train", "digits", "--set", "optimizer.rl=1"], "unknown key 'optimizer.rl'; did you mean 'lr'?"),
        (["train", "digits", "--set", "optimizer.lr=fast"], "optimizer"),
        (["train", "digits", "--set", "optimizer.lr=-1"], "optimizer"),
        (["train", "digits", "--set", "model.hiden=[3]"], "unknown key 'model.hiden'; did you mean 'hidden'?"),
        (["train", "digits", "--set", "model.hidden=[0]"], "at least 1"),
        (["train", "digits", "--set", "model.activation=rleu"], "did you mean 'relu'?"),
        (["train", "digits", "--set", "model.name=mpl"], "did you mean 'mlp'?"),
        (["train", "digits", "--set", "loss.name=cross"], "unknown loss 'cross'"),
        (["train", "digits", "--set", "data.name=digts"], "did you mean 'digits'?"),
        (["train", "moons", "--set", "data.nose=1"], "unknown key 'data.nose'; did you mean 'noise'?"),
        (["train", "digits", "--set", "schedule.name=StpLR"], "did you mean 'StepLR'?"),
        (["train", "digits", "--set", "split.validation=1.5"], "'split.validation' is 1.5"),
        (["train", "xor", "--set", "early_stopping.patience=3"], "there is no validation data"),
        (["train", "cubic.toml"], "no recipe file"),
        (["train", "digits", "--resume", "a", "--out", "b"], "omit --out"),
        (["train", "--resume", "nowhere"], "holds no run"),
        (["evaluate", "nowhere"], "holds no run"),
        (["predict", "nowhere", "x.csv"], "holds no run"),
        (["summary", "digts"], "did you mean 'digits'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_in_one_line(run, words, expected, tmp_path):
    assert expected in complaint(run(*words))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("words", [["trian", "digits"], ["train", "digits", "--sed", "1"], ["evaluate"]])
def test_bad_usage_exits_with_2(run, words):
    status, _, err = run(*words)
    assert status == 2
    assert err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,nan\n2,0\n", "line 2"),
        ("a,b\n1,x\n,y\n", "line 3, column 'a': the cell is empty"),
        ("a,b\n1,2\n3\n", "line 3: 1 cell,"),
        ("", "is empty"),
    ],
)
def test_a_table_with_a_hole_is_refused_with_its_place(run, recipe, tmp_path, content, expected):
    (tmp_path / "mine.csv").write_text(content)
    assert expected in complaint(run("train", recipe("csv", 'path = "mine.csv"')))


def test_a_label_out_of_range_and_a_missing_file(run, recipe, tmp_path):
    numpy.savez(tmp_path / "mine.npz", x=numpy.ones((9, 2)), y=[0, 1, 2] * 3, classes=["a", "b"])
    assert "hold 2 at row 2" in complaint(run("train", recipe("npz", 'path = "mine.npz"')))
    assert "no such file" in complaint(run("train", recipe("npz", 'path = "other.npz"'))).lower()


def test_a_recipe_that_is_no_toml(run, tmp_path):
    (tmp_path / "bad.toml").write_text("[data\nname=")
    assert "bad.toml is not TOML" in complaint(run("train", "bad.toml"))


def test_a_layer_is_chosen_from_a_closed_list(run, recipe, tmp_path):
    path = recipe()
    text = path.read_text()
    layers = (
        'name = "sequential"\nlayers = [{{type = "Linear", out_features = 4}}, {{type = "{}"}}, {{type = "Linear"}}]'
    )
    path.write_text(text.replace('name = "mlp"\nhidden = [8]', layers.format("ReLU")))
    assert run("train", path, "--out", "r")[0] == 0
    assert run("evaluate", "r")[0] == 0
    path.write_text(text.replace('name = "mlp"\nhidden = [8]', layers.format("os.system")))
    assert "unknown model.layers[1].type 'os.system'" in complaint(run("train", path))


def test_a_folder_that_cannot_be_written(run, recipe, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot make the folder" in complaint(run("train", recipe(), "--out", "file/r"))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_is_read_only_or_full(run, recipe, monkeypatch, number):
    path = recipe()  # the superuser may write anywhere, so the refusal is acted

    def refuse(name, *_):
        raise OSError(number, os.strerror(number), str(name))

    monkeypatch.setattr("ichikara.data.atomic.open", refuse, raising=False)
    status, _, err = run("train", path, "--out", "r")
    assert status == 2
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: cannot write r/recipe.toml")
    assert os.strerror(number) in last


def test_a_truncated_checkpoint_and_truncated_weights(run, recipe, tmp_path):
    assert run("train", recipe(), "--out", "r")[0] == 0
    for name, words in (
        ("checkpoint.safetensors", ["train", "--resume", "r", "--set", "training.epochs=9"]),
        ("weights.safetensors", ["evaluate", "r"]),
    ):
        path = tmp_path / "r" / name
        path.write_bytes(path.read_bytes()[:-100])
        status, _, err = run(*words)
        assert status == 2
        assert f"{name} is damaged" in err


def test_a_vault_of_other_data_stays_shut(run, recipe, tmp_path):
    path = recipe()
    assert run("train", path, "--out", "r")[0] == 0
    saved = tmp_path / "r/recipe.toml"
    saved.write_text(saved.read_text().replace("n_samples = 120", "n_samples = 140"))
    assert "another test set" in complaint(run("evaluate", "r"))


def test_a_recipe_without_a_test_set(run):
    assert run("train", "xor", "--set", "training.epochs=1", "--out", "r")[0] == 0
    assert "has no test set" in complaint(run("evaluate", "r"))


# --- ended from outside -----------------------------------------------------------------------------------------------


def started(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "ichikara", "train", *words, "--out", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path, seconds=60, of=None):
    """Wait for a file; with ``of``, until it names that process, or the process has ended."""
    until = time.monotonic() + seconds
    named = lambda: of is None or of.poll() is not None or str(of.pid) in path.read_text()
    while not (path.exists() and named()):
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.01)


def test_ctrl_c_exits_with_130_and_says_how_to_go_on(run, tmp_path):
    process = started(tmp_path / "r", "digits", "--set", "training.epochs=100000")
    wait_for(tmp_path / "r/checkpoint.safetensors")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--resume {tmp_path / 'r'}" in err
    assert "Traceback" not in err
    assert (tmp_path / "r/weights.safetensors").exists()
    assert run("evaluate", tmp_path / "r")[0] == 0


def kill_and_resume(tmp_path, run, recipe, times):
    """Train with the process killed at random moments; return the weights of that run and of one left alone."""
    settings = [f"training.epochs={100 + 40 * times}", "data.n_samples=400"]
    settings += ["training.average=0.9", "training.accumulate=3", "training.mix_up=0.2"]  # all that has a state
    words = [str(recipe), *(word for setting in settings for word in ("--set", setting))]
    assert run("train", *words, "--out", "whole")[0] == 0
    folder = tmp_path / "killed"
    random = numpy.random.default_rng(0)
    process = started(folder, *words)
    wait_for(folder / "recipe.toml")
    for _ in range(times):
        time.sleep(random.uniform(0, 0.2))
        process.kill()
        process.communicate()
        before = (folder / "recipe.toml").read_bytes()
        process = subprocess.Popen(
            [sys.executable, "-m", "ichikara", "train", "--resume", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if random.random() < 0.8:  # some die while starting, the others in an epoch or while saving
            wait_for(folder / ".run.lock", of=process)
        time.sleep(random.uniform(0, 1.5))
        assert (folder / "recipe.toml").read_bytes() == before
    _, err = process.communicate(timeout=1800)
    assert process.returncode == 0, err
    return (folder / "weights.safetensors").read_bytes(), (tmp_path / "whole/weights.safetensors").read_bytes()


def test_a_killed_run_resumes_exactly(tmp_path, run, recipe):
    needs.one_engine()
    killed, whole = kill_and_resume(tmp_path, run, recipe(), times=2)
    assert killed == whole
    assert not [path.name for path in (tmp_path / "killed").iterdir() if path.name.endswith((".tmp", ".run.lock"))]


@pytest.mark.slow
def test_a_run_killed_fifty_times_resumes_exactly(tmp_path, run, recipe):
    """Run it with: pytest -m slow tests/test_cli.py -k killed"""
    killed, whole = kill_and_resume(tmp_path, run, recipe(), times=50)
    assert killed == whole
