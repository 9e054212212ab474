"""What was measured and what happened while a network was trained."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["BINS", "EVENT_KINDS", "QUANTITIES", "Event", "Quantity", "Record", "Row"]


class Quantity(NamedTuple):
    """What a quantity is. Arguments: ``of``, "network", "module" or "parameter": what the layer of its rows names;
    ``meaning``; ``unit``, where it has one; ``parts``, how many numbers it has: several are rows ``name[0]``,
    ``name[1]``, …, and None stands for as many as there are."""

    of: str
    meaning: str
    unit: str = ""
    parts: int | None = 1


BINS = 16
"""How many bins a histogram has."""

QUANTITIES: Mapping[str, Quantity] = {
    "loss": Quantity("network", "the loss of the step, before its update; at more steps than those that are watched"),
    "lr": Quantity("network", "the learning rate of the optimiser's first group"),
    "batch_size": Quantity("network", "the batch", "examples"),
    "gradient_cosine": Quantity(
        "network", "the cosine between the gradients of this step and of the one before: −1 to 1, near −1 in a zigzag"
    ),
    "gradient_noise": Quantity(
        "network",
        "the noise scale B tr Σ / |G|², estimated from the gradients of this step and of the one before; left out "
        "where their inner product is not positive, so that no signal shows",
        "examples",
    ),
    # of what a module gives; a module whose output is that of its last part is left out
    "activation_mean": Quantity("module", "the mean of the output"),
    "activation_std": Quantity("module", "the standard deviation of the output, over all its numbers"),
    "activation_min": Quantity("module", "the lowest number of the output"),
    "activation_max": Quantity("module", "the highest number of the output"),
    "activation_norm": Quantity("module", "the root of the mean square of the output"),
    "activation_histogram": Quantity(
        "module", "shares of the output in equal bins from its minimum to its maximum", parts=BINS
    ),
    "std_over_examples": Quantity(
        "module",
        "the standard deviation over the examples, averaged over units: 0 where the "
        "output does not depend on the input",
    ),
    "std_over_units": Quantity(
        "module", "the standard deviation over the units, averaged over examples: 0 where all units do the same"
    ),
    "zero_share": Quantity("module", "the share of zeros in the output"),
    "saturated_share": Quantity(
        "module", "of a bounded activation (sigmoid, tanh), the share of the output within 1% of its range from a bound"
    ),
    "dead_share": Quantity("module", "of an activation that can be 0, the share of units that are 0 for all examples"),
    "dead_share_lately": Quantity("module", "the same over all examples of the last five watched steps"),
    "nonfinite_share": Quantity("module", "the share of the output that is infinite or not a number"),
    # of the gradient of the loss by what a module gives
    "output_gradient_norm": Quantity("module", "the norm of the gradient by the output"),
    "output_gradient_mean": Quantity("module", "the mean absolute value of the gradient by the output"),
    "output_gradient_zero_share": Quantity("module", "the share of zeros in the gradient by the output"),
    "output_gradient_nonfinite_share": Quantity("module", "the share of it that is infinite or not a number"),
    "output_gradient_histogram": Quantity(
        "module",
        "shares of the gradient by the output whose absolute value is from 10ᵏ⁻¹³ to 10ᵏ⁻¹², bin k; the first "
        "and the last bin hold what is beyond them, and no bin zeros",
        parts=BINS,
    ),
    "gradient_by_time": Quantity(
        "module",
        "of a recurrent module, the norm of the gradient by its input at each time step, 0 the first",
        parts=None,
    ),
    "attention_entropy": Quantity(
        "module",
        "the mean entropy of the rows of the attention map, divided by the logarithm of how many places may be "
        "looked at: 0 where each looks at one place, 1 where all look everywhere alike",
    ),
    # of a parameter, at the update: gradients are as the optimiser gets them, clipped or accumulated
    "weight_norm": Quantity("parameter", "the norm of the parameter before the update"),
    "weight_std": Quantity("parameter", "the standard deviation of its numbers before the update"),
    "gradient_norm": Quantity("parameter", 'the norm of its gradient; of layer "", of all gradients together'),
    "gradient_nonfinite_share": Quantity("parameter", "the share of its gradient that is infinite or not a number"),
    "update_norm": Quantity("parameter", "the norm of what the optimiser adds"),
    "update_ratio": Quantity("parameter", "update_norm / weight_norm; left out where all weights are 0"),
}
"""The quantities of a record's rows, by name. They are measured at the watched steps."""

