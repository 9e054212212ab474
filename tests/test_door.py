"""The command at its edges: faults, lack of memory, any text of a user's, any terminal, a reader that has gone."""

import io
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ichikara.cli import main
from ichikara.cli.output import err, out, prepare_streams, print_json
from ichikara.data.registry import datasets
from ichikara.errors import UserError
from ichikara.recipes.schema import load_recipe, options_of, packaged


def one_line(answer, status=2):
    code, printed, said = answer
    assert code == status, said
    assert printed == ""
    (line,) = said.strip().splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


# --- how it ends ------------------------------------------------------------------------------------------------------


def failing(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("ichikara.recipes.evaluate_run", fail)


def test_a_fault_is_one_line_with_a_file_for_a_report(run, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, KeyError("a [/red]\nname"))
    said = one_line(run("evaluate", "r"), status=1)
    assert "please report it" in said
    (file,) = tmp_path.glob("ichikara-error-*")
    assert str(file) in said
    assert "Traceback" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name != "posix"


@pytest.mark.parametrize("words", [["--debug", "evaluate", "r"], ["evaluate", "r"]])
def test_a_traceback_is_shown_to_whoever_asks(words, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, KeyError("name"))
    if "--debug" not in words:
        monkeypatch.setenv("ICHIKARA_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["ichikara", *words])
    with pytest.raises(SystemExit):
        main()
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(), 0, ""),
        (MemoryError("9 TB"), 2, "error: memory ran out (9 TB)"),
        (PermissionError(13, "Permission denied", "/x/y"), 2, "error: /x/y cannot be used: Permission denied"),
        (UserError("two\n  lines"), 2, "error: two lines"),
    ],
)
def test_each_end_has_its_status(run, monkeypatch, error, status, expected):
    failing(monkeypatch, error)
    code, printed, said = run("evaluate", "r")
    assert (code, printed) == (status, "")
    assert said.startswith(expected)
    assert len(said.splitlines()) <= 1


