"""What PyTorch has and ichikara lacks, or calls otherwise.

Layers, optimisers and operations leave out those arguments of PyTorch's that would do nothing here. At PyTorch's own
default such an argument changes nothing, so it is accepted; any other value is refused with the reason.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from .errors import UserError

__all__ = ["ARGUMENTS", "ATTRIBUTES", "Elsewhere", "accept", "known_options"]

_SAME_NUMBERS = "it chooses how the same numbers are computed, which ichikara does by itself; leave it out"
_NEVER_IN_PLACE = "a tensor is never changed in place, so that its gradient stays right; leave it out: {}"
_OBSOLETE = "PyTorch has given it up; use reduction='mean', 'sum' or 'none'"

# Each argument with PyTorch's default, and why no other value will do.
ARGUMENTS: dict[str, tuple[Any, str]] = {
    "inplace": (False, _NEVER_IN_PLACE.format("the numbers are the same")),
    "out": (None, _NEVER_IN_PLACE.format("use what is returned")),
    "device": (None, "numbers are computed where NumPy keeps them, on the CPU; leave it out"),
    "foreach": (None, _SAME_NUMBERS),
    "fused": (None, _SAME_NUMBERS),
    "capturable": (False, "ichikara.stage() captures every optimiser; leave it out"),
    "differentiable": (False, "a step of an optimiser is not differentiated by"),
    "decoupled_weight_decay": (False, "the optimiser with decoupled weight decay is AdamW"),
    "size_average": (None, _OBSOLETE),
    "reduce": (None, _OBSOLETE),
    "return_indices": (False, "where the largest elements are is not returned, only what they are"),
    "proj_size": (0, "the output is the hidden state itself; put a Linear layer behind it for a projection"),
    "add_bias_kv": (False, "there are no learnt keys and values beside those that are given"),
    "add_zero_attn": (False, "there is no key of zeros beside those that are given"),
    "enable_nested_tensor": (True, _SAME_NUMBERS),
    "mask_check": (True, _SAME_NUMBERS),
    "max_norm": (None, "vectors are not shortened while they are read; do it after a step, if at all"),
    "norm_type": (2.0, "it belongs to max_norm, which is not here"),
    "scale_grad_by_freq": (False, "the gradient of a vector is the sum over its uses"),
    "sparse": (False, "gradients of tables are kept by rows anyway; leave it out"),
    "_weight": (None, "make the layer of a table by Embedding.from_pretrained(table)"),
    "_freeze": (False, "freeze the layer by requires_grad_(False)"),
    "recompute_scale_factor": (None, "the scale is the one that was given, or that of the sizes"),
    "antialias": (False, "there is no filter before images are made smaller"),
    "momentum": (0.1, "running means are changed by the layers, such as BatchNorm1d, not by the function"),
    "weight": (None, "multiply the losses with reduction='none' by the weights, and reduce them"),
    "dtype": (None, "convert the input: x.astype(dtype)"),
}

# Arguments of PyTorch's that ours have by the array API's names.
_RENAMED = {"dim": "axis", "dims": "axis", "keepdim": "keepdims"}


def known_options(function: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call without those of `ARGUMENTS` that the function lacks, where they have PyTorch's default.

    Arguments: ``function``, with a ``name`` and ``parameters``. Raises UserError for another value than the default.

    >>> from types import SimpleNamespace
    >>> known_options(SimpleNamespace(name="relu", parameters=("x",)), {"inplace": False})
    {}
    """
    known = {}
    for name, value in options.items():
        if name in function.parameters or not _is_default(function.name, name, value):
            known[name] = value
        if name in _RENAMED and name not in function.parameters and _RENAMED[name] in function.parameters:
            raise TypeError(f"{function.name}() has no {name}: here its name is {_RENAMED[name]}, as in the array API")
    return known


def _is_default(owner: str, name: str, value: Any) -> bool:
    """Whether this is an argument of `ARGUMENTS`, which has its default then."""
    if name not in ARGUMENTS:
        return False
    default, reason = ARGUMENTS[name]
    same = value is default or (type(value) is type(default) and value == default)
    if not same and (name, value) != ("device", "cpu"):
        raise UserError(f"{owner} takes {name}={default!r} alone, and {value!r} was given: {reason}")
    return True


def accept(kind: type, further: str) -> None:
    """Let the constructor of a class take further arguments of PyTorch's, if they have their default.

    Arguments: ``further``, the names that PyTorch's signature has after the last one that may be given by position
    here, in that order; those of them that the class knows are passed on.
    """
    constructor: Callable = kind.__init__  # type: ignore[misc]
    parameters = [*inspect.signature(constructor).parameters.values()]
    most = sum(p.kind is not p.KEYWORD_ONLY for p in parameters)
    own, names = {p.name for p in parameters}, further.split()
    dropped = {name for name in names if name not in own}

    @wraps(constructor)
    def __init__(*args, **options):
        if len(args) > most and len(args) - most <= len(names):
            options = {**dict(zip(names, args[most:], strict=False)), **options}
            args = args[:most]
        for name in dropped.intersection(options) if options else ():
            _is_default(kind.__name__, name, options.pop(name))
        constructor(*args, **options)

    kind.__init__ = __init__  # type: ignore[misc]


