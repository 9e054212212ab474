"""What a run has saved, changed by another hand: it is read, or refused in words, and never ends in a traceback."""

import copy
import json
import random
import shutil

import numpy
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from ichikara.data import TestVault
from ichikara.errors import UserError
from ichikara.recipes import build, open_run, predict_run, train_run
from ichikara.recipes.folder import trained
from ichikara.recipes.schema import load_recipe
from ichikara.recipes.summary import read_summary

SETTINGS = [
    'data={name="moons",n_samples=60}',
    "split.test=0.2",
    'scale.name="standard"',
    "model.hidden=[3]",
    'optimizer={name="Adam",lr=0.01}',
    'schedule={name="ReduceLROnPlateau"}',
    "training.epochs=2",
    "training.average=0.9",
    "early_stopping={patience=5}",
    "baseline=false",
]
DEEP = "[" * 3000 + "]" * 3000
WRONG = ["null", "true", "[]", "{}", '"x"', "5", "-1", "1e30", "1" + "0" * 30, "1" * 5000, "NaN", DEEP]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train_run(build(load_recipe("moons", SETTINGS)), folder)
    return folder


@pytest.fixture
def changed(run_folder, tmp_path):
    """A copy of the run, to be changed."""
    return shutil.copytree(run_folder, tmp_path / "r")


def header_of(path):
    with safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["ichikara"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def places_in(value, place=()):
    """The places of all values in a JSON value."""
    yield place
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places_in(value[key], (*place, key))


MARK = "\x00here"


def variants(value, count):
    """A JSON value as text, with one value in it removed or replaced by each wrong one: so many, at random."""
    every = [(place, wrong) for place in places_in(value) for wrong in (None, *WRONG)]
    for place, wrong in random.Random(0).sample(every, min(count, len(every))):
        if not place:
            yield place, wrong, wrong or ""
            continue
        one = copy.deepcopy(value)
        inside = one
        for key in place[:-1]:
            inside = inside[key]
        if wrong is None:
            del inside[place[-1]]
            yield place, wrong, json.dumps(one)
        else:
            inside[place[-1]] = MARK
            yield place, wrong, json.dumps(one).replace(json.dumps(MARK), wrong)


def refused_in_words(action, about):
    """Whether an action is refused; anything but a UserError fails the test."""
    try:
        action()
    except UserError:
        return True
    except Exception as error:
        pytest.fail(f"{about}: {type(error).__name__}: {error}")
    return False


def resume(folder):
    parts = build(open_run(folder))
    parts.trainer.resume(folder / "checkpoint.safetensors", parts.loader)
    parts.trainer.fit(parts.loader, min(parts.trainer.epoch, 100) + 1, parts.watched)


@pytest.mark.parametrize(
    ("name", "action", "count"),
    [
        ("weights.safetensors", lambda folder: predict_run(folder, folder / "x.csv").rows(), 150),
        ("checkpoint.safetensors", resume, 250),
    ],
)
def test_a_header_that_is_something_else(changed, name, action, count):
    (changed / "x.csv").write_text("0,1\n1,-0.5\n")
    path = changed / name
    header, arrays = header_of(path)
    refused = 0
    for place, wrong, text in variants(header, count):
        save_file(arrays, path, {"ichikara": text})
        refused += refused_in_words(lambda: action(changed), f"{name} {place} {wrong and wrong[:20]}")
    assert refused > 100
    save_file(arrays, path, {"ichikara": json.dumps(header)})
    assert not refused_in_words(lambda: action(changed), "unchanged")


@pytest.mark.parametrize(
    ("name", "action"), [("weights.safetensors", lambda folder: trained(folder)), ("checkpoint.safetensors", resume)]
)
def test_arrays_that_are_others(changed, name, action):
    path = changed / name
    header, arrays = header_of(path)
    changes = {
        "gone": lambda array: None,
        "longer": lambda array: numpy.stack([array, array]),
        "whole": lambda array: array.astype("int64"),
        "truth": lambda array: array.astype(bool),
        "empty": lambda array: array[..., :0] if array.ndim else array.reshape(1)[:0],
    }
    for key in arrays:
        for change, of in changes.items():
            others = {name: array if name != key else of(array) for name, array in arrays.items()}
            others = {name: array for name, array in others.items() if array is not None}
            save_file(others, path, {"ichikara": json.dumps(header)})
            refused_in_words(lambda: action(changed), f"{name} {key} {change}")


def test_a_record_of_the_vault_that_is_something_else(changed):
    path, test = changed / "vault.json", build(open_run(changed)).test
    TestVault(test, path).open("first")
    record = json.loads(path.read_bytes())
    refused = 0
    for place, wrong, text in variants(record, 1000):
        path.write_text(text)
        refused += refused_in_words(
            lambda: TestVault(test, path).openings, f"vault.json {place} {wrong and wrong[:20]}"
        )
        assert path.read_text() == text
    assert refused > 50


def test_every_part_of_a_summary_is_checked(changed):
    summary, refused = json.loads((changed / "run.json").read_text()), 0
    for place, wrong, text in variants(summary, 400):
        (changed / "run.json").write_text(text)
        refused += refused_in_words(lambda: read_summary(changed), f"run.json {place} {wrong and wrong[:20]}")
    assert refused > 250


def test_a_summary_that_is_something_else_is_not_in_the_way(changed):
    (changed / "x.csv").write_text("0,1\n")
    for text in ("[]", "5", DEEP, ""):
        (changed / "run.json").write_text(text)
        assert not refused_in_words(lambda: predict_run(changed, changed / "x.csv"), text[:9])


def test_a_message_names_the_file_the_place_and_what_was_expected(changed):
    path = changed / "checkpoint.safetensors"
    header, arrays = header_of(path)
    for key, value, words in (
        ("epoch", "x", "'epoch' is 'x'; it should be a whole number"),
        ("epoch", -1, "'epoch' is -1; it should be at least 0"),
        ("history", [{"epoch": "one"}], "'history' is [{'epoch': 'one'}]; it should be a table"),
        ("engine", {"eager_because": "", "layouts": [5]}, "'engine.layouts[0]' is 5; it should be a text"),
        ("engine", 5, "'engine' is 5; it should be a table"),
    ):
        save_file(arrays, path, {"ichikara": json.dumps({**header, key: value})})
        with pytest.raises(UserError) as caught:
            resume(changed)
        assert str(path) in str(caught.value)
        assert words in str(caught.value)
