"""The epilogue of a kernel: ReLU, or the gradient of ReLU, applied to sums while they are in the cache.

ReLU leaves nan as it is.
"""

from ..jit.lazy import inner
from ..workspace import contiguous

__all__ = ["APPLY_MASK", "APPLY_RELU", "RELU", "apply_epilogue", "apply_mask", "apply_relu", "encode_epilogue"]

RELU = "relu"
"""The epilogue that applies ReLU."""

APPLY_RELU, APPLY_MASK = 1, 2  # the codes of epilogues, 0 for none


def encode_epilogue(y, epilogue):
    """The code of an epilogue of an array, and its mask; where there is no mask, the array itself stands for it.

    Arguments: ``epilogue``, None; `RELU`; or a mask of the same shape: where that is not greater than 0, y is set to 0.
    """
    if epilogue is None:
        return 0, y
    if epilogue is RELU:
        return APPLY_RELU, y
    return APPLY_MASK, contiguous(epilogue)


@inner
def apply_relu(row):
    """Apply ReLU to a row in place. In compiled code."""
    zero = row.dtype.type(0)
    for j in range(row.size):
        # abs changes nothing here, but without it the compiler makes a branch, to store only what changes.
        row[j] = abs(zero if row[j] <= zero else row[j])


@inner
def apply_mask(row, mask):
    """Set a row to 0 where the mask is not greater than 0, in place. In compiled code."""
    zero = row.dtype.type(0)
    for j in range(row.size):
        row[j] = row[j] if mask[j] > zero else zero


@inner
def apply_epilogue(array, top, bottom, left, right, code, mask):
    """Apply an epilogue to these rows and columns of an array in place. In compiled code.

    Arguments: ``code`` and ``mask``, as of `encode_epilogue`.
    """
    for r in range(top, bottom if code else top):
        # The compiler knows that a row of the whole array is contiguous.
        if code == APPLY_RELU:
            apply_relu(array[r, left:right])
        else:
            apply_mask(array[r, left:right], mask[r, left:right])