EVENT_KINDS: Mapping[str, str] = {
    "cleared": "gradients were cleared, by `zero_grad`. about: {}",
    "call": (
        "a module was called. about: {type: its class; training: its mode; grad: whether gradients were enabled; "
        'inputs, output: shapes; times: how often, where several calls follow one another}. layer "" is the whole '
        "network; the parts are noted at watched steps only"
    ),
    "loss": (
        "a loss was computed, once in the call of a loss module or function. about: {function: its name; shapes: of "
        "its arguments; sums_to_one: whether the rows of the first one are probabilities, non-negative with the sum "
        "1}. At watched steps only"
    ),
    "backward": "a sweep began. about: {held: whether a parameter of the model had a gradient already}",
    "update": (
        "an optimiser changed its parameters. about: {optimizer: its class; lr: of its first group; without_gradient: "
        "names of its parameters that had none; outside: names of the model's parameters that require a gradient and "
        "are not in this optimiser}; names at watched steps only"
    ),
    "mode": "the network was called in another mode than before. about: {training: the new one}",
    "draw": "a layer drew random numbers in evaluation. about: {training: false}",
}
"""The kinds of events, and what ``about`` holds.

The sequence of the events of a step is kept at the watched steps, and at each step with another sequence than all that
were kept before. What comes after an update belongs to the next step.
"""


class Row(NamedTuple):
    """A measurement. Arguments: ``step``, of the optimiser, from 1; ``layer``, a module's or parameter's path, "" for
    the whole network; ``quantity``, of `QUANTITIES`."""

    step: int
    layer: str
    quantity: str
    value: float


class Event(NamedTuple):
    """Something that happened. Arguments: ``step``, in which; ``kind``, of `EVENT_KINDS`; ``layer``, as of a row;
    ``about``, details in values that JSON can hold; ``line``, of the user's code, such as "train.py:12", at watched
    steps where asked for."""

    step: int
    kind: str
    layer: str = ""
    about: Any = None
    line: str = ""


@dataclass
class Record:
    """The measurements and events of a run, in the order in which they were made. Rows are only ever appended.

    >>> record = Record([Row(1, "", "loss", 0.7), Row(2, "", "loss", 0.6)])
    >>> record.series("loss")
    ([1, 2], [0.7, 0.6])
    """

    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self):
        self._forget()

    def _forget(self):
        self._series: dict[tuple[str, str], tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        self._read = 0  # how many rows are in the series

    def _by_quantity(self):
        if self._read > len(self.rows):
            self._forget()
        for row in self.rows[self._read :]:
            steps, values = self._series[row.quantity, row.layer]
            steps.append(row.step)
            values.append(row.value)
        self._read = len(self.rows)
        return self._series

    def series(self, quantity: str, layer: str = "") -> tuple[list[int], list[float]]:
        """The steps and values of a quantity."""
        steps, values = self._by_quantity().get((quantity, layer), ([], []))
        return list(steps), list(values)

    def last(self, quantity: str, layer: str = "") -> float | None:
        """The latest value of a quantity; None where it was never measured."""
        _, values = self._by_quantity().get((quantity, layer), ([], []))
        return values[-1] if values else None

    def parts(self, quantity: str, layer: str, step: int) -> list[float]:
        """The numbers of a quantity of several parts at a step, such as a histogram; none where it was not measured."""
        known = QUANTITIES[quantity].parts
        series = self._by_quantity()
        found: list[float] = []
        while len(found) < known if known else (f"{quantity}[{len(found)}]", layer) in series:
            steps, values = series.get((f"{quantity}[{len(found)}]", layer), ([], []))
            found.append(values[steps.index(step)] if step in steps else 0.0)
        return found if any(found) else []

    def layers(self, quantity: str) -> list[str]:
        """The layers for which a quantity was measured, in the order in which they come."""
        return [layer for name, layer in self._by_quantity() if name == quantity]

    def steps(self) -> list[int]:
        """The watched steps."""
        return sorted({row.step for row in self.rows if row.quantity != "loss"})

    def of(self, kind: str) -> Iterator[Event]:
        """The events of a kind."""
        return (event for event in self.events if event.kind == kind)
