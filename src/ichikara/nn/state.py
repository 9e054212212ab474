"""The state of a module: its numbers by name, out of it and into it."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol

from ..autodiff import Tensor, asarray, raw, wrap
from ..errors import UserError

__all__ = ["IncompatibleKeys", "load_state_dict", "state_dict"]


class _Parted(Protocol):
    """What is asked of a module here: to name its parts."""

    def named_modules(self, *, remove_duplicate: bool = ...) -> Iterator[tuple[str, Any]]: ...


class IncompatibleKeys(NamedTuple):
    """The names that a state lacked, and those that it had too many."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def _entries(module: _Parted) -> Iterator[tuple[str, Tensor]]:
    """All that is saved of a module, in PyTorch's order: parameters, then buffers, then the parts."""
    for place, part in module.named_modules(remove_duplicate=False):
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None and name not in part._passing_buffers:
                yield (f"{place}.{name}" if place else name), tensor


def state_dict(module: _Parted, prefix: str = "") -> dict[str, Tensor]:
    """See `Module.state_dict`."""
    return {prefix + key: wrap(tensor._data.copy(), None) for key, tensor in _entries(module)}


def load_state_dict(module: _Parted, state: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
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
