"""Modules that hold modules: one after another, in a list, by name."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from ..arrays import seam
from ..errors import choose
from .module import Module, not_a_module
from .parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]


class _Ordered(Module):
    """What `Sequential` and `ModuleList` share: modules in an order, numbered from 0."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        seam.interpreter.attribute(self, "_modules", None)
        return iter(self._modules.values())

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(list(self._modules)[self._position(index)], _module(module))

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self._modules.values())
        del modules[index if isinstance(index, slice) else self._position(index)]
        self._number(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end. Returns the container."""
        number = len(self)
        while str(number) in self._modules:  # a slice of a Sequential keeps the numbers that its modules had
            number += 1
        self.register_module(str(number), _module(module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end. Returns the container."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at an index, and number all of them again. Returns the container."""
        modules = list(self._modules.values())
        modules.insert(index, _module(module))
        self._number(modules)
        return self

    def _position(self, index: Any) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"this {type(self).__name__} has {len(self)} modules, and number {number} was asked for")
        return number % len(self)

    def _number(self, modules: Iterable[Any]) -> None:
        before = dict(self._modules)
        self._modules.clear()
        try:
            for number, module in enumerate(modules):
                self.register_module(str(number), module)
        except ValueError:
            self._modules.clear()
            self._modules.update(before)
            raise


class Sequential(_Ordered):
    r"""Modules one after another: the output of each is the input of the next.

    .. math:: y = f_n(\dots f_2(f_1(x)))

    Shapes: as the first takes and the last gives.

    Arguments: the modules; or one dictionary of modules by name.

    Raises TypeError for what is not a module.

    >>> from ichikara.nn import Linear, ReLU
    >>> net = Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
    >>> net([[0.0] * 4]).shape
    (1, 3)
    >>> list(net.state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']

    Source: PyTorch's ``torch.nn.Sequential``.
    """

    def __init__(self, *args: Module | Mapping[str, Module]):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            named = args[0].items()
        else:
            named = ((str(number), module) for number, module in enumerate(args))  # type: ignore[assignment]
        for name, module in named:
            self.register_module(name, _module(module))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))
        return list(self._modules.values())[self._position(index)]

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input


class ModuleList(_Ordered):
    """Modules in a list; how they are called is up to the module that holds the list.

    A plain Python list would hide its modules: their parameters would not be learnt or saved.

    Arguments: ``modules``, an iterable of modules.

    Raises TypeError for what is not a module.

    >>> from ichikara.nn import Linear
    >>> layers = ModuleList(Linear(2, 2) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)

    Source: PyTorch's ``torch.nn.ModuleList``.
    """

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        if isinstance(modules, Module) and not isinstance(modules, _Ordered):
            raise TypeError(f"ModuleList takes a list of modules, not one {type(modules).__name__}; put it in brackets")
        self.extend(modules or ())

    def __getitem__(self, index: int | slice) -> Any:
        modules = list(self._modules.values())
        return type(self)(modules[index]) if isinstance(index, slice) else modules[self._position(index)]

    def __repr__(self):
        # Equal neighbours on one line: (0-11): 12 x Block(…).
        lines = []
        for text, group in groupby(self._modules.items(), key=lambda item: repr(item[1])):
            names = [name for name, _ in group]
            label = f"({names[0]}): " if len(names) == 1 else f"({names[0]}-{names[-1]}): {len(names)} x "
            lines.append("\n  " + label + text.replace("\n", "\n  "))
        return f"{type(self).__name__}({''.join(lines)}" + ("\n)" if lines else ")")


class ModuleDict(Module):
    """Modules by name; how they are called is up to the module that holds the dictionary.

    Arguments: ``modules``, a dictionary of modules, or pairs of name and module.

    Raises TypeError for what is not a module; UserError for a name that is not there.

    >>> from ichikara.nn import ReLU, Tanh
    >>> choices = ModuleDict({"relu": ReLU(), "tanh": Tanh()})
    >>> choices["relu"]([-1.0, 1.0])
    Tensor([0., 1.])

    Source: PyTorch's ``torch.nn.ModuleDict``.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None):
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Any:
        return choose("module", key, self._modules)

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, _module(module))

    def __delitem__(self, key: str) -> None:
        choose("module", key, self._modules)
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self):
        """The names."""
        return self._modules.keys()

    def values(self):
        """The modules."""
        return self._modules.values()

    def items(self):
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, in the place of those that have the same names."""
        for key, module in dict(modules).items():
            self[key] = module

    def pop(self, key: str) -> Module:
        """Take a module out, and return it."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()


class ParameterList(Module):
    """Parameters in a list; what is done with them is up to the module that holds the list.

    Arguments: ``values``, an iterable of parameters; arrays and tensors become parameters.

    >>> weights = ParameterList([[1.0, 2.0], [3.0]])
    >>> [tuple(w.shape) for w in weights], list(weights.state_dict())
    ([(2,), (1,)], ['0', '1'])

    Source: PyTorch's ``torch.nn.ParameterList``.
    """

    def __init__(self, values: Iterable[Any] | None = None):
        super().__init__()
        self.extend(() if values is None else values)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int | slice) -> Any:
        held = list(self._parameters.values())
        return type(self)(held[index]) if isinstance(index, slice) else held[index]

    def append(self, value: Any) -> Self:
        """Add a parameter at the end. Returns the list."""
        made = value if isinstance(value, Parameter) else Parameter(value)
        self.register_parameter(str(len(self)), made)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end. Returns the list."""
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        lines = [f"({name}): {p.dtype}, shape {p.shape}" for name, p in self._parameters.items() if p is not None]
        return "\n  " + "\n  ".join(lines) + "\n" if lines else ""


def _module(value: Any) -> Module:
    """The value, which must be a module."""
    if not isinstance(value, Module):
        raise TypeError(not_a_module(value))
    return value
