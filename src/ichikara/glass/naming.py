"""What things are called: by the name that the user gave, else by the variable, attribute or module that holds them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from itertools import count
from types import FunctionType, ModuleType
from typing import Any
from weakref import ref

from ..autodiff import Tensor
from ..autodiff.engine import Operation
from ..autodiff.operation import Composition
from ..nn.module import Module
from .expression import Number, Symbol
from .vertex import Computation, Vertex

__all__ = ["COPY", "Names", "named", "new_letters", "symbol_of"]

_GIVEN = "(name)"  # beside what a node saved: no parameter has such a name, and it goes when the graph goes
_FUNCTION = "(name of the function)"
_leaves: dict[int, tuple[Any, str]] = {}  # the names of leaves and constants, by the id of the tensor
COPY = "″"  # between a name and its number where several have it
_DEEPEST, _MOST = 4, 10_000  # how deep containers are searched, and how many things in one of them

GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "omega": "ω",
}


def named(name: str, value: Any) -> Any:
    """Give a tensor, or a function of tensors, the name by which explanations call it. Returns the tensor or function.

    The name is written as in ``"w1_00"`` or ``"w^1_{00}"``, for w¹₀₀. A function that is named makes the same numbers,
    and its results are known to be its own: ``f0 = named("f^0", sigmoid)`` is written f⁰, its derivative f⁰′.

    >>> import ichikara
    >>> w = named("w_00", ichikara.asarray(2.0, requires_grad=True))
    >>> f = named("f", ichikara.tanh)
    >>> f(w)
    Tensor(0.9640276, requires_grad=True)
    """
    if isinstance(value, Tensor):
        node = value._node
        if node is not None and node.operation is not None and node.saved is not None:
            node.saved[_GIVEN] = name
        else:
            key = id(value)
            _leaves[key] = (ref(value, lambda _: _leaves.pop(key, None)), name)
        return value
    if not callable(value):
        raise TypeError(f"a tensor or a function can be named, not {type(value).__name__}")

    @wraps(value)
    def function(*arguments, **options):
        result = value(*arguments, **options)
        node = getattr(result, "_node", None)
        if node is not None and node.operation is not None and node.saved is not None:
            node.saved[_FUNCTION] = name
        return result

    return function


class Names:
    """The names that can be found in variables.

    Arguments: ``variables``, dictionaries of them, the nearest first; ``modules``, that were called, and are in none.
    """

    def __init__(self, variables: Iterable[Mapping[str, Any]], modules: Iterable[Module] = ()):
        self.nodes: dict[Any, str] = {}
        self.arrays: dict[int, str] = {}
        self.modules: dict[int, str] = {}
        self.operations: dict[Any, str] = {}
        self.constants: list[Any] = []  # the arrays of tensors without a gradient
        self.known: dict[Any, Any] = {}  # the arrays of the other tensors, by their nodes
        self._held: list[Any] = []  # so that no other array gets the id of one of these
        for tensor, name in [(reference(), name) for reference, name in [*_leaves.values()]]:
            if tensor is not None:
                self._note(tensor, name)
        for names in variables:
            self._search(names)
        for module in modules:
            self._search_module("", module)

    def of(self, vertex: Vertex) -> str:
        """The name of a vertex, empty where it has none."""
        node = vertex.node
        given = node.saved.get(_GIVEN) if node is not None and node.saved else None
        return given or self.nodes.get(node) or self.arrays.get(id(vertex.value)) or ""

    def of_function(self, vertex: Vertex) -> str:
        """What the user calls the function that made a vertex, empty where that is not known."""
        node = vertex.node
        given = node.saved.get(_FUNCTION) if node is not None and node.saved else None
        return given or self.operations.get(vertex.operation) or ""

    def give(self, whole: Computation) -> None:
        """Name the vertices of a computation, those that share a name by numbers."""
        taken: dict[str, Vertex] = {}
        for vertex in whole:
            name = self.of(vertex)
            if name and taken.setdefault(name, vertex) is not vertex:
                name = next(other for n in range(2, len(taken) + 3) if (other := f"{name}{COPY}{n}") not in taken)
                taken[name] = vertex
            vertex.name = name

    def _search(self, variables: Mapping[str, Any]) -> None:
        found = [(name, value) for name, value in variables.items() if _is_meant(name, value)]
        functions: dict[Any, list[str]] = {}
        for name, value in found:
            if isinstance(value, Tensor):
                self._note(value, name)
            elif isinstance(value, Operation | Composition):
                functions.setdefault(value, []).append(name)
        for operation, names in functions.items():
            if len(names) == 1 and names[0] != operation.name:  # of two names, neither is right everywhere
                self.operations.setdefault(operation, names[0])
        for name, value in found:
            if isinstance(value, Module):
                self._search_module("" if name == "self" else name, value)
        for name, value in found:
            if not isinstance(value, Tensor | Module):
                for path, tensor in _inside("" if name == "self" else name, value, _DEEPEST):
                    if isinstance(tensor, Module):
                        self._search_module(path, tensor)
                    else:
                        self._note(tensor, path)

    def _search_module(self, prefix: str, module: Module) -> None:
        for path, part in module.named_modules(prefix=prefix):
            self.modules.setdefault(id(part), path)
        for path, tensor in (*module.named_parameters(prefix), *module.named_buffers(prefix)):
            self._note(tensor, path)

    def _note(self, tensor: Tensor, name: str) -> None:
        node = tensor.leaf_node()
        if node is not None:
            self.nodes.setdefault(node, name)
            self.known[node] = tensor._data
        else:
            self.constants.append(tensor._data)
        self.arrays.setdefault(id(tensor._data), name)
        self._held.append(tensor._data)


def _is_meant(name: str, value: Any) -> bool:
    """Whether a variable may be one of the user's, with tensors in it."""
    return name.isidentifier() and not (
        name.startswith("_") or name in ("In", "Out") or isinstance(value, ModuleType | FunctionType | type)
    )


