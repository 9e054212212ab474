"""Trees: tensors in tuples, lists and dictionaries, taken apart and put together again.

A list of numbers, or of such lists, is an array and so a leaf.
"""

from collections.abc import Callable
from typing import Any

__all__ = ["flatten", "tree_map"]


def flatten(tree: Any) -> tuple[list, Callable[[list], Any]]:
    """The leaves of a tree in order, and the function that makes such a tree of other leaves.

    >>> leaves, rebuild = flatten({"w": 1, "b": (2, 3)})
    >>> leaves, rebuild([x * 10 for x in leaves])
    ([1, 2, 3], {'w': 10, 'b': (20, 30)})
    """
    leaves: list = []
    build = _take(tree, leaves)
    return leaves, lambda given: build(iter(given))


# Not a function inside the other one: that would hold itself, and the leaves with it until the next garbage collection.
def _take(node: Any, leaves: list) -> Callable:
    """Add the leaves to the list; what makes such a tree of an iterator of others."""
    if isinstance(node, dict):
        inner = {key: _take(value, leaves) for key, value in node.items()}
        return lambda given: {key: build(given) for key, build in inner.items()}
    if isinstance(node, tuple | list) and not is_numbers(node):
        parts = [_take(value, leaves) for value in node]
        kind = type(node)
        make = kind._make if hasattr(kind, "_make") else kind  # a named tuple
        return lambda given: make([build(given) for build in parts])
    leaves.append(node)
    return next


def is_numbers(node: Any) -> bool:
    """Whether a list is an array written out: numbers, or lists of them."""
    return isinstance(node, list) and bool(node) and all(isinstance(n, int | float) or is_numbers(n) for n in node)


def tree_map(function: Callable, tree: Any) -> Any:
    """The tree with the function applied to every leaf.

    >>> tree_map(abs, (-1, {"b": -2}))
    (1, {'b': 2})
    """
    leaves, rebuild = flatten(tree)
    return rebuild([function(leaf) for leaf in leaves])
