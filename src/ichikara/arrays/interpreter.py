"""The seam: one small interface between what computes, and what computes faster, captures or watches.

The engine, the layers and the optimisers tell the *interpreter* of their thread what they are about to do, and ask it
for the result. The plain `Interpreter` calls every function as it is written and lets everything else pass. Kernels,
captures for a replay and tracers are other interpreters; the floors below know none of them.

Source: M. Johnson, "Autodidax: JAX core from scratch", where a stack of interpreters gives a function its meaning.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import wraps
from typing import Any

from .contexts import contextmanager

__all__ = ["EVENTS", "Interpreter", "Observer", "attach", "effectful", "interpreting", "seam"]


class Interpreter:
    """Computes each function as it is written. Every method is an event; none needs more than its arguments."""

    # --- what is computed ---------------------------------------------------------------------------------------------

    def forward(self, operation: Any, arguments: Sequence, wanted: Collection) -> tuple[Any, Any]:
        """The value of an operation, and the implementation that gave it, whose rules a node then keeps.

        Arguments: ``wanted``, the inputs whose gradients are wanted.
        """
        return operation.function(*arguments), operation

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        """Whether `forward` has an implementation for what is composed of other operations."""
        return False

    def backward(self, operation: Any, rule: Any, wanted: Sequence, arguments: Sequence) -> Any:
        """What a rule of an operation gives: the gradient of the input that is wanted, or of several by their names."""
        return rule.function(*arguments)

    def call(self, function: Callable, *arguments: Any) -> Any:
        """The value of a function of arrays that is no operation; one that returns None is called for its effect."""
        return function(*arguments)

    def effect(self, method: Callable, *arguments: Any, **options: Any) -> Any:
        """A change of what is no array: a random draw, a step of a schedule. The method's value."""
        return method(*arguments, **options)

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        """A module is called: what its ``forward`` gives."""
        return module.forward(*arguments, **options)

    def update(self, optimizer: Any, gradients: Sequence) -> None:
        """An optimiser changes its parameters by these gradients, None for a parameter without one."""
        optimizer.update(gradients)

    # --- what is read -------------------------------------------------------------------------------------------------

    def read(self, tensor: Any) -> Any:
        """The array in which a tensor's numbers are."""
        return tensor._data

    def concrete(self, what: str, tensor: Any = None) -> None:
        """Python asks for numbers (``float(t)``, ``t.numpy()``). Raises where they are not there yet.

        Arguments: ``tensor``, the one that has the numbers, if it is a tensor that has them.
        """

    def gradient(self, leaf: Any, replaced: bool = False) -> None:
        """The gradient of a leaf is about to be read, or to be replaced without being read."""

    def attribute(self, module: Any, kind: str, name: str | None) -> None:
        """A module's mode, or a parameter, buffer or module in it, is read; None for all modules in it."""

    # --- what has happened --------------------------------------------------------------------------------------------

    def replaced(self, tensor: Any) -> None:
        """The numbers of a tensor were replaced."""

    def assigned(self, module: Any, name: str) -> None:
        """A module was given another tensor for a buffer."""

    def cleared(self, parameters: Sequence) -> None:
        """The gradients of parameters were cleared."""


class Observer(Interpreter):
    """An interpreter around another one, which computes. Override the events of interest, and call ``super()``."""

    def __init__(self, inner: Interpreter | None = None):
        self.inner = inner or seam.interpreter


def _pass_on(event: str) -> Callable:
    def passed(self, *arguments, **options):
        return getattr(self.inner, event)(*arguments, **options)

    passed.__name__, passed.__doc__ = event, getattr(Interpreter, event).__doc__
    return passed


EVENTS = tuple(name for name in vars(Interpreter) if not name.startswith("_"))
for _event in EVENTS:
    setattr(Observer, _event, _pass_on(_event))


class _Seam(threading.local):
    interpreter: Interpreter = Interpreter()


seam = _Seam()


def attach(interpreter: Interpreter) -> Interpreter:
    """Let this interpreter compute in every thread that has none of its own. Returns the one before it."""
    before, _Seam.interpreter = _Seam.interpreter, interpreter
    return before


@contextmanager
def interpreting(interpreter: Interpreter) -> Iterator[Interpreter]:
    """A block in which this interpreter computes, in this thread."""
    own = vars(seam).get("interpreter")
    seam.interpreter = interpreter
    try:
        yield interpreter
    finally:
        if own is None:
            del seam.interpreter
        else:
            seam.interpreter = own


def effectful(method: Callable) -> Callable:
    """Decorator: a method that changes what is no array, such as a random draw, is called through the interpreter."""

    @wraps(method)
    def called(*arguments, **options):
        return seam.interpreter.effect(method, *arguments, **options)

    return called
