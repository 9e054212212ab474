"""A function whose first call is captured and whose later calls are replayed."""

import warnings
from collections.abc import Callable
from functools import partial, update_wrapper
from types import MethodType
from typing import Any

import numpy

from ...arrays import seam
from ...autodiff import Tensor, is_grad_enabled, raw
from .program import Program
from .recorder import Recorder

__all__ = ["Staged"]

MOST = 16
"""How many recordings are kept of a function."""


class Staged:
    """A function that is recorded and replayed; see `ichikara.stage`. ``recordings`` says how many there have been."""

    def __init__(self, step: Callable):
        if not callable(step):
            raise TypeError(f"a function can be staged, such as a training step, not {type(step).__name__}")
        update_wrapper(self, step)
        self.step = step
        self.recordings = 0
        self._programs: dict[Any, Program] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if isinstance(seam.interpreter, Recorder):
            return self.step(*args, **kwargs)  # a part of what is being recorded already
        arrays: list = []
        key: Any = is_grad_enabled()
        if args or kwargs:
            key = (key, _layout(args, arrays), _layout(kwargs, arrays))
        program = self._programs.get(key)
        if program is not None and program.fits():
            return program.replay(arrays)
        return self._record(key, args, kwargs, arrays)

    def replay_of(self, *args: Any, **kwargs: Any) -> Callable[[], Any] | None:
        """The replay that a call with these arguments would be now; None where it would be a recording.

        A recording computes with other kernels than a replay, so the two may differ by a rounding. Who wants the same
        bits from each call records first, undoes what that has changed, and takes replays alone.

        >>> import ichikara
        >>> double, x = ichikara.stage(lambda x: x * 2), ichikara.asarray([1.0, 2.0])
        >>> double.replay_of(x) is None
        True
        >>> _ = double(x)
        >>> double.replay_of(x)()
        Tensor([2., 4.])
        """
        arrays: list = []
        key: Any = is_grad_enabled()
        if args or kwargs:
            key = (key, _layout(args, arrays), _layout(kwargs, arrays))
        program = self._programs.get(key)
        return partial(program.replay, arrays) if program is not None and program.fits() else None

    def __get__(self, instance, owner=None):
        return self if instance is None else MethodType(self, instance)

    def _record(self, key, args, kwargs, arrays):
        self.recordings += 1
        self._programs.pop(key, None)
        if len(self._programs) >= MOST:
            self._programs.pop(next(iter(self._programs)))
            warnings.warn(
                f"{getattr(self, '__name__', 'a staged function')} was recorded {self.recordings} times: numbers and "
                "words among its arguments are part of a recording; give what changes from call to call as a tensor, "
                "and keep to a few shapes",
                stacklevel=3,
            )
        recorder = Recorder()
        result, self._programs[key] = recorder.record(self.step, args, kwargs, arrays)
        return result

    def __repr__(self):
        return f"<staged {self.step!r}>"


def _layout(tree: Any, arrays: list) -> Any:
    """What of arguments is part of a recording; the arrays, whose numbers are not, are put into the list."""
    kind = type(tree)
    if isinstance(tree, Tensor):
        if tree.requires_grad:
            return kind, id(tree)  # a leaf: this very one
        array = raw(tree)
        arrays.append(array)
        return kind, array.shape, array.dtype, array.strides
    if kind is numpy.ndarray:
        arrays.append(tree)
        return kind, tree.shape, tree.dtype, tree.strides
    if kind is dict:
        return kind, tuple((key, _layout(value, arrays)) for key, value in tree.items())
    if isinstance(tree, tuple | list):
        return kind, tuple(_layout(value, arrays) for value in tree)
    try:
        hash(tree)
    except TypeError:
        raise TypeError(
            f"an argument of a staged function is a tensor, an array, a number, a word, a module, or a tuple, list or "
            f"dictionary of such, not {kind.__name__}"
        ) from None
    return kind, tree
