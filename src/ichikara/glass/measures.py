"""The measurements of a step, and what of the steps before is needed for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from . import statistics
from .record import Row
from .sampling import is_watched

__all__ = ["ACTIVATIONS", "Measures", "as_numpy"]

BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
"""The bounds of activations that saturate, by the names of the operations."""

RECTIFIERS = ("relu", "normalise_leaky")
"""The operations whose units can be 0 for every input."""

ACTIVATIONS = {*BOUNDS, *RECTIFIERS, "leaky_relu", "elu", "gelu", "silu", "softplus"}
"""The operations that are activations, also where a network calls them without a module."""

LATELY = 5
"""How many watched steps "lately" are."""


class Measures:
    """The numbers of the step that is watched, by layer and quantity; of each the first."""

    def __init__(self):
        self._rows: dict[tuple[str, str], float] = {}
        self._dead: dict[str, list[numpy.ndarray]] = {}  # by layer, the dead units of the last watched steps
        self._before: tuple[int, list] = (0, [])  # the step before, if it was watched, and its gradients

    def add(self, layer: str, numbers: Mapping[str, float]) -> None:
        """Note some quantities of a layer, unless they are noted already."""
        for name, value in numbers.items():
            self._rows.setdefault((layer, name), float(value))

    def taken(self, step: int) -> list[Row]:
        """The rows of the step, which is over."""
        rows = [Row(step, layer, name, value) for (layer, name), value in self._rows.items()]
        self._rows = {}
        return rows

    def add_output(self, layer: str, output: Any, activation: str = "") -> None:
        """Note what describes a layer's output. Arguments: ``activation``, the operation that made it, if it is one."""
        y = as_numpy(output)
        self.add(layer, statistics.of_output(y, BOUNDS.get(activation)))
        if activation in RECTIFIERS and y.ndim > 1:
            dead = statistics.dead_units(y)
            before = [one for one in self._dead.get(layer, []) if one.shape == dead.shape]
            lately = self._dead[layer] = [*before, dead][-LATELY:]
            always = numpy.logical_and.reduce(lately)
            self.add(layer, {"dead_share": dead.mean(), "dead_share_lately": always.mean()})

    def add_gradients(self, step: int, names: Sequence[str], weights: Sequence, gradients: Sequence) -> None:
        """Note the parameters of an optimiser and their gradients.

        Arguments: ``names``, "" for a parameter that is not the network's; ``weights``, arrays; ``gradients``, None for
        a parameter without one.
        """
        gradients, total = [None if g is None else as_numpy(g) for g in gradients], 0.0
        for name, weight, g in zip(names, weights, gradients, strict=True):
            if g is not None and name:
                w, size = as_numpy(weight), statistics.norm(g)
                total += size * size
                finite = numpy.count_nonzero(numpy.isfinite(g)) / max(g.size, 1)
                self.add(name, {"weight_norm": statistics.norm(w), "weight_std": statistics.sampled(w).std()})
                self.add(name, {"gradient_norm": size, "gradient_nonfinite_share": 1 - finite})
        self.add("", {"gradient_norm": total**0.5})
        self._compare(step, gradients)

    def add_update(self, name: str, before: Any, after: Any) -> None:
        """Note how a parameter has changed. Arguments: ``before`` and ``after``, its arrays."""
        weight, update = self._rows[name, "weight_norm"], statistics.norm(as_numpy(after) - as_numpy(before))
        self.add(name, {"update_norm": update, **({"update_ratio": update / weight} if weight else {})})

    def _compare(self, step, gradients):
        """Note how alike the gradients of this step and of the one before are."""
        before, self._before = self._before, (step, gradients if is_watched(step + 1) else [])
        if before[0] != step - 1 or len(before[1]) != len(gradients):
            return
        inner, a, b = statistics.inner_product(before[1], gradients)
        if a and b:
            self.add("", {"gradient_cosine": inner / (a * b)})
        size = self._rows.get(("", "batch_size"))
        if inner > 0 and size is not None:
            self.add("", {"gradient_noise": size * max(a * a + b * b - 2 * inner, 0.0) / (2 * inner)})


def as_numpy(x: Any) -> numpy.ndarray:
    """An array of NumPy's, in a type that it computes with quickly."""
    x = numpy.asarray(x)
    return x if x.dtype in (numpy.float32, numpy.float64) else x.astype("float32")
