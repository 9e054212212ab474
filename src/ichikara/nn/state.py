"""The state of a module: its numbers by name, out of it and into it."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from ..autodiff import Tensor, asarray, raw, wrap
from ..errors import UserError

if TYPE_CHECKING:
    from .module import Module

__all__ = ["IncompatibleKeys", "functional_call", "load_state_dict", "state_dict"]


class IncompatibleKeys(NamedTuple):
    """The names that a state lacked, and those that it had too many."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def _entries(module: "Module") -> Iterator[tuple[str, Tensor]]:
    """All that is saved of a module, in PyTorch's order: parameters, then buffers, then the parts."""
    for place, part in module.named_modules(remove_duplicate=False):
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None and name not in part._passing_buffers:
                yield (f"{place}.{name}" if place else name), tensor


def state_dict(module: "Module", prefix: str = "") -> dict[str, Tensor]:
    """See `Module.state_dict`."""
    return {prefix + key: wrap(tensor._data.copy(), None) for key, tensor in _entries(module)}


def load_state_dict(module: "Module", state: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """See `Module.load_state_dict`."""
    if not isinstance(state, Mapping):
        raise TypeError(f"a state is a dictionary of arrays by name, not {type(state).__name__}")
    own = dict(_entries(module))
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    problems = []
    if strict and missing:
        problems.append(f"missing: {', '.join(missing)}")
    if strict and unexpected:
        problems.append("unexpected: " + ", ".join(_with_nearest(key, missing) for key in unexpected))
    numbers = {}
    for key, tensor in own.items():
        if key not in state:
            continue
        try:
            numbers[key] = raw(asarray(raw(state[key]), dtype=tensor.dtype))
        except (TypeError, ValueError) as error:
            problems.append(f"{key}: {error}")
            continue
        if numbers[key].shape != tensor.shape:
            problems.append(f"{key} has shape {tensor.shape}, and the state has {numbers[key].shape}")
    if problems:
        raise UserError(
            f"this state does not fit {type(module).__name__}, and nothing was changed:\n  " + "\n  ".join(problems)
        )
    for key, array in numbers.items():
        own[key].data = array
    return IncompatibleKeys(missing, unexpected)


def _with_nearest(key, missing):
    near = get_close_matches(str(key), missing, n=1)
    return f"{key} (for {near[0]}?)" if near else str(key)


def functional_call(module: "Module", state: Mapping[str, Tensor], args: Any, kwargs: dict | None = None) -> Any:
    r"""Call a module with other tensors in the place of its own: the network as a function of its parameters.

    .. math:: y = f(x; \theta)

    Shapes: each tensor has the shape of the one that it stands for.

    Arguments: ``state``, tensors by the names of parameters and buffers, those left out staying as they are; ``args``,
    the call's argument, or a tuple of them; ``kwargs``, its arguments by name. A parameter that is used in two places
    is replaced in both. Not for several threads at once with one module.

    Raises UserError for a name that the module does not have, or another shape.

    >>> import ichikara
    >>> from ichikara.nn import Linear
    >>> layer = Linear(2, 1, bias=False)
    >>> ichikara.grad(lambda w: functional_call(layer, {"weight": w}, [3.0, 4.0]).sum())([[1.0, 1.0]])
    Tensor([[3., 4.]])

    Source: PyTorch's ``torch.func.functional_call``.
    """
    own = dict([*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)])
    replaced: dict[int, Tensor] = {}
    for key, tensor in state.items():
        if key not in own:
            near = get_close_matches(key, list(own), n=1)
            raise UserError(
                f"{type(module).__name__} has no parameter '{key}'" + (f"; did you mean '{near[0]}'?" if near else "")
            )
        if tensor.shape != own[key].shape:
            raise UserError(f"'{key}' has shape {own[key].shape}, and the tensor in its place {tensor.shape}")
        replaced[id(own[key])] = tensor
    held = [kind for part in module.modules() for kind in (part._parameters, part._buffers)]
    before = [dict(kind) for kind in held]
    try:
        for kind in held:
            for name, tensor in kind.items():
                kind[name] = replaced.get(id(tensor), tensor)
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for kind, names in zip(held, before, strict=True):
            for name in names:
                if id(names[name]) in replaced:
                    kind[name] = names[name]
