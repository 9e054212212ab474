"""What some tests cannot do without; where it is missing they skip, and say so."""

import os
import sys

import pytest


def fast():
    """The wing that makes the engine fast."""
    if "ichikara.fast" in sys.modules and sys.modules["ichikara.fast"] is None:
        pytest.skip("ICHIKARA_WITHOUT_FAST leaves out ichikara.fast", allow_module_level=True)


def kernels():
    """Compiled kernels. That their modules cannot be imported is no reason: then something is wrong with them."""
    fast()
    pytest.importorskip("numba", reason="the kernels are compiled by Numba")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        pytest.skip("NUMBA_DISABLE_JIT leaves out the kernels", allow_module_level=True)
