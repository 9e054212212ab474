"""What the README and the examples show is run."""

import ast
import doctest
import importlib.util
import os
import re
import tomllib
from pathlib import Path

import pytest

from ichikara.data import datasets
from ichikara.recipes import MODELS, Recipe, build, load_recipe
from ichikara.recipes.build import AUGMENTATIONS, OPTIMIZERS, SCHEDULES
from ichikara.train import LOSSES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_readme_s_programs_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(README, "python"):
        if block.startswith("@op"):
            source = (ROOT / "src/ichikara/ops/trigonometry.py").read_text(encoding="utf-8")
            squeeze = lambda code: re.sub(r"\n+", "\n", code)
            assert squeeze(block) in squeeze(source)
        else:
            exec(block, names)
    printed = capsys.readouterr().out
    assert float(re.search(r"^([0-9.]+)%$", printed, re.MULTILINE)[1]) > 95
    assert "∂loss/∂" in printed or "∂L/∂" in printed
    assert (tmp_path / "graph.svg").stat().st_size > 1000


def test_the_readme_s_recipe_is_one():
    (text,) = blocks(README, "toml")
    assert Recipe.model_validate(tomllib.loads(text)).model.options == {"hidden": [32, 32]}


def test_the_paper_on_recipes_names_what_there_is():
    text = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`([\w-]+)`", text))
    for registry in (datasets, MODELS, LOSSES, OPTIMIZERS, SCHEDULES, AUGMENTATIONS):
        assert set(registry) <= names, set(registry) - names
    for table in Recipe.model_fields:
        assert f"[{table}]" in text or table in names, table
    model = tomllib.loads(blocks(text, "toml")[0])["model"]
    recipe = load_recipe("digits", ["data.as_images=true"])
    recipe.model = type(recipe.model).model_validate(model)
    assert build(recipe).model[0].in_channels == 1


def test_the_japanese_readme_shows_the_same_programs():
    bare = lambda code: re.sub(r"\s*#.*", "", code).split()
    assert bare(blocks(JAPANESE, "python")[0]) == bare(blocks(README, "python")[0])
    assert "pip install . && ichikara train digits" in JAPANESE


def test_links_in_the_papers_lead_somewhere():
    for paper in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", paper.read_text(encoding="utf-8")):
            assert (paper.parent / target).exists(), f"{paper.name} links to {target}"


def test_the_observer_in_the_paper_on_architecture_runs(capsys):
    (program,) = blocks((ROOT / "docs/architecture.md").read_text(encoding="utf-8"), "python")
    exec(program, {})
    assert capsys.readouterr().out.split() == ["multiply", "sum"]


def test_the_paper_on_architecture_is_short():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    folders = {path.name for path in (ROOT / "src/ichikara").iterdir() if (path / "__init__.py").exists()}
    assert {f"{name}/" for name in folders} <= set(text.split())


ENGINE = (ROOT / "docs/engine.md").read_text(encoding="utf-8")
PAGE = (ROOT / "src/ichikara/autodiff/engine.py").read_text(encoding="utf-8")


def test_the_engine_is_printed_whole():
    assert [line for block in blocks(ENGINE, "python") for line in block.splitlines() if line] == [
        line for line in PAGE.splitlines() if line
    ]


def test_the_engine_is_a_page():
    assert len(PAGE.splitlines()) <= 200
    for node in ast.walk(ast.parse(PAGE)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 25, node.name
    assert not re.search(r";\s*$|;\s+\w", re.sub(r'""".*?"""|#.*', "", PAGE, flags=re.DOTALL))


def test_the_walk_through_the_engine_is_true():
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks(ENGINE, "pycon")), {}, "engine.md", None, 0)
    assert len(examples.examples) > 15
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_the_paper_on_glass_is_true(tmp_path, monkeypatch):
    paper = (ROOT / "docs/glass.md").read_text(encoding="utf-8")
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks(paper, "pycon")), {}, "glass.md", None, 0)
    assert examples.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples).failed == 0
    monkeypatch.chdir(tmp_path)
    names = {}
    for program in blocks(paper, "python"):
        exec(program, names)
    assert (tmp_path / "graph.svg").stat().st_size > 1000


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif("ICHIKARA_DATA" not in os.environ, reason="ICHIKARA_DATA names no folder with MNIST in it")
def test_nielsens_network_learns_in_one_epoch():
    assert example("nielsen_chapter1").main(hidden=10, epochs=1) > 0.6
