"""What a number that is not finite was computed from, and so where it arose.

To go back from a result is to ask of each operand: if what is not finite in it were ordinary numbers, would the result
be finite? That is computed, by doing the operation once more.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy

from .origin import KINDS, Operand, Origin, kinds_of, source_of

__all__ = ["Computed", "Given", "origin_in"]

_STAND_INS = (0.5, 2.0)
"""What an infinity is replaced by, to see whether the result would be finite. With one number alone an operation could
give infinity again by chance, as 1/(x - 0.5) does."""

_NAMES = {"g": "gradient", "y": "output"}


class Computed:
    """An operation that was computed: where, and of which operands if the result is not finite."""

    __slots__ = ("again", "arguments", "kind", "line", "of", "operands", "operation", "result", "scope")

    def __init__(self, kind: str, operation: str, of: str = "", scope: Any = None, line: Any = None):
        self.kind, self.operation, self.of, self.scope, self.line = kind, operation, of, scope, line
        self.arguments: list = []
        self.operands: list[Given] = []
        self.again: Callable[[list], Any] = list
        self.result: Any = None

    def kinds_with(self, suspects: "Sequence[tuple[Given, str]]") -> set[str]:
        """The kinds of numbers in the result that are not finite if these in the operands were ordinary numbers."""
        found = set(KINDS)
        for number in _STAND_INS:
            arguments = [[*value] if isinstance(value, list) else value for value in self.arguments]
            for operand, kind in suspects:
                operand.replace(arguments, kind, number)
            found &= set(kinds_of(self.again(arguments)))
        return found

    def culprits(self, kind: str) -> "list[tuple[Given, str]]":
        """The operands, and the kinds of numbers in them, without which the result would not have this kind."""
        suspects = [(operand, other) for operand in self.operands for other in operand.kinds]
        if not suspects or kind in self.kinds_with(suspects):
            return []
        return [suspect for suspect in suspects if kind not in self.kinds_with([suspect])] or suspects


class Given:
    """An array with which an operation computed.

    Arguments: ``name``, of the operation's parameter; ``at``, its position, and that in a list there; ``array``;
    ``kinds``, those of its numbers that are not finite; ``made``, what made it, None for what came from outside;
    ``source``, with None, what it is, and its name.
    """

    __slots__ = ("array", "at", "kinds", "made", "name", "source")

    def __init__(self, name: str, at: tuple[int, int | None], array: Any, kinds: tuple[str, ...]):
        self.name, self.at, self.array, self.kinds = name, at, array, kinds
        self.made: Computed | None = None
        self.source = ("constant", name)

    def replace(self, arguments: list, kind: str, number: float) -> None:
        """Put an ordinary number for those of a kind, in a copy."""
        position, item = self.at
        place, index = (arguments, position) if item is None else (arguments[position], item)
        value = numpy.asarray(place[index])
        place[index] = numpy.where(KINDS[kind](value), value.dtype.type(number), value)


def origin_in(last: Computed, array: Any) -> Origin:
    """The origin of what is not finite in a result.

    It goes into the depth, to those operands without which the result would be finite. Where they all are infinite
    constants, a NaN arose here; an infinity was passed on, and then another operand may be the cause.
    """
    kind = kinds_of(array)[0]
    seen: set[tuple[int, str]] = set()
    first_constant: Origin | None = None
    stack: list[tuple[Computed, str, Iterator]] = [(last, kind, iter(last.culprits(kind)))]
    while stack:
        made, kind, culprits = stack[-1]
        found = next(culprits, None)
        if found is None:
            stack.pop()
            if kind == "nan" or not made.culprits(kind):
                return _described(made, kind)
            continue
        operand, other = found
        if operand.made is not None and operand.made.result is not None:
            if (id(operand.made), other) not in seen:
                seen.add((id(operand.made), other))
                stack.append((operand.made, other, iter(operand.made.culprits(other))))
            continue
        given = _described(made, other, operand)
        if operand.source[0] != "constant" or other == "nan":
            return given
        first_constant = first_constant or given
    assert first_constant is not None
    return first_constant


def _described(made: Computed, kind: str, given: Given | None = None) -> Origin:
    """An origin in words and numbers; with ``given``, an operand that was not finite from the start."""
    scope = made.scope
    while scope is not None and scope.kind != "module":
        scope = scope.parent
    line, code = source_of(made.line)
    about: dict[str, Any] = {
        "layer": scope and scope.name,
        "layer_kind": type(scope.what).__name__ if scope else "",
        "line": line,
        "code": code,
    }
    operands = [Operand.of(_NAMES.get(operand.name, operand.name), operand.array) for operand in made.operands]
    if given is not None:
        source, name = given.source
        result = Operand.of(given.name, given.array)
        return Origin("given", kind, made.operation, name, source, result=result, operands=operands, **about)
    of = made.of if made.kind == "backward" else ""
    result = Operand.of("result", made.result)
    return Origin(made.kind, kind, made.operation, of, result=result, operands=operands, **about)
