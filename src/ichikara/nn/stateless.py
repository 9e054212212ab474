"""A module called with the tensors that it is given: the network as a function of its parameters."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ..autodiff import Tensor
from ..errors import UserError
from .module import Module

__all__ = ["functional_call"]


def functional_call(module: Module, state: Mapping[str, Tensor], args: Any, kwargs: dict | None = None) -> Any:
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
                if id(tensor) in replaced:
                    kind[name] = replaced[id(tensor)]
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for kind, names in zip(held, before, strict=True):
            for name in names:
                if id(names[name]) in replaced:
                    kind[name] = names[name]
