"""`ichikara doctor` and `ichikara explain`: a run, a recipe, a function of one's own; mistakes; both languages."""

import json
import re

import pytest

PROGRAM = """
import numpy
from ichikara import asarray, nn, optim
from ichikara.glass import Case

inputs = numpy.random.default_rng(0).normal(size=(64, 3)).astype("float32")
targets = (inputs.sum(axis=1) > 0).astype("int64")
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
loss = nn.CrossEntropyLoss()

def compute():
    return loss(model(inputs), asarray(targets))

def sick():
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(40):
        compute().backward()
        optimizer.step()

def sound():
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    for _ in range(400):
        optimizer.zero_grad()
        compute().backward()
        optimizer.step()

def case():
    return Case(losses=[2.3, 2.4, 2.3, 2.5, 2.3])

def idle():
    return compute()

def broken():
    return 1 / 0
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def titles(text):
    return re.findall(r"^\d+\. (.+?)(?: \(|（)", text, re.MULTILINE)


def test_a_loop_of_ones_own_is_examined(run, program):
    code, out, _ = run("doctor", f"{program}:sick", "--lang", "en")
    assert (code, titles(out)) == (0, ["The gradients are never cleared"])
    line = 1 + PROGRAM.splitlines().index("        compute().backward()")
    assert f"Code: mine.py:{line}" in out
    code, out, _ = run("doctor", f"{program}:sick", "--lang", "ja")
    assert "勾配" in titles(out)[0]
    code, out, _ = run("doctor", f"{program}:sound", "--lang", "en")
    assert (code, titles(out)) == (0, [])
    assert "No fault was found." in out


def test_a_function_may_say_what_it_knows(run, program):
    _, out, _ = run("doctor", f"{program}:case", "--lang", "en")
    assert titles(out) == ["The loss does not fall, and the cause is not known"]
    _, out, _ = run("doctor", f"{program}:case", "--json")
    assert [finding["name"] for finding in json.loads(out)["findings"]] == ["unknown"]


def test_a_recipe_and_its_run_are_told_the_same(run, tmp_path):
    settings = ["--set", "optimizer.lr=3", "--set", "training.epochs=3"]
    code, of_recipe, _ = run("doctor", "digits", "--lang", "en", *settings)
    assert (code, titles(of_recipe)) == (0, ["The learning rate is too high"])
    assert run("train", "digits", "--out", str(tmp_path / "sick"), *settings)[0] == 0
    code, of_run, _ = run("doctor", str(tmp_path / "sick"), "--lang", "en")
    assert (code, of_run) == (0, of_recipe)
    _, of_run, _ = run("doctor", str(tmp_path / "sick"), "--lang", "ja")
    assert "学習率" in titles(of_run)[0]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nowhere", "nowhere"),
        ("mine.py:idle", "no optimiser updated a network"),
        ("mine.py:broken", "line 34: ZeroDivisionError"),
        ("mine.py:missing", "has no function 'missing'"),
        (".", "run.json"),
    ],
)
def test_a_mistake_is_answered_in_one_line(run, program, monkeypatch, what, said):
    monkeypatch.chdir(program.parent)
    code, out, err = run("doctor", what)
    assert (code, out) == (2, "")
    assert said in err
    assert err.startswith("error: ")
    assert len(err.strip().splitlines()) == 1


def test_damaged_findings_are_an_error(run, tmp_path):
    assert run("train", "xor", "--out", str(tmp_path / "xor"), "--set", "training.epochs=2")[0] == 0
    summary = tmp_path / "xor" / "run.json"
    found = json.loads(summary.read_text())
    finding = {
        "name": "no_such_rule", "certainty": "certain", "evidence": {}, "layer": "", "step": None, "line": "",
        "lesson": "", "explains": [],
    }  # fmt: skip
    summary.write_text(json.dumps({**found, "findings": [finding]}))
    code, _, err = run("doctor", str(tmp_path / "xor"))
    assert code == 2
    assert "run.json is damaged" in err
    del found["findings"]
    summary.write_text(json.dumps(found))
    assert "was not examined" in run("doctor", str(tmp_path / "xor"))[2]


def test_a_function_is_explained(run, program):
    code, out, _ = run("explain", f"{program}:compute", "--wrt", "model.2.weight", "--lang", "en")
    assert code == 0
    assert "The derivative of" in out.splitlines()[0]
    assert "model.2.weight" in out
