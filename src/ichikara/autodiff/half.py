"""Half precision: what adds up many numbers does so in float32, and gives its result in the type of its inputs.

float16 ends at 65504, which the sum of a few squares exceeds, and has three digits, which a long sum loses. So the
inputs are turned into float32 before, and the result is turned back after. Both are operations: gradients take the same
way.

Source: P. Micikevicius et al., "Mixed Precision Training" (2018), section 3.3.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ..arrays import float32, is_floating, is_half

__all__ = ["has_half_precision", "in_float32"]


def has_half_precision(x: Any) -> bool:
    """Whether this is an array or a tensor of half precision."""
    dtype = getattr(x, "dtype", None)
    return dtype is not None and is_half(dtype)


def in_float32(function: Callable, inputs: Sequence, *rest: Any, **options: Any) -> Any:
    """What a function gives for these inputs, computed in float32; further results stay float32.

    The result is of half precision if all inputs were, as the wider type of several wins.
    """
    dtypes = {x.dtype for x in inputs if hasattr(x, "dtype") and is_floating(x)}
    wide = [x.astype(float32) if has_half_precision(x) else x for x in inputs]
    y, *others = found if (found := function(*wide, *rest, **options)).__class__ is tuple else (found,)
    if len(dtypes) == 1 and y.dtype == float32:
        y = y.astype(dtypes.pop())
    return (y, *others) if others else y
