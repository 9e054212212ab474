"""Questions about a graph of nodes: what leads where, and whether it can still be gone through."""

from collections.abc import Iterator
from typing import Any

__all__ = ["Cut", "check_usable", "leading_to", "reaches", "reaches_beyond"]


class Cut:
    """Stands in a node for the operations before it, which nothing has recorded. A sweep that comes here is an error.

    Arguments: ``why``, the error's message.
    """

    name = "cut"

    def __init__(self, why: str):
        self.why = why


def check_usable(node: Any) -> None:
    """Raise RuntimeError where a sweep freed what a node saved, or a leaf's numbers are no longer those it saved."""
    if node.saved is None:
        raise RuntimeError(
            node.operation.why
            if isinstance(node.operation, Cut)
            else "backward went through this graph before, and its saved values are gone; "
            "compute the output again, or pass retain_graph=True the first time"
        )
    for leaf, version in node.leaves:
        if leaf.version != version:
            raise RuntimeError(
                f"a leaf of shape {leaf.shape} was changed in place after {node.operation.name} had used it, "
                "so the gradient would be of other numbers; call backward() before the optimiser's step"
            )


def leading_to(root: Any, wanted: set) -> set:
    """The nodes on the way from the root to the wanted ones, and these."""
    leads, visited, inner, stack = set(wanted), set(), [], [root]
    while stack:
        node = stack.pop()
        if node.operation is None or node in visited:
            continue
        visited.add(node)
        if node.inputs is None:
            check_usable(node)
        inner.append(node)
        stack.extend(node.inputs.values())
    for node in sorted(inner, key=lambda node: node.order):
        if any(source in leads for source in node.inputs.values()):
            leads.add(node)
    return leads


def reaches_beyond(root: Any, own: set) -> bool:
    """Whether the root was made from leaves that are not among these nodes, or an operation made one of these."""
    return any(node.operation for node in own) or any(
        node.operation is None and node not in own for node in _made_from(root)
    )


def reaches(root: Any, wanted: set) -> bool:
    """Whether the root was made from one of these nodes, as far as its graph is still there."""
    return any(node in wanted for node in _made_from(root))


def _made_from(root: Any) -> Iterator[Any]:
    """All nodes that the root was made from, and the root; none for None."""
    visited: set = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node is not None and node not in visited:
            visited.add(node)
            yield node
            stack.extend((node.inputs or {}).values())
