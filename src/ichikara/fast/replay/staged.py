"""A function whose first call is captured and whose later calls are replayed."""

import warnings
from collections.abc import Callable
from functools import partial, update_wrapper
from types import MethodType
from typing import Any

import numpy

from ...arrays import seam
from ...autodiff import Tensor, flatten, is_grad_enabled, raw
from ...autodiff.graph import reaches
from ...nn import PackedSequence
from .program import Program
from .tracer import Tracer

__all__ = ["Staged"]

MOST = 16
"""How many captures of a function there are at a time."""


class Staged:
    """A function that is captured and replayed; see `ichikara.stage`.

    Attributes: ``captures``, how often it has been captured.
    """

    def __init__(self, step: Callable):
        if not callable(step):
            raise TypeError(f"a function can be staged, such as a training step, not {type(step).__name__}")
        update_wrapper(self, step)
        self.step = step
        self.captures = 0
        self._programs: dict[Any, Program] = {}
        self._changes = 0  # how often a capture took the place of another one for the same arguments
        self._has_warned = False
        self._has_graph: bool | None = None  # whether results were made from arguments that require a gradient

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if isinstance(seam.interpreter, Tracer):
            return self.step(*args, **kwargs)  # it is a part of what is being captured
        key, arrays = _signature(args, kwargs)
        program = self._programs.get(key)
        if program is not None and program.fits():
            return program.replay(arrays)
        wanted = _differentiable(args, kwargs) if is_grad_enabled() else []
        # A caller that differentiates by arguments wants a graph, and gives other tensors each time.
        if wanted and not (self._has_graph is False and all(tensor.is_leaf for tensor in wanted)):
            result = self.step(*args, **kwargs)
            self._has_graph = self._has_graph or _depends(result, wanted)
            return result
        return self._capture(key, args, kwargs, arrays)

    def replay_of(self, *args: Any, **kwargs: Any) -> Callable[[], Any] | None:
        """The replay that a call with these arguments would be now; None where the call would capture the step.

        A capture computes with other kernels than a replay, so the two agree within rounding. To get the same bits from
        each call, capture the step, undo what that has changed, and use replays alone.

        >>> import ichikara
        >>> double, x = ichikara.stage(lambda x: x * 2), ichikara.asarray([1.0, 2.0])
        >>> double.replay_of(x) is None
        True
        >>> _ = double(x)
        >>> double.replay_of(x)()
        Tensor([2., 4.])
        """
        key, arrays = _signature(args, kwargs)
        program = self._programs.get(key)
        return partial(program.replay, arrays) if program is not None and program.fits() else None

    def __get__(self, instance, owner=None):
        return self if instance is None else MethodType(self, instance)

    def _capture(self, key, args, kwargs, arrays):
        self.captures += 1
        before = self._programs.pop(key, None)
        if before is not None:
            self._changes += 1
            if self._changes == MOST:
                changed = before.guards.python.changed()
                self._warn(f"each change of {changed} is another capture" if changed else "something changes each time")
        if len(self._programs) >= MOST:
            self._programs.pop(next(iter(self._programs)))
            self._warn("numbers and strings among its arguments are part of a capture, and so are shapes")
        result, self._programs[key] = Tracer().capture(self.step, args, kwargs, arrays)
        return result

    def _warn(self, why):
        """Say once why there are many captures."""
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"{getattr(self, '__name__', 'a staged function')} was captured {self.captures} times: {why}; give "
                "what changes from call to call as a tensor, and keep to a few shapes",
                stacklevel=4,
            )

    def __repr__(self):
        return f"<staged {self.step!r}>"


def _signature(args: tuple, kwargs: dict) -> tuple[Any, list]:
    """The key of the program for these arguments, and the arrays among them."""
    arrays: list = []
    if not (args or kwargs):
        return is_grad_enabled(), arrays
    given = tuple([_layout(value, arrays) for value in args])
    return (is_grad_enabled(), given, _layout(kwargs, arrays) if kwargs else None), arrays


def _differentiable(*trees: Any) -> list[Tensor]:
    """The tensors that require a gradient."""
    return [leaf for leaf in flatten(trees)[0] if isinstance(leaf, Tensor) and leaf.requires_grad]


def _depends(result: Any, tensors: list[Tensor]) -> bool:
    """Whether a result can be differentiated by one of these tensors."""
    nodes = {tensor._node for tensor in tensors}
    return any(reaches(tensor._node, nodes) for tensor in _differentiable(result))


def _layout(tree: Any, arrays: list) -> Any:
    """The part of the arguments that a capture is for; the arrays, whose numbers may differ, go to the list."""
    kind = type(tree)
    if isinstance(tree, Tensor):
        if tree.requires_grad:
            return kind, id(tree)  # the capture is for this leaf
        array = raw(tree)
        arrays.append(array)
        return kind, array.shape, array.dtype, array.strides
    if kind is numpy.ndarray:
        arrays.append(tree)
        return kind, tree.shape, tree.dtype, tree.strides
    if kind is dict:
        return kind, tuple((key, _layout(value, arrays)) for key, value in tree.items())
    if kind is PackedSequence:  # its lengths decide shapes
        rest = [None if part is None else (part.dtype, raw(part).tobytes()) for part in tree[1:]]
        return kind, _layout(tree.data, arrays), *rest
    if isinstance(tree, tuple | list):
        return kind, tuple([_layout(value, arrays) for value in tree])
    try:
        hash(tree)
    except TypeError:
        raise TypeError(
            "an argument of a staged function is a tensor, an array, a number, a string, a module, or a tuple, list or "
            f"dictionary of such, not {kind.__name__}"
        ) from None
    return kind, repr(tree) if kind is float else tree  # 0.0 is equal to -0.0, and not the same
