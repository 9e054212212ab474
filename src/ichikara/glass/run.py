"""A computation that is being explained: the value, what was seen while it was computed, and the variables around it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..autodiff import Tensor
from ..errors import UserError
from .trace import Trace, trace

__all__ = ["Run", "run"]


@dataclass
class Run:
    """Arguments: ``loss``, the value; ``trace``, what was seen, None for a value that was there already; ``variables``,
    in which names are looked up, the nearest first."""

    loss: Tensor
    trace: Trace | None
    variables: Sequence[Mapping[str, Any]]

    @property
    def modules(self) -> list[Any]:
        """The modules that were called outside of all others."""
        return [*self.trace.roots.values()] if self.trace else []


def run(
    loss: Tensor | Callable[[], Tensor], variables: Sequence[Mapping[str, Any]], call: Callable | None = None
) -> Run:
    """A value, or the run of a function that computes it, seen by a trace.

    Arguments: ``call``, calls the function, if it is not to be called as it is. Raises UserError where it is no tensor.
    """
    if isinstance(loss, Tensor):
        return Run(loss, None, variables)
    if not callable(loss):
        raise TypeError(f"a tensor, or a function that computes one, can be explained, not {type(loss).__name__}")
    with trace() as seen:
        found, local = _called(loss, call or loss)
    if not isinstance(found, Tensor):
        raise UserError(f"the function gave {type(found).__name__}, and the Tensor that is to be explained was expected")
    return Run(found, seen, [*local, *variables, getattr(loss, "__globals__", {})])


def _called(function: Callable, call: Callable) -> tuple[Any, list[Mapping[str, Any]]]:
    """What a function gives, and its variables when it returned."""
    code, found = getattr(function, "__code__", None), []
    if code is None:
        return call(), []

    def profile(frame, event, argument):
        if event == "return" and frame.f_code is code:
            found[:] = [dict(frame.f_locals)]

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        return call(), found
    finally:
        sys.setprofile(before)
