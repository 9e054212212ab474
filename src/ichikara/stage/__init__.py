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
    r"""A faster version of a function: the first call is captured, and later calls are replayed.

    A step of a small network spends more time in Python than in computing: tensors and nodes are made, nodes are
    sorted, options are checked. All this is the same in each step. A replay calls the functions of arrays alone, one
    after the other. Its results agree with those of the function within rounding. Stage a whole training step, or the
    use of a network in `no_grad`::

        @ichikara.stage
        def step(x, y):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    The numbers of arrays and tensors among the arguments may differ in each call. The step is captured again for
    another shape or type, for another value of any other argument, and where something that it reads has changed: an
    attribute, a hook or a part of a module, its mode, a variable outside of the function, what is in a list or a
    dictionary. A step that changes such a value itself is captured in each call. Each replay reads the numbers of all
    tensors from outside and the options of the optimiser, and draws new random numbers. It changes what the step
    changes: parameters, their ``grad``, buffers, the state of the optimiser. *Everything else that Python does happens
    in the capture alone*, such as printing.

    The tensors that it returns have no graph, and to differentiate them is an error. Where an argument requires a
    gradient and the result depends on it, as in ``grad(stage(f))``, the function is called as it is.

    Arguments: ``step``, any function.

    Raises TypeError where the function asks for numbers that differ in each replay (``float(loss)``, ``if t > 0``,
    ``t.numpy()``), or changes an array in place. Raises RuntimeError where a value outlives the function (in a list, in
    an attribute that is no buffer) without being returned, and for a tensor from outside that requires a gradient and
    is no leaf.

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