# --- attributes of tensors --------------------------------------------------------------------------------------------

_ON_THE_CPU = "the numbers are on the CPU already: leave it out"
_OTHERWISE = {
    "view": "t.reshape(shape)",
    "view_as": "t.reshape(other.shape)",
    "reshape_as": "t.reshape(other.shape)",
    "permute": "permute_dims(t, axes)",
    "transpose": "permute_dims(t, axes), or t.mT for the last two axes",
    "swapaxes": "permute_dims(t, axes), or t.mT for the last two axes",
    "t": "t.T",
    "unsqueeze": "expand_dims(t, axis=axis)",
    "expand": "broadcast_to(t, shape)",
    "expand_as": "broadcast_to(t, other.shape)",
    "movedim": "t.moveaxis(source, destination)",
    "ravel": "t.flatten()",
    "unbind": "unstack(t, axis=axis)",
    "chunk": "slices, t[begin:end]",
    "split": "slices, t[begin:end]",
    "narrow": "a slice, t[begin:end]",
    "select": "an index, t[i]",
    "clone": "+t, which is differentiated through, or t.detach()",
    "contiguous": "t itself: leave it out",
    "to": "t.astype(dtype); for a device there is nothing to do",
    "type": "t.dtype, or t.astype(dtype)",
    "type_as": "t.astype(other.dtype)",
    "float": "t.astype('float32')",
    "double": "t.astype('float64')",
    "half": "t.astype('float16')",
    "long": "t.astype('int64')",
    "int": "t.astype('int32')",
    "bool": "t.astype('bool')",
    "cpu": _ON_THE_CPU,
    "cuda": "only the CPU: leave it out",
    "is_cuda": "t.device",
    "numel": "t.size",
    "nelement": "t.size",
    "dim": "t.ndim",
    "ndimension": "t.ndim",
    "add": "t + other",
    "sub": "t - other",
    "mul": "t * other",
    "div": "t / other",
    "true_divide": "t / other",
    "neg": "-t",
    "mm": "t @ other",
    "bmm": "t @ other",
    "mv": "t @ other",
    "matmul": "t @ other",
    "dot": "t @ other",
    "eq": "t == other",
    "ne": "t != other",
    "lt": "t < other",
    "le": "t <= other",
    "gt": "t > other",
    "ge": "t >= other",
    "clamp": "t.clip(min, max)",
    "clamp_min": "t.clip(min)",
    "clamp_max": "t.clip(None, max)",
    "amax": "t.max(axis=axis)",
    "amin": "t.min(axis=axis)",
    "cumsum": "t.cumulative_sum(axis=axis)",
    "norm": "(t * t).sum() ** 0.5",
    "masked_fill": "where(mask, value, t)",
    "masked_select": "t[mask]",
    "index_select": "take(t, indices, axis=axis)",
    "gather": "take_along_axis(t, indices, axis=axis)",
    "repeat_interleave": "repeat(t, times, axis=axis)",
    "grad_fn": "t.is_leaf, and ichikara.autodiff for the graph",
    "retain_grad": "grad(function)(inputs) for gradients of what is no leaf",
    "detach_": "t = t.detach()",
}


_FUNCTIONS = (
    *("absolute", "broadcast_to", "divide", "equal", "flip", "floor_divide", "greater", "heaviside", "less"),
    *("logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "not_equal", "pow"),
    *("relu", "remainder", "repeat", "roll", "scatter", "sort", "argsort", "subtract", "take", "tile", "tril", "triu"),
    *("unique", "where", "negative"),
)
_IN_PLACE = (
    *("abs_", "add_", "clamp_", "clip_", "copy_", "div_", "exp_", "fill_", "floor_", "index_add_", "index_copy_"),
    *("index_fill_", "index_put_", "log_", "masked_fill_", "mul_", "neg_", "normal_", "pow_", "random_", "relu_"),
    *("resize_", "round_", "scatter_", "scatter_add_", "sigmoid_", "sqrt_", "squeeze_", "sub_", "t_", "tanh_"),
    *("transpose_", "uniform_", "unsqueeze_", "zero_"),
)


class Elsewhere:
    """An attribute of PyTorch's tensors that ours lack: the error names what there is instead.

    One for each name, and no ``__getattr__``, which would slow down every attribute of every tensor.
    """

    def __init__(self, name: str):
        self.name = name

    def __get__(self, tensor: Any, owner: Any = None) -> Any:
        raise AttributeError(self._message(owner._namespace), name=self.name, obj=tensor)

    def _message(self, namespace):
        name = self.name
        if name in _OTHERWISE:
            return f"a tensor has no '{name}'; ichikara has {_OTHERWISE[name]}"
        if name in _IN_PLACE:
            return f"a tensor has no '{name}', for it is never changed in place: t = … instead, or t.data = array"
        if callable(getattr(namespace, name, None)):
            return f"a tensor has no method '{name}'; it is a function: ichikara.{name}(t, …)"
        return f"a tensor has no '{name}'"


ATTRIBUTES = {name: Elsewhere(name) for name in (*_OTHERWISE, *_FUNCTIONS, *_IN_PLACE)}
