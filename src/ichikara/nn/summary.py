"""The summary of a model: its layers, their output shapes, and their parameters."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..autodiff import Tensor, flatten, no_grad
from ..errors import UserError
from ..ops import zeros
from .module import Module

__all__ = ["Row", "Summary", "summary"]

_WIDTH = 80


class Row(NamedTuple):
    """One module of the table.

    ``name`` is its full name (``''`` for the model), ``kind`` its class, ``depth`` how deep it is nested,
    ``output_shapes`` the shapes of its outputs, none if it was not called, ``parameters`` the number of its own
    parameters, without its submodules' and those counted above, ``trainable`` how many of them are trained.
    """

    name: str
    kind: str
    depth: int
    output_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Summary:
    """What `summary` found; its text is the table."""

    rows: tuple[Row, ...]
    total_parameters: int
    trainable_parameters: int
    parameter_bytes: int

    def __str__(self):
        head = ("Layer (type)", "Output shape", "Parameters")
        cells = [(_label(r), ", ".join(map(str, r.output_shapes)) or "-", f"{r.parameters:,}") for r in self.rows]
        _, shape, number = (max(len(line[i]) for line in [head, *cells]) for i in range(3))
        shape = min(shape, 40)
        first = min(max(len(line[0]) for line in [head, *cells]), max(_WIDTH - 4 - shape - number, 16))
        width = first + shape + number + 4
        lines = [f"{_cut(a, first):<{first}}  {_cut(b, shape):<{shape}}  {c:>{number}}" for a, b, c in [head, *cells]]
        fixed = self.total_parameters - self.trainable_parameters
        return "\n".join(
            [
                lines[0],
                "=" * width,
                *lines[1:],
                "=" * width,
                f"Parameters: {self.total_parameters:,}",
                f"  trainable: {self.trainable_parameters:,}, not trainable: {fixed:,}",
                f"  memory: {self.parameter_bytes:,} bytes{_in_large(self.parameter_bytes)}",
            ]
        )

    __repr__ = __str__


def summary(model: Module, input: Any) -> Summary:
    """Run a model once, in evaluation mode and without gradients, and list its layers, outputs and parameters.

    Training flags and hooks are restored afterwards, even if the model fails.

    Shapes: the table shows those of the outputs, as this input gives them.

    Arguments: ``model``, a module; ``input``, an array or a Tensor, a tuple of several of them, or the shape of one,
    such as ``(64, 784)``, with the batch.

    Raises TypeError for a model that is not a module; UserError for a shape with a length below 0; what the model
    raises for an input that does not fit it.

    >>> from ichikara.nn import Linear, ReLU, Sequential
    >>> print(summary(Sequential(Linear(784, 100), ReLU(), Linear(100, 10)), (64, 784)))
    Layer (type)  Output shape  Parameters
    ======================================
    Sequential    (64, 10)               0
      0 (Linear)  (64, 100)         78,500
      1 (ReLU)    (64, 100)              0
      2 (Linear)  (64, 10)           1,010
    ======================================
    Parameters: 79,510
      trainable: 79,510, not trainable: 0
      memory: 318,040 bytes (310.6 KiB)
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary() is of a module, such as Sequential(…), not {type(model).__name__}")
    shapes = _run(model, _arguments(model, input))
    counted: set[int] = set()
    rows = []
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(map(id, own))
        rows.append(
            Row(
                name,
                type(module).__name__,
                name.count(".") + 1 if name else 0,
                shapes.get(module, ()),
                sum(p.size for p in own),
                sum(p.size for p in own if p.requires_grad),
            )
        )
    return Summary(
        tuple(rows),
        sum(row.parameters for row in rows),
        sum(row.trainable for row in rows),
        sum(p.size * p.dtype.itemsize for p in model.parameters()),
    )


def _arguments(model, input):
    """The arguments to call the model with, of an array, several, or a shape."""
    if not isinstance(input, tuple):
        return (input,)
    if not all(isinstance(n, int) for n in input):
        return input
    if any(isinstance(n, bool) or n < 0 for n in input):
        raise UserError(f"a shape has lengths of at least 0, and this is {input}")
    first = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), "float32")
    return (zeros(input, dtype=first),)


def _run(model, arguments) -> dict[Module, tuple[tuple[int, ...], ...]]:
    """The output shapes of every module, at its last call."""
    shapes: dict[Module, tuple[tuple[int, ...], ...]] = {}

    def note(module, args, output):
        shapes[module] = tuple(leaf.shape for leaf in flatten(output)[0] if isinstance(leaf, Tensor))

    modules = list(model.modules())
    training = [module.training for module in modules]
    handles = [module.register_forward_hook(note) for module in modules]
    try:
        model.eval()
        with no_grad():
            model(*arguments)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in zip(modules, training, strict=True):
            module.training = mode
    return shapes


def _label(row):
    name = row.name.rpartition(".")[2]
    return "  " * row.depth + (f"{name} ({row.kind})" if name else row.kind)


def _cut(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."


def _in_large(count):
    """A number of bytes in the largest fitting unit."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f" ({count / size:.1f} {unit})"
    return ""
