"""Module: a part of a network, with its parameters, its buffers and the parts that it is made of itself."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Self

from ..arrays import as_dtype, is_array, is_scalar, seam
from ..autodiff import Tensor, asarray
from ..autodiff.tree import is_numbers
from ..errors import UnknownAttribute
from .changes import Held, HeldBuffers, changes
from .hooks import HookHandle, add_hook
from .parameter import Parameter, converted
from .state import IncompatibleKeys, load_state_dict, state_dict

__all__ = ["Module"]

# Where a module keeps what is registered with it, and what each is called in a message.
_KINDS = {"_parameters": "parameter", "_buffers": "buffer", "_modules": "module"}


class Module:
    r"""A part of a network: a function with parameters, made of operations and of other modules.

    .. math:: y = f(x; \theta)

    Derive from it, call ``super().__init__()`` first, assign parameters and modules to attributes, and define
    ``forward``. Calling the module runs ``forward``; NumPy arrays and lists of numbers become tensors on the way.

    Shapes: as ``forward`` says.

    Raises AttributeError for a parameter or a module that is assigned before ``super().__init__()``.

    >>> import ichikara
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = Parameter([2.0])
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Scale()([1.0, 3.0])
    Tensor([2., 6.], requires_grad=True)
    >>> list(Scale().state_dict())
    ['factor']

    Source: PyTorch's ``torch.nn.Module``.
    """

    def __init__(self):
        fields = {"_parameters": Held(), "_buffers": HeldBuffers(), "_modules": Held(), "_passing_buffers": set()}
        self.__dict__.update(training=True, _forward_pre_hooks=Held(), _forward_hooks=Held(), **fields)

    # --- calling ------------------------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every module defines its own."""
        raise NotImplementedError(f"{type(self).__name__} cannot be called: it defines no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple([value if isinstance(value, Tensor) else _as_input(value) for value in args])
        if kwargs:
            kwargs = {name: _as_input(value) for name, value in kwargs.items()}
        if self._forward_pre_hooks:
            for pre_hook in tuple(self._forward_pre_hooks.values()):
                changed = pre_hook(self, args)
                args = args if changed is None else changed if isinstance(changed, tuple) else (changed,)
        output = seam.interpreter.run_module(self, args, kwargs)
        if self._forward_hooks:
            for hook in tuple(self._forward_hooks.values()):
                changed = hook(self, args, output)
                output = output if changed is None else changed
        return output

    def register_forward_pre_hook(self, hook: Callable) -> HookHandle:
        """Call ``hook(module, args)`` before every forward; what it returns, unless None, takes the place of args."""
        return add_hook(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable) -> HookHandle:
        """Call ``hook(module, args, output)`` after every forward; what it returns, unless None, is the output."""
        return add_hook(self._forward_hooks, hook)

    # --- registering --------------------------------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None holds the place of one that this module does without."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"'{name}' is to be a Parameter or None, not {type(param).__name__}; make it Parameter(…)")
        self._claim("_parameters", name)
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module and is not learnt, such as a running mean.

        Arguments: ``tensor``, a Tensor, an array (which is copied), or None; ``persistent``, whether it is to be saved.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            tensor = asarray(tensor, copy=True)
        self._claim("_buffers", name)
        self._register("_buffers", name, tensor)
        if not persistent:
            self._passing_buffers.add(name)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Add a module under a name; None holds the place of one that this module does without."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(not_a_module(module))
        self._claim("_modules", name)
        self._register("_modules", name, module)

    add_module = register_module

    def _claim(self, kind: str, name: str) -> None:
        """Raise where the name is an attribute of another kind."""
        self._held(kind, name)
        if name in self.__dict__ or any(other != kind and name in self.__dict__[other] for other in _KINDS):
            raise ValueError(f"{type(self).__name__} has an attribute '{name}' already")

    def _held(self, kind: str, name: str) -> dict[str, Any]:
        """What is registered of a kind; the place where a forgotten ``super().__init__()`` shows."""
        if kind not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}.{name} was assigned before Module.__init__() ran; "
                "make super().__init__() the first line of its __init__()"
            )
        return self.__dict__[kind]

    def _register(self, kind: str, name: str, value: Any) -> None:
        held = self._held(kind, name)
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"the name of a {_KINDS[kind]} is a word without a dot, not {name!r}")
        if hasattr(type(self), name):
            raise ValueError(
                f"a {_KINDS[kind]} of {type(self).__name__} cannot be named '{name}': its class has that name already"
            )
        if isinstance(value, Module) and any(part is self for part in value.modules()):
            raise ValueError(
                f"{type(self).__name__}.{name} would make a circle: a module cannot be a part of its own part; "
                "to refer to it without making it a part, put it in a tuple"
            )
        self.__dict__.pop(name, None)
        for other in _KINDS:
            if other != kind:
                self.__dict__[other].pop(name, None)
        self._passing_buffers.discard(name)
        held[name] = value

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._register("_parameters", name, value)
            return
        if isinstance(value, Module):
            self._register("_modules", name, value)
            return
        for kind in _KINDS:
            held = self.__dict__.get(kind)
            if held is not None and name in held:
                if value is not None and not (kind == "_buffers" and isinstance(value, Tensor)):
                    raise TypeError(
                        f"{type(self).__name__}.{name} is a {_KINDS[kind]}, and {type(value).__name__} was assigned "
                        + ("to it" if kind == "_modules" else f"to it; to change its numbers: {name}.data = array")
                    )
                held[name] = value
                if kind == "_buffers":
                    seam.interpreter.assigned(self, name)
                return
        object.__setattr__(self, name, value)
        changes.note()

    def __getattr__(self, name: str) -> Any:
        # Python comes here when it has found no ordinary attribute.
        fields = self.__dict__
        for kind in _KINDS:
            held = fields.get(kind)
            if held is not None and name in held:
                seam.interpreter.attribute(self, kind, name)
                return held[name]
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # a property that failed: its own error says more than ours
        if "_parameters" not in fields and not name.startswith("__"):
            raise AttributeError(
                f"{type(self).__name__} has no attribute '{name}', because Module.__init__() has not run; "
                "make super().__init__() the first line of its __init__()",
                name=name,
            )
        raise AttributeError(UnknownAttribute(self, name), name=name)

    def __delattr__(self, name: str) -> None:
        for kind in _KINDS:
            held = self.__dict__.get(kind)
            if held is not None and name in held:
                del held[name]
                self._passing_buffers.discard(name)
                return
        object.__delattr__(self, name)
        changes.note()

    def __dir__(self):
        return [*super().__dir__(), *(name for kind in _KINDS for name in self.__dict__.get(kind, ()))]

    # --- going through the parts --------------------------------------------------------------------------------------

    def named_modules(self, *, prefix: str = "", remove_duplicate: bool = True) -> "Iterator[tuple[str, Module]]":
        """This module and all its parts, each after what it is a part of, with names such as ``'0.conv'``.

        A module that is used in two places comes once, unless ``remove_duplicate`` is False.
        """
        return _walk(self, prefix, set() if remove_duplicate else None)

    def modules(self) -> "Iterator[Module]":
        """This module and all its parts."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> "Iterator[tuple[str, Module]]":
        """The parts that this module itself has, with their names."""
        seen = set()
        seam.interpreter.attribute(self, "_modules", None)
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> "Iterator[Module]":
        """The parts that this module itself has."""
        return (module for _, module in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their names, such as ``'0.weight'``; one that is used in two places comes once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, as an optimiser wants them; without ``recurse`` those of the module's parts are left out."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their names; one that is used in two places comes once."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(self, kind, prefix, recurse, remove_duplicate):
        places = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        seen = set()
        for place, module in places:
            for name, tensor in module.__dict__[kind].items():
                if tensor is not None and not (remove_duplicate and id(tensor) in seen):
                    seen.add(id(tensor))
                    seam.interpreter.attribute(module, kind, name)
                    yield (f"{place}.{name}" if place else name), tensor

    def get_submodule(self, target: str) -> "Module":
        """The part of a name such as ``'features.0'``; the module itself for ``''``.

        Raises AttributeError that says how far the name was right, and names the nearest one.
        """
        module = self
        for name in target.split(".") if target else ():
            found = module._modules.get(name)
            if found is None:
                near = get_close_matches(name, list(module._modules), n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(module._modules) or 'none'}"
                raise AttributeError(f"{type(module).__name__} has no module '{name}' (of '{target}'); {hint}")
            module = found
        return module

    def apply(self, fn: "Callable[[Module], Any]") -> Self:
        """Call a function with every part, the innermost first, and with this module. Returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # --- switching ----------------------------------------------------------------------------------------------------

    @property
    def training(self) -> bool:
        """Whether the module is in training (dropout drops), and not in evaluation; see `train`."""
        seam.interpreter.attribute(self, "training", "training")
        return self.__dict__["training"]

    @training.setter
    def training(self, mode: bool) -> None:
        self.__dict__["training"] = mode
        changes.note()

    def train(self, mode: bool = True) -> Self:
        """Set the module and its parts to training (dropout drops), or to evaluation. Returns the module."""
        if not isinstance(mode, bool):
            raise TypeError(f"train() takes True or False, not {type(mode).__name__}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set the module and its parts to evaluation: ``train(False)``. Returns the module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say whether all parameters are to be learnt: ``requires_grad_(False)`` freezes them. Returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradients: every parameter's ``grad`` becomes None."""
        for parameter in self.parameters():
            parameter.grad = None
        seam.interpreter.cleared([*self.parameters()])

    def to(self, dtype) -> Self:
        """Make all floating-point parameters and buffers those of another type. Returns the module.

        The parameters stay the same objects, so an optimiser that holds them holds them still.

        Raises TypeError for a type of whole numbers.
        """
        wanted = as_dtype(dtype)
        if wanted.kind in "iub":
            raise TypeError(f"a module's numbers are floating-point, such as 'float64', not {wanted}")
        for parameter in self.parameters():
            if parameter.dtype.kind not in "iub":
                parameter.convert(wanted)
        made: dict[int, Tensor] = {}
        for module in self.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None and buffer.dtype.kind not in "iub" and buffer.dtype != wanted:
                    # A new tensor: the one that was registered may be in use elsewhere.
                    module._buffers[name] = made.setdefault(id(buffer), converted(buffer, wanted))
        return self

    # --- saving and showing -------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "") -> dict[str, Tensor]:
        """Copies of all parameters and persistent buffers, by name: what is to be saved of the module.

        >>> from ichikara.nn import Linear
        >>> {name: tensor.shape for name, tensor in Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return state_dict(self, prefix)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Replace the numbers of parameters and buffers by those of the same names, converted to their types.

        Arguments: ``state_dict``, Tensors or NumPy arrays by name; ``strict``, whether the names must be the same.
        Returns the names that were missing and those that were unexpected.

        Raises UserError that lists all missing names, all unexpected ones (with ``strict``), and every shape that does
        not fit; nothing is changed then.
        """
        return load_state_dict(self, state_dict, strict)

    def extra_repr(self) -> str:
        """What the module's repr shows between its parentheses."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        parts = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if parts:
            extra = "\n  " + "\n  ".join([*extra.splitlines(), *parts]) + "\n"
        return f"{type(self).__name__}({extra})"


def _walk(module: Module, name: str, seen: set[Module] | None) -> Iterator[tuple[str, Module]]:
    if seen is not None:
        if module in seen:
            return
        seen.add(module)
    yield name, module
    seam.interpreter.attribute(module, "_modules", None)
    for inner, part in module._modules.items():
        if part is not None:
            yield from _walk(part, f"{name}.{inner}" if name else inner, seen)


def not_a_module(value: Any) -> str:
    """What to say of a value that should have been a module."""
    if isinstance(value, type) and issubclass(value, Module):
        return f"{value.__name__} is a class of modules; make a module of it: {value.__name__}(…)"
    return f"a module is expected here, such as Linear(3, 2), not {type(value).__name__}"


_PLAIN = (Tensor, Module, str, int, float, type(None))


def _as_input(value: Any) -> Any:
    """An argument of a call: arrays and lists of numbers as tensors, everything else as it is."""
    if isinstance(value, _PLAIN) or is_scalar(value):
        return value
    # An array of another library too: asarray() turns it down, and says what to do.
    foreign = any(hasattr(value, mark) for mark in ("__array__", "__dlpack__"))
    return asarray(value) if foreign or is_array(value) or is_numbers(value) else value
