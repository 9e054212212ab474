"""What an application has to save, found once for each choice of wanted inputs and each implementation."""

from functools import lru_cache
from typing import Any, NamedTuple

__all__ = ["Plan", "plan_of"]


class Plan(NamedTuple):
    """What an application does for some wanted inputs."""

    rules: list[tuple[Any, list]]  # of the implementation that computed the value, each with the inputs it is for
    stated: list[tuple[Any, list]]  # of the record: they run on tensors too, and so have gradients themselves
    saves: list[tuple[str, int]]  # the parameters that the rules need, and their positions
    shapes: list[tuple[str, int]]  # those of which they need the shape alone
    output: bool  # whether they need the output
    watched: list  # the wanted inputs among the saved parameters: a leaf there must not change before the sweep


@lru_cache(None)
def plan_of(operation: Any, used: Any, *wanted: Any) -> Plan:
    """The plan of an operation. Arguments: ``used``, the implementation, whose rules come first; ``wanted`` inputs."""
    rules: dict[Any, list] = {}
    stated: dict[Any, list] = {}
    for name in wanted:
        own = operation.rules.get(name) or operation.rules[None]
        stated.setdefault(own, []).append(name)
        rules.setdefault(used.rules.get(name) or used.rules.get(None) or own, []).append(name)
    needed = {need for rule in (*rules, *stated) for need in rule.needs}
    saves = [(name, i) for i, name in enumerate(operation.parameters) if name in needed]
    shapes = [(f"{name}_shape", i) for i, name in enumerate(operation.inputs) if f"{name}_shape" in needed]
    watched = [name for name in wanted if (operation.inputs[0] if operation.sequence else name) in needed]
    return Plan([*rules.items()], [*stated.items()], saves, shapes, "y" in needed, watched)
