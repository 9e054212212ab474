"""What the engine did: each operation with its numbers, the module that it ran in, and the line of the user's code."""

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from types import CodeType
from typing import Any, NamedTuple

from ..arrays import Observer, interpreting
from ..arrays.contexts import contextmanager
from ..autodiff.modes import mode
from .lines import users_frame

__all__ = ["Application", "Line", "Scope", "Trace", "trace"]


class Line(NamedTuple):
    """A place in the user's code, looked up when it is read. Arguments: the code, and the instruction in it."""

    code: CodeType
    instruction: int

    @property
    def file(self) -> str:
        """The path of the file, relative to the current folder if it lies there."""
        path, here = self.code.co_filename, os.getcwd() + os.sep
        return path.removeprefix(here)

    @property
    def number(self) -> int:
        """The line's number in the file."""
        places = enumerate(self.code.co_positions())
        found = next((at[0] for i, at in places if 2 * i == self.instruction), None)
        return found or self.code.co_firstlineno

    def __str__(self):
        return f"{self.file}:{self.number}"


class Scope:
    """A call of a module, or of a function that is composed of operations, in which operations ran.

    Arguments: ``kind``, "module" or "function"; ``name``, the module's path from the outermost one, or the function's
    name; ``what``, the module or the `Composition`; ``call``, the number of the call, from 1; ``parent``, the scope
    around it; ``arguments``, what the function was called with.
    """

    __slots__ = ("arguments", "call", "kind", "name", "parent", "what")

    def __init__(self, kind: str, name: str, what: Any, call: int, parent: "Scope | None", arguments: Sequence = ()):
        self.kind, self.name, self.what, self.call, self.parent = kind, name, what, call, parent
        self.arguments = arguments

    @property
    def path(self) -> tuple["Scope", ...]:
        """The scopes around this one, the outermost first, and this one."""
        return (*(self.parent.path if self.parent else ()), self)

    def __repr__(self):
        return f"<{self.kind} {self.name!r}, call {self.call}>"


class Application:
    """One application of an operation.

    Arguments: ``operation``, its record; ``used``, the implementation that computed it; ``arguments``, the values of
    its parameters; ``wanted``, the nodes of the inputs that a gradient flows to, by their names; ``sources``, the
    applications that made these inputs, where they are of the same trace; ``output``, its value; ``scope``, the module
    or function that it ran in, None outside; ``line``, of the user's code, None where it was not noted.
    """

    __slots__ = ("arguments", "line", "operation", "output", "scope", "sources", "used", "wanted")

    def __init__(self, operation, arguments, wanted, sources, scope, line):
        self.operation, self.arguments, self.wanted = operation, arguments, wanted
        self.sources, self.scope, self.line = sources, scope, line
        self.used: Any = None
        self.output: Any = None

    def __repr__(self):
        where = f" in {self.scope.name}" if self.scope else ""
        return f"<application of {self.operation.name}{where}{f' at {self.line}' if self.line else ''}>"


class Trace(Observer):
    """Notes each operation that is applied while it is attached. Override `note` to look at each as it comes.

    Arguments: ``fused``, whether a function composed of operations may be computed as a whole, as it is without a
    trace, or by its parts, each of which is noted; ``lines``, whether the lines of the user's code are noted.
    """

    def __init__(self, fused: bool = False, lines: bool = True):
        super().__init__()
        self.fused, self.lines = fused, lines
        self.applications: list[Application] = []
        self.roots: dict[int, Any] = {}  # the modules that were called outside of all others
        self._made: dict[int, Application] = {}  # by the node's dictionary of inputs, which the application holds
        self._calls: dict[Any, int] = {}
        self._scope: Scope | None = None
        self._functions: list[tuple[Any, Scope | None]] = []  # frames of composed functions, with the scope around each
        self._names: dict[int, str] = {}
        self._busy = False

    def note(self, application: Application) -> None:
        """An operation was applied."""
        self.applications.append(application)

    def forward(self, operation: Any, arguments: Sequence, wanted: Collection) -> tuple[Any, Any]:
        if self._busy or mode.in_rule:  # inside an operation, or on the way back
            return super().forward(operation, arguments, wanted)
        if self._functions:
            self._leave_finished()
        nodes: Any = wanted
        sources = {name: self._made.get(id(node.inputs)) for name, node in nodes.items() if node.operation}
        application = Application(operation, [*arguments], nodes, sources, self._scope, self._line())
        self._busy = True
        try:
            output, application.used = super().forward(operation, arguments, wanted)
        finally:
            self._busy = False
        application.output = output[0] if application.used.residuals else output
        if nodes:
            self._made[id(nodes)] = application
        self.note(application)
        return output, application.used

    def end(self) -> None:
        """Let go of what was needed only while the trace was attached."""
        self._functions.clear()
        self._scope = None

    def made(self, node: Any) -> Application | None:
        """The application that left a node behind; None for a leaf, or where the trace did not see it."""
        return self._made.get(id(node.inputs)) if node.operation and node.inputs is not None else None

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        if self._busy or mode.in_rule:
            return super().fuses(composition, arguments)
        if self.fused and super().fuses(composition, arguments):
            return True
        self._leave_finished()
        frame = _frame_of(composition)
        if frame is not None:
            self._functions.append((frame, self._scope))
            self._enter("function", composition.name, composition, arguments)
        return False

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        self._leave_finished()
        before, functions = self._scope, self._functions
        self._functions = []
        self._enter("module", self._name(module), module, arguments)
        try:
            return super().run_module(module, arguments, options)
        finally:
            self._scope, self._functions = before, functions

    def _enter(self, kind: str, name: str, what: Any, arguments: Sequence) -> None:
        call = self._calls[what] = self._calls.get(what, 0) + 1
        self._scope = Scope(kind, name, what, call, self._scope, arguments)

    def _leave_finished(self) -> None:
        """Leave the composed functions that have returned since: their frames are no longer around this one."""
        while self._functions:
            frame, before = self._functions[-1]
            if any(other is frame for other in _frames()):
                return
            self._functions.pop()
            self._scope = before

    def _name(self, module: Any) -> str:
        if id(module) not in self._names:
            self.roots[id(module)] = module
            self._names.update((id(part), name) for name, part in module.named_modules() if id(part) not in self._names)
        return self._names[id(module)]

    def _line(self) -> Line | None:
        frame = users_frame() if self.lines else None
        return None if frame is None else Line(frame.f_code, frame.f_lasti)


def _frames() -> Iterator[Any]:
    """The frames around the caller, the innermost first."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _frame_of(composition: Any) -> Any:
    """The frame in which a composition is being called: it asks whether to fuse its parts before it calls them."""
    return next((f for f in _frames() if f.f_locals.get("self") is composition), None)


@contextmanager
def trace(fused: bool = False, lines: bool = True) -> Iterator[Trace]:
    """A block in which each operation is noted.

    Arguments: as of `Trace`.

    >>> import ichikara
    >>> with trace() as seen:
    ...     y = ichikara.sigmoid(ichikara.asarray([1.0, 2.0]) * 3.0)
    >>> [(a.operation.name, a.output.shape) for a in seen.applications]
    [('multiply', (2,)), ('sigmoid', (2,))]
    """
    observer = Trace(fused, lines)
    try:
        with interpreting(observer):
            yield observer
    finally:
        observer.end()
