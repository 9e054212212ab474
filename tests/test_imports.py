"""The house: what is imported when, which floor may see which, how long a file is; and every example in a docstring."""

import ast
import doctest
import importlib
import os
import subprocess
import sys
from pathlib import Path

import needs
import numpy
import pytest

import ichikara

SOURCE = Path(ichikara.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

FLOORS = {
    "checks": 0,
    "errors": 0,
    "memory": 0,
    "pytorch_names": 0,
    "strict_json": 0,
    "validation": 0,
    "words": 0,
    "charts": 1,
    "arrays": 1,
    "autodiff": 2,
    "ops": 3,
    "nn": 4,
    "optim": 4,
    "data": 4,
    "zoo": 5,
    "glass": 5,
    "stage": 5,
    "fast": 5,
    "xla": 5,
    "train": 6,
    "plot": 7,
    "interop": 7,
    "recipes": 8,
    "course": 9,
    "cli": 10,
    "__main__": 10,
}
HEAVY = ("numba", "jax", "torch", "matplotlib", "sklearn", "scipy", "typer", "rich", "pydantic", "pandas")


def module_of(path):
    """The dotted name of a file."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(name):
    """The floor of a module; None for the package itself."""
    parts = name.split(".")
    return FLOORS[parts[1]] if len(parts) > 1 else None


def imports_of(path):
    """The absolute names of what a file imports, inside functions too; the package, for a name that is no module."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                yield whole if whole in KNOWN else ".".join(base)


def packages_of(name):
    """The packages that a module lies in."""
    parts = name.split(".")
    return {".".join(parts[:k]) for k in range(1, len(parts))}


def run_by(path):
    """The files that run when all imports of a file have run: the modules, and the packages that they lie in.

    The packages that the file lies in itself are left out: they are being imported already.
    """
    own = module_of(path)
    found = {name for name in imports_of(path) if name in KNOWN}
    return found | {package for name in found for package in packages_of(name) - packages_of(own) - {own}}


def circle_in(graph):
    """The names of a circle in a graph, the first one twice; empty if there is none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done or name not in graph:
            return []
        path.append(name)
        found = next((circle for other in sorted(graph[name]) if (circle := visit(other))), [])
        path.pop()
        done.add(name)
        return found

    return next((circle for name in sorted(graph) if (circle := visit(name))), [])


KNOWN = {module_of(path) for path in FILES}


def run(code):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, timeout=120
    )


def test_importing_the_package_loads_nothing_heavy():
    done = run(f"import ichikara, sys; print(*[name for name in {HEAVY} if name in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_computing_and_differentiating_loads_nothing_heavy():
    done = run(
        "import ichikara, sys\n"
        "x = ichikara.asarray([[1.0, 2.0]], requires_grad=True)\n"
        "ichikara.cross_entropy(ichikara.linear(x, [[1.0, 2.0], [3.0, 4.0]]), [1]).backward()\n"
        "ichikara.check_grads(lambda x: x.softmax(), [1.0, 2.0])\n"
        f"print(x.grad.shape, *[name for name in {HEAVY} if name in sys.modules])"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 2)"


@pytest.mark.parametrize(
    "name", sorted(name for name in KNOWN if name.count(".") == 1 and not name.endswith("__main__"))
)
def test_each_floor_can_be_imported_first(name):
    done = run(f"import {name}")
    assert done.returncode == 0, done.stderr


def test_every_folder_has_a_floor():
    assert {name.split(".")[1] for name in KNOWN if "." in name} <= set(FLOORS)


@pytest.mark.parametrize("path", [p for p in FILES if p != SOURCE / "__init__.py"], ids=module_of)
def test_nothing_is_imported_from_a_higher_floor(path):
    own = floor_of(module_of(path))
    for name in imports_of(path):
        if name.split(".")[0] == "ichikara":
            floor = floor_of(name)
            if floor is None and "lessons" in path.parts:  # a lesson is written as a user writes
                continue
            assert floor is not None, f"{module_of(path)} imports the whole package"
            assert floor <= own, f"{module_of(path)} (floor {own}) imports {name} (floor {floor})"


def test_there_are_no_circles():
    """Imports inside functions and `__init__` files counted.

    So a file that imports a name from the `__init__` of its own package, which imports the file, is a circle.
    """
    assert " → ".join(circle_in({module_of(path): run_by(path) for path in FILES})) == ""


def test_a_circle_is_found():
    """So that the test above does not pass by finding none."""
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"a"}}) == ["a", "a"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if module_of(p).split(".")[1:2] in (["autodiff"], ["ops"], ["nn"], ["optim"])],
    ids=module_of,
)
def test_only_the_arrays_floor_names_a_library_of_arrays(path):
    assert not {name.split(".")[0] for name in imports_of(path)} & {"numpy", "jax", "numba", "scipy"}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_file_is_at_most_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("name", sorted(KNOWN - {"ichikara.__main__"}))
def test_the_examples_in_docstrings(name):
    """Operations carry `__wrapped__`, so the finder reaches the function whose docstring it is."""
    if name.startswith("ichikara.fast") and not needs.registry():
        pytest.skip("ICHIKARA_WITHOUT_FAST leaves it out")
    if name.startswith(("ichikara.fast.jit", "ichikara.fast.kernels", "ichikara.fast.threads")):
        needs.kernels()
    module = importlib.import_module(name)
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    with numpy.printoptions():
        for test in finder.find(module, module.__name__):
            runner.run(test)
    assert runner.failures == 0


def test_the_examples_are_found():
    """So that the test above does not pass by finding none."""
    for name, at_least in (("autodiff.functional", 6), ("ops.indexing", 1), ("ops.linalg", 1)):
        found = doctest.DocTestFinder().find(importlib.import_module(f"ichikara.{name}"))
        assert sum(bool(test.examples) for test in found) >= at_least
