"""What some tests cannot do without; where it is missing they skip, and say so."""

import os

import pytest


def kernels():
    """Compiled kernels. That their modules cannot be imported is no reason: then something is wrong with them."""
    pytest.importorskip("numba", reason="the kernels are compiled by Numba")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        pytest.skip("NUMBA_DISABLE_JIT leaves out the kernels", allow_module_level=True)
