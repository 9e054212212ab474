"""What all tests share: hypothesis draws the same examples every time, and the other frameworks are oracles only."""

import os
import sys

# JAX reads these when it is first imported: the tests never need an accelerator, and compile more than they compute.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
# With ICHIKARA_WITHOUT_FAST=1 the wing cannot be imported: all tests pass but its own.
if os.environ.setdefault("ICHIKARA_WITHOUT_FAST", ""):
    sys.modules["ichikara.fast"] = None

import hypothesis
import numpy
import pytest

import ichikara

hypothesis.settings.register_profile("ichikara", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("ichikara")


if os.environ["ICHIKARA_WITHOUT_FAST"]:
    ITS_OWN = ("compiled", "implementations", "kernels", "stage", "stage_guards", "train_engine", "workers")
    collect_ignore = [f"test_{name}.py" for name in ITS_OWN]


def pytest_configure(config):
    """Where the wing is left out, the warning that says so is expected."""
    if os.environ["ICHIKARA_WITHOUT_FAST"]:
        config.addinivalue_line("filterwarnings", "ignore:ichikara.fast cannot be imported")


@pytest.fixture(autouse=True)
def _seeded():
    """Every test starts from the same random numbers."""
    numpy.random.seed(0)  # noqa: NPY002 - what a library draws behind our back
    ichikara.seed(0)


@pytest.fixture(scope="session")
def torch():
    """PyTorch, as an oracle."""
    module = pytest.importorskip("torch", reason="PyTorch is the oracle of this test, and is not installed")
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="session")
def jax():
    """JAX, as an oracle, with float64."""
    module = pytest.importorskip("jax", reason="JAX is the oracle of this test, and is not installed")
    module.config.update("jax_enable_x64", True)
    module.config.update("jax_disable_most_optimizations", True)  # what is compiled runs once
    return module


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Call the command in an empty folder: exit status, standard output, standard error."""
    from ichikara.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["ichikara", *map(str, words)])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    return call
