"""What some tests cannot do without; where it is missing they skip, and say so."""

import os

import pytest


def registry():
    """The registry of the wing that makes the engine fast; None where the wing is left out."""
    try:
        from ichikara.fast import registry
    except ModuleNotFoundError:
        return None
    return registry


def fast():
    """That steps can be captured, and that there are implementations of whole functions."""
    if not registry():
        pytest.skip("ICHIKARA_WITHOUT_FAST leaves it out")


def one_engine():
    """That the processes a test starts compute as it does itself: the wing is left out in this one alone."""
    if os.environ.get("ICHIKARA_WITHOUT_FAST"):
        pytest.skip("the processes that this test starts have ichikara.fast")


def kernels():
    """Compiled kernels. That their modules cannot be imported is no reason: then something is wrong with them."""
    pytest.importorskip("numba", reason="the kernels are compiled by Numba")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        pytest.skip("NUMBA_DISABLE_JIT leaves out the kernels", allow_module_level=True)