def _inside(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """The tensors and modules in containers, and in the attributes of objects, with their paths."""
    if isinstance(value, Tensor | Module):
        yield path, value
    elif depth and isinstance(value, Mapping) and len(value) <= _MOST:
        for key, item in value.items():
            word = isinstance(key, str) and key.isidentifier()
            yield from _inside(key if word else f"{path}[{key}]", item, depth - 1)
    elif depth and isinstance(value, list | tuple) and len(value) <= _MOST:
        for i, item in enumerate(value):
            yield from _inside(f"{path}[{i}]", item, depth - 1)
    elif depth and type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            if _is_meant(name, item):
                yield from _inside(f"{path}.{name}" if path else name, item, depth - 1)


_WRITTEN = re.compile(
    r"([^\W\d_]+)(?:\^\{?(?P<sup>[^{}_]+)\}?)?(?:_\{?(?P<sub>[^{}^]+)\}?)?(?:\^\{?(?P<sup2>[^{}]+)\}?)?"
)
_VARIABLE = re.compile(r"([^\W\d_]+)(\d*)((?:_(?:\d+|[^\W\d_]{1,2}))*)((?:\[\d+\])*)")


def symbol_of(name: str) -> Symbol:
    """A name as it is written: digits are indices, and of two sorts of them the first is that of a layer, above.

    >>> symbol_of("w1_00") == symbol_of("w^1_{00}") == symbol_of("w1[0][0]") == Symbol("w", "00", "1")
    True
    >>> symbol_of("x[1]") == symbol_of("x1") == Symbol("x", "1")
    True
    >>> symbol_of("net.0.weight").base
    'net.0.weight'
    """
    name, _, copy = name.partition(COPY)
    number = (Symbol(f"({copy})"),) if copy else ()
    if "^" in name or "{" in name:
        found = _WRITTEN.fullmatch(name)
        if found:
            above = found["sup"] or found["sup2"] or ""
            return Symbol(_letter(found[1]), _figures(found["sub"] or ""), _figures(above) + number)
    found = _VARIABLE.fullmatch(name)
    if not found:
        return Symbol(name, (), number)
    base, digits, below, places = found.groups()
    subscript = (*(i for word in below.split("_")[1:] for i in _figures(word)), *_indices(*re.findall(r"\d+", places)))
    if subscript:
        return Symbol(_letter(base), subscript, _indices(digits) + number)
    return Symbol(_letter(base), _indices(digits), number)


def _letter(word: str) -> str:
    return GREEK.get(word, word)


def _figures(word: str) -> tuple:
    """The indices in a word such as "00" or "ij": each sign is one, or what commas divide."""
    return _indices(*(word.split(",") if "," in word else word))


def _indices(*words: str) -> tuple:
    """The indices that are words, numbers or letters."""
    return tuple(Number(int(word)) if word.isdigit() else Symbol(word) for word in words if word)


def new_letters(taken: Callable[[str], bool]) -> Iterator[str]:
    """Names for what has none: letters that the records do not use as indices, and then letters with numbers."""
    for number in count():
        for letter in "abghstvz":
            if not taken(name := f"{letter}{number or ''}"):
                yield name