def test_a_reader_that_has_gone_is_no_error():
    for words in (["recipes"], ["recipes", "--json"], ["--help"]):
        with subprocess.Popen(
            [sys.executable, "-c", "from ichikara.cli import main; input(); main()", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            process.stdout.close()
            process.stdin.write(b"\n")
            process.stdin.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


# --- what a user wrote ------------------------------------------------------------------------------------------------


RECIPE = """
title = {title}
[data]
name = "csv"
path = {path}
header = true
[split]
test = 0.2
[model]
name = "mlp"
hidden = [2]
[optimizer]
name = "Adam"
[training]
epochs = 1
"""


@pytest.mark.parametrize("text", ["a [/red] [bold]b", "猫 :smile: 🦊", "$x_$ \\frac{ {{ }} %s", "a\x1b[31mb"])
def test_any_text_of_a_users_is_printed_as_it_is(run, monkeypatch, tmp_path, text):
    monkeypatch.setattr("ichikara.recipes.run._report", lambda *_: None)  # which has tests of its own
    name = text.replace("\x1b", "").replace("/", "_").replace("\\", "_")
    rows = "".join(f"{i % 7},{i % 2},{text if i % 2 else 'other'}\n" for i in range(40))
    (tmp_path / f"{name}.csv").write_text(f"{text},b,class\n{rows}", encoding="utf-8")
    title, path = (json.dumps(each, ensure_ascii=False) for each in (text, f"{name}.csv"))
    (tmp_path / f"{name}.toml").write_text(RECIPE.format(title=title, path=path), encoding="utf-8")
    seen = text.replace("\x1b", "\\x1b")
    status, _, said = run("train", f"{name}.toml", "--out", name)
    assert status == 0, said
    assert seen in said
    assert f"ichikara evaluate {name}" in said
    assert run("evaluate", name)[0] == run("summary", f"{name}.toml")[0] == 0
    status, printed, _ = run("predict", name, f"{name}.csv")
    assert status == 0
    assert seen in printed or "other" in printed
    assert name in one_line(run("train", f"{name}.toml", "--out", name))
    for words in (
        ["train", text],
        ["evaluate", f"no {text}"],
        ["predict", name, text],
        ["train", "xor", "--set", text],
    ):
        assert seen in one_line(run(*words))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932"])
def test_an_encoding_without_the_characters(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    prepare_streams()
    value = {"class": "猫 é 🦊 →", "loss": float("nan")}
    print_json(value)
    out.print("猫 🦊 → · é \udcff")
    err.print("猫 🦊 → · é \udcff")
    stream.flush()
    first, *rest = stream.buffer.getvalue().decode(encoding).splitlines()
    assert json.loads(first) == {**value, "loss": None, "not_finite": {"loss": "nan"}}
    assert len(rest) == 2
    assert "?" not in rest[0]


# --- what a recipe holds ----------------------------------------------------------------------------------------------

WRONG = ["x", 5, -1, 1.5, True, [], {}, [[[]]], [5], {"a": {"b": 1}}, 2**62, float("nan"), "a" * 5000]
LEAKS = re.compile(r"Input|instance|_Component|lax|function-|valid |union|type=|unhashable|pydantic")


def in_our_words(action):
    """Do it; if it is refused, in words that are ours and not too many. No other error may come of it."""
    said = ""
    try:
        action()
    except UserError as error:
        said = str(error)
    assert not LEAKS.search(said), said
    assert len(said) < 1500


def test_every_key_of_a_recipe_with_every_wrong_value():
    given = {"title", "seed", "baseline", "augment", "schedule", "initialisation", "early_stopping", "data.name"}
    for name in packaged():
        for table, value in load_recipe(name).model_dump().items():
            given |= {table, *(f"{table}.{key}" for key in value)} if isinstance(value, dict) else {table}
    for key in sorted(given):
        for wrong in WRONG:
            text = json.dumps(wrong).replace("{", "{ ").replace(": ", " = ").replace('"a"', "a").replace('"b"', "b")
            in_our_words(lambda: load_recipe("moons", [f"{key}={text.replace('NaN', 'nan')}"]))  # noqa: B023


@pytest.mark.parametrize("name", sorted(datasets))
def test_every_option_of_a_data_set_with_every_wrong_value(name):
    import inspect

    for option in inspect.signature(datasets[name]).parameters:
        for wrong in WRONG:
            in_our_words(lambda: options_of(datasets[name], {option: wrong}, "data"))  # noqa: B023


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = " + "[" * 3000 + "]" * 3000, "nested too deep"),
        ("a = " + "{a = " * 3000, "nested too deep"),
        ("a" + ".a" * 20000 + " = 1", "key of more than 50 parts"),
        ("[" + "a." * 20000 + "a]", "key of more than 50 parts"),
        ("seed = " + "9" * 5000, "64 bits"),
        ("seed = 0x" + "f" * 5000, "64 bits"),
        ("title = '" + "a" * 2_000_000 + "'", "262,144 characters"),
    ],
    ids=lambda value: value[:12],
)
def test_a_recipe_that_no_person_has_written(run, tmp_path, text, expected):
    (tmp_path / "r.toml").write_text(text)
    assert expected in one_line(run("train", "r.toml"))
    if "\n" not in text and text.startswith("seed"):
        assert expected in one_line(run("train", "xor", "--set", text))


def test_sizes_are_counted_before_memory_is_used(run, monkeypatch):
    monkeypatch.setattr("ichikara.recipes.memory.available", lambda: 20e6)
    said = one_line(run("train", "digits", "--set", "model.hidden=[9000, 9000]"))
    assert "model.hidden = 9_000 needs more memory than there is: the parameters have at least" in said
    assert "20,000,000 are free" in said
    said = one_line(run("train", "digits", "--set", "model.hidden=[4000]", "--set", "training.batch_size=1200"))
    assert "training.batch_size = 1200" in said
    assert "for activations" in said
    assert run("summary", "digits")[0] == 0


def test_a_loss_whose_options_are_wrong_is_found_before_the_training(run):
    for option in ("label_smoothing='a'", "label_smoothing=5", "weight=[1]"):
        assert one_line(run("train", "digits", "--set", f"loss={{name='cross_entropy',{option}}}")).startswith("loss: ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "xor", "--out", ""], "'--out': it is empty"),
        (["evaluate", ""], "'RUN': it is empty"),
        (["train", "."], ". is a folder"),
        (["cross-validate", "xor", "--picture", "none/x.png"], "none/x.png is no name of a picture"),
        (["train", "xor", "--seed", "x"], "'--seed': it should be a valid integer"),
        (["trian"], "did you mean 'train'"),
    ],
)
def test_wrong_words(run, words, expected):
    assert expected.lower() in one_line(run(*words)).lower()
    assert list(Path().iterdir()) == []
