"""Where the first number arose that is not finite: the operation, the layer, the line, and the operands."""

import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from ..errors import UserError
from ..words import language_of, say
from ..words.catalogue import texts

__all__ = ["KINDS", "NonFiniteError", "Operand", "Origin", "kinds_of"]

KINDS: dict[str, Callable[[Any], Any]] = {"nan": numpy.isnan, "inf": numpy.isposinf, "-inf": numpy.isneginf}
"""The kinds of numbers that are not finite, and how each is recognised."""

_LARGE = 1e15
"""Numbers whose products may overflow in float32. NaN arises of such in a sum, where infinities cancel."""

_WRITTEN = {"nan": "NaN", "inf": "inf", "-inf": "-inf"}


def kinds_of(value: Any) -> tuple[str, ...]:
    """The kinds of numbers in an array that are not finite; none for what is no array of NumPy's.

    >>> kinds_of(numpy.array([1.0, -numpy.inf]))
    ('-inf',)
    """
    if not isinstance(value, numpy.ndarray | numpy.generic) or value.dtype.kind in "iub":
        return ()
    if value.dtype.kind not in "fV" or numpy.isfinite(value).all():
        return ()
    return tuple(kind for kind, test in KINDS.items() if test(value.astype("float64")).any())


class Operand(NamedTuple):
    """What an operation was given or gave, in numbers.

    Arguments: ``name``; ``shape``; ``dtype``; ``low`` and ``high``, of its finite numbers, None where it has none;
    ``nonfinite``, how many of its numbers are not finite.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float | None
    high: float | None
    nonfinite: int

    @classmethod
    def of(cls, name: str, array: Any) -> "Operand":
        """The numbers of an array."""
        numbers = numpy.asarray(array)
        finite = numpy.isfinite(numbers)
        count = int(finite.sum())
        kept = numbers if count == numbers.size else numbers[finite]
        low, high = (float(kept.min()), float(kept.max())) if count else (None, None)
        return cls(name, numbers.shape, str(numbers.dtype), low, high, numbers.size - count)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(numpy.prod(self.shape, dtype=int))

    def text(self, language: str) -> str:
        """One sentence: shape, type, range and the share of numbers that are not finite."""
        name = say(f"nonfinite.name.{self.name}", language) if f"name.{self.name}" in texts("nonfinite") else self.name
        about = {"name": name, "shape": self.shape, "dtype": self.dtype}
        if self.low is None:
            return say(f"nonfinite.operand.{'none' if self.size else 'empty'}", language, **about)
        if not self.shape:
            return say("nonfinite.operand.number", language, value=f"{self.low:.4g}", **about)
        kind, low, high = "some" if self.nonfinite else "all", f"{self.low:.4g}", f"{self.high:.4g}"
        share = f"{self.nonfinite / self.size:.2g}"
        return say(f"nonfinite.operand.{kind}", language, low=low, high=high, share=share, **about)


@dataclass(frozen=True)
class Origin:
    """Where the first number arose that is not finite.

    Arguments: ``kind``, "forward" or "backward" for an operation, "update" for that of an optimiser, "assigned" for
    numbers that were assigned to a tensor, "given" for numbers that were there before; ``made``, "nan", "inf" or
    "-inf"; ``operation``, its name, or that of the optimiser; ``of``, with "backward" the input whose gradient it is,
    with "update" the parameter; ``source``, with "given", what it was given in: "parameter", "buffer", "input", "leaf",
    "gradient" or "constant"; ``layer`` and ``layer_kind``, the path and the class of the module, None and empty outside
    of all; ``line``, of the user's code, such as "net.py:12", and its ``code``; ``result`` and ``operands``, in
    numbers; ``numbers``, others that matter, such as the learning rate.
    """

    kind: str
    made: str
    operation: str
    of: str = ""
    source: str = ""
    layer: str | None = None
    layer_kind: str = ""
    line: str = ""
    code: str = ""
    result: Operand | None = None
    operands: Sequence[Operand] = ()
    numbers: Sequence[tuple[str, float]] = ()

    def text(self, language: str | None = None) -> str:
        """Sentences, one in a line: what arose where, the operands, and what to do."""
        language = language_of(language)
        lines = [self._what(language)]
        lines += [operand.text(language) for operand in self.operands]
        for name, value in self.numbers:
            lines.append(
                say("nonfinite.number", language, name=say(f"nonfinite.name.{name}", language), value=f"{value:g}")
            )
        return "\n".join([*lines, *self._advice(language)])

    __str__ = text

    def to_dict(self) -> dict[str, Any]:
        """The same in values that JSON can hold."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("result", "operands", "numbers")},
            "result": self.result and self.result._asdict(),
            "operands": [operand._asdict() for operand in self.operands],
            "numbers": dict(self.numbers),
        }

    def _what(self, language: str) -> str:
        assert self.result is not None
        of = self.of
        if self.kind == "given":
            of = say(f"nonfinite.source.{self.source}", language, name=self.of)
        return say(
            f"nonfinite.{self.kind}{'' if self.operation or self.kind != 'given' else '_alone'}",
            language,
            what=_WRITTEN[self.made],
            operation=self.operation,
            of=of,
            place=self._place(language),
            bad=f"{self.result.nonfinite:,}",
            count=f"{self.result.size:,}",
            shape=self.result.shape,
        )

    def _place(self, language: str) -> str:
        """The layer and the line in words, as far as they are known."""
        words = {}
        if self.layer_kind:
            key = "layer" if self.layer else "network"
            words["module"] = say(f"nonfinite.place.{key}", language, layer=self.layer, kind=self.layer_kind)
        if self.line:
            key = "code" if self.code else "line"
            words["line"] = say(f"nonfinite.place.{key}", language, line=self.line, code=self.code)
        form = {"module": "in", "line": "at", "module line": "in_at"}.get(" ".join(words))
        return say(f"nonfinite.place.{form}", language, **words) if form else ""

    def _advice(self, language: str) -> list[str]:
        """What to do, as far as the catalogue knows something for this operation."""
        if self.kind == "update":
            return [say("nonfinite.hint.update", language)]
        if self.kind not in ("forward", "backward"):
            return []
        named = f"hint.{'backward.' if self.kind == 'backward' else ''}{self.operation}"
        half = any(operand.dtype == "float16" for operand in (self.result, *self.operands) if operand)
        names = [name for name in (named,) if name in texts("nonfinite")]
        ends = [abs(end) for operand in self.operands for end in (operand.low, operand.high) if end is not None]
        large = max(ends, default=0.0) > _LARGE
        if (self.made != "nan" and half) or (not names and (self.made != "nan" or large)):
            names.append("hint.half" if half else "hint.overflow")
        return [say(f"nonfinite.{name}", language) for name in names]


class NonFiniteError(UserError):
    """A number became infinite or NaN; the message says where first. Attributes: ``origin``, the `Origin`."""

    def __init__(self, origin: Origin):
        super().__init__(origin.text())
        self.origin = origin


def source_of(line: Any) -> tuple[str, str]:
    """A line of the user's code as text: its file and number, and what is written there."""
    if line is None:
        return "", ""
    return str(line), linecache.getline(line.code.co_filename, line.number).strip()
