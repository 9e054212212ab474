"""Floor 5: a whole step, captured once and replayed. `ichikara.stage` is this package, and to call it is `stage`."""

import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["is_available", "stage"]


def stage(step: Callable) -> Any:
    r"""A function that does the same as this one, faster: its first call is recorded, and later calls are replayed.

    A step of a small network is spent in Python more than in computing: tensors are made, nodes recorded and sorted,
    options checked. All this is the same in each step. The replay calls the functions of arrays alone, one after the
    other, with the same numbers, within rounding, as a result. Give it a whole training step, or the use of a network
    in `no_grad`::

        @ichikara.stage
        def step(x, y):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    Arrays and tensors among the arguments may have other numbers in each call; another shape or type, another value
    of anything else, ``train()`` and ``eval()``, or parameters that take part for the first time lead to a new
    recording. The numbers of all tensors from outside are read anew in each call, and what a step changes is changed:
    parameters, their ``grad``, buffers, what an optimiser remembers. Random numbers are drawn anew, the optimiser's
    options read anew. *Everything else that Python does happens in the recording alone*: an ``if`` stays decided, a
    counter stays where it was, a list gets its element once.

    Arguments: ``step``, any function. What it returns is cut from the graph.

    Raises TypeError where the function looks at numbers that are others in each replay (``float(loss)``,
    ``if t > 0``, ``t.numpy()``) or changes an array in place; RuntimeError where it keeps a value (in a list, in an
    attribute that is no buffer) instead of returning it, and for a tensor that was made outside of it by operations
    that a gradient is wanted of.

    >>> import ichikara
    >>> w = ichikara.asarray([1.0, 2.0], requires_grad=True)
    >>> @ichikara.stage
    ... def slope(x):
    ...     w.grad = None
    ...     (w * x).sum().backward()
    ...     return w.grad * 2
    >>> slope(ichikara.asarray([3.0, 4.0])), slope(ichikara.asarray([5.0, 6.0]))
    (Tensor([6., 8.]), Tensor([10., 12.]))

    Source: the idea is that of ``jax.jit``; R. Frostig, M. Johnson and C. Leary, "Compiling machine learning programs
    via high-level tracing" (2018).
    """
    staged = _staged()
    if staged is None:
        _warn_once()
        return step
    return staged.Staged(step)


def is_available() -> bool:
    """Whether steps can be captured and replayed here: `ichikara.fast` can be imported."""
    return _staged() is not None


@lru_cache(1)
def _staged() -> ModuleType | None:
    """The module that captures and replays; None where it is not there."""
    try:
        return import_module("ichikara.fast.replay.staged")
    except ModuleNotFoundError as error:
        if error.name not in ("ichikara.fast", "ichikara.fast.replay"):
            raise
        return None


@lru_cache(1)
def _warn_once() -> None:
    warnings.warn("ichikara.fast cannot be imported, so staged functions are called as they are", stacklevel=3)


class _Stage(ModuleType):
    """A package that can be called: ``ichikara.stage(step)`` is ``ichikara.stage.stage(step)``."""

    def __call__(self, step):
        return stage(step)


sys.modules[__name__].__class__ = _Stage
