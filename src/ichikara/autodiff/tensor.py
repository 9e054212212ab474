"""Making tensors, and what of a `Tensor` makes other ones: its gradient, copies, and the operators bound to it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ..arrays import as_array, as_dtype, check_device, is_floating, namespace
from ..arrays.interpreter import seam
from ..pytorch_names import Elsewhere
from .base import TensorBase, raw
from .engine import Node, Tensor, wrap

__all__ = ["OPERATORS", "asarray", "bind"]


def bind(*names: str) -> Callable:
    """Decorator: make a function of a floor above a method or an operator (``__add__``) of Tensor.

    So nothing imports upwards: the operations know Tensor, and Tensor does not know the operations.
    """

    def decorate(function):
        for name in names:
            there = vars(Tensor).get(name) or vars(TensorBase).get(name)
            if there is not None and not isinstance(there, Elsewhere) and name not in ("__eq__", "__ne__"):
                raise ValueError(f"an operation, a method or an operator is bound to Tensor already: {name}")
            setattr(Tensor, name, function)
        return function

    return decorate


# Which methods of Tensor answer to an operator; the second is the one with its sides exchanged.
OPERATORS = {
    "+": ("__add__", "__radd__"),
    "-": ("__sub__", "__rsub__"),
    "*": ("__mul__", "__rmul__"),
    "/": ("__truediv__", "__rtruediv__"),
    "//": ("__floordiv__", "__rfloordiv__"),
    "%": ("__mod__", "__rmod__"),
    "**": ("__pow__", "__rpow__"),
    "@": ("__matmul__", "__rmatmul__"),
    "-x": ("__neg__",),
    "+x": ("__pos__",),
    "|x|": ("__abs__",),
    "[]": ("__getitem__",),
    "==": ("__eq__",),
    "!=": ("__ne__",),
    "<": ("__lt__",),
    "<=": ("__le__",),
    ">": ("__gt__",),
    ">=": ("__ge__",),
    "&": ("__and__", "__rand__"),
    "|": ("__or__", "__ror__"),
    "^": ("__xor__", "__rxor__"),
    "~": ("__invert__",),
    "<<": ("__lshift__", "__rlshift__"),
    ">>": ("__rshift__", "__rrshift__"),
}


def asarray(obj, dtype=None, requires_grad=False, copy=None, device=None) -> Tensor:
    """Make a Tensor of numbers, nested lists, a NumPy array, a JAX array or another Tensor.

    Python's floats become float32; float64 arrays and whole numbers keep their type. Memory is shared where it can be
    unless a gradient is wanted, for then the numbers must not change behind the graph's back.

    Shapes: that of the object.

    Arguments: ``obj``, the numbers; ``dtype``, such as ``'float64'``; ``requires_grad``, whether to differentiate by
    it; ``copy``, True to copy always, None to copy where needed, False never to copy; ``device``, ``'cpu'`` or None.

    Raises TypeError for an array of another library, or for a gradient of whole numbers; ValueError for ragged lists,
    and where a copy is needed and forbidden.

    >>> asarray([[1, 2], [3, 4]]).dtype, asarray([1.0, 2.0]).dtype
    (dtype('int64'), dtype('float32'))

    Source: the array API standard, ``asarray``.
    """
    if device is not None:
        check_device(device)
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(obj, Tensor):
        if not requires_grad:
            if (wanted is None or wanted == obj.dtype) and not copy:
                return obj
            if copy is not False:
                return obj.astype(wanted or obj.dtype, copy=True)
        obj = raw(obj)
    if copy is False and requires_grad:
        raise ValueError("copy=False, and numbers whose gradient is wanted are copied, so that nobody changes them")
    tensor = wrap(as_array(obj, wanted, copy=True if requires_grad else copy), None)
    if requires_grad:
        _begin_graph(tensor)
    return tensor


@bind("__init__")
def _init(self, obj, dtype=None, requires_grad=False):
    made = asarray(obj, dtype=dtype, requires_grad=requires_grad)
    self._data, self._node = made._data, made._node


# --- gradients --------------------------------------------------------------------------------------------------------


def _is_leaf(self) -> bool:
    """Whether no operation that left a node made this tensor."""
    return self._node is None or self._node.operation is None


def _requires_grad(self) -> bool:
    """Whether operations on this tensor leave nodes. Assign True to a leaf to differentiate by it."""
    return self._node is not None


class Frozen(Node):
    """Where the gradient of a leaf is kept while the leaf is frozen; and its ``node``, to which it returns.

    An earlier graph still leads to that node, and what it brings there meanwhile is not kept.
    """

    __slots__ = ("node",)

    node: Node


def _set_requires_grad(self, wanted: bool) -> None:
    if not self.is_leaf:
        raise ValueError("an operation made this tensor; use detach() for a copy that is cut from the graph")
    if bool(wanted) is self.requires_grad:
        return
    frozen = getattr(self, "_frozen", None)
    if not wanted:
        if frozen is None:
            frozen = self._frozen = Frozen(self._data)
        frozen.node, self._node = self._node, None
        _move_gradient(frozen.node, frozen)
    elif frozen is not None:
        _move_gradient(frozen, frozen.node)
        self._node = frozen.node
    else:
        _begin_graph(self)
        self._data = self._data.copy()  # it may be the caller's, who may write to it


def _begin_graph(self) -> None:
    if not is_floating(self._data):
        raise TypeError(
            f"only floating-point numbers have a gradient, and these are {self.dtype}; make them with dtype='float32'"
        )
    self._node = Node(self._data)


def _move_gradient(source: Node, target: Node) -> None:
    seam.interpreter.gradient(source)
    seam.interpreter.gradient(target, replaced=True)
    target.grad, source.grad = source.grad, None


def _holder(self) -> Node | None:
    """The node that holds the gradient of a leaf; None for a constant and for what an operation made."""
    if self._node is None:
        return getattr(self, "_frozen", None)
    return None if self._node.operation else self._node


def _grad(self) -> Tensor | None:
    """The gradient that `backward` has added up here, or None. Of the tensor's shape and type. Leaves only."""
    node = self._node if self._node is not None else _holder(self)
    if node is None or node.operation is not None:
        return None
    seam.interpreter.gradient(node)
    return node.grad


def _set_grad(self, value: Any) -> None:
    _keep_grad(self, value if value is None else asarray(value, copy=True))


@bind("_keep_grad")
def _keep_grad(self, value: Any) -> None:
    """Set the gradient to a tensor that nobody else writes to, without a copy; None for no gradient."""
    node = _holder(self)
    if node is None:
        if value is None:
            return
        raise ValueError("only a leaf that requires a gradient can be given one")
    if value is not None and value.shape != self.shape:
        raise ValueError(f"a gradient has its tensor's shape {self.shape}, not {value.shape}")
    seam.interpreter.gradient(node, replaced=True)
    node.grad = value if value is None or value.dtype == self.dtype else value.astype(self.dtype)


@bind("requires_grad_")
def _requires_grad_(self, requires_grad: bool = True) -> Tensor:
    """Say whether to differentiate by this leaf: False freezes it, and it keeps its ``grad``. Returns the tensor."""
    self.requires_grad = requires_grad
    return self


bind("is_leaf")(property(_is_leaf))
bind("requires_grad")(property(_requires_grad, _set_requires_grad))
bind("grad")(property(_grad, _set_grad))


@bind("seed")
def seed(self: Tensor, gradient: Any = None, create_graph: bool = False) -> Any:
    """The gradient that a sweep from this tensor starts with: the one given, or 1 for a single number.

    Raises RuntimeError for a tensor that nothing requiring a gradient went into; ValueError where the gradient is
    missing or has another shape.
    """
    if self._node is None:
        raise RuntimeError(
            "nothing that requires a gradient went into this tensor; make a leaf with "
            "asarray(..., requires_grad=True), and compute outside of no_grad()"
        )
    if gradient is None:
        if self.size != 1:
            raise ValueError(
                f"backward() of a tensor of shape {self.shape} needs the gradient of each element: "
                "reduce it to a single number first (sum(), mean()), or pass grad= of that shape"
            )
        ones = namespace(self._data).ones_like(self._data)
        return wrap(ones, None) if create_graph else ones
    gradient = asarray(gradient, dtype=self.dtype, copy=True)  # a leaf may keep it, and the caller may write to theirs
    if gradient.shape != self.shape:
        raise ValueError(f"the gradient of a tensor of shape {self.shape} has that shape too, not {gradient.shape}")
    return gradient if create_graph else raw(gradient)


# --- copies -----------------------------------------------------------------------------------------------------------


@bind("detach")
def _detach(self) -> Tensor:
    """The same numbers, cut from the graph: nothing flows back through the result."""
    return wrap(raw(self), None)


@bind("__copy__")
def _copy(self):
    return wrap(raw(self), self._node)


@bind("__deepcopy__")
def _deepcopy(self, memo):
    kind, numbers, wanted = _parts(self)
    copy = memo[id(self)] = _made_of(kind, numbers.copy(), wanted)
    if hasattr(self, "__dict__"):  # what a class derived from it adds
        vars(copy).update(deepcopy(vars(self), memo))
    return copy


@bind("__reduce_ex__")
def _reduce(self, protocol):
    self._need_numbers("a pickle")
    return _made_of, _parts(self), getattr(self, "__dict__", None)


def _parts(self):
    """What is copied and pickled of a leaf: its numbers, and whether their gradient is wanted; not a gradient."""
    if not self.is_leaf:
        raise ValueError("an operation made this tensor, and its graph is not copied or pickled; take its detach()")
    return type(self), raw(self), self.requires_grad


def _made_of(kind: Any, numbers: Any, wanted: bool) -> Tensor:
    tensor = kind.__new__(kind)
    tensor._data, tensor._node = numbers, Node(numbers) if wanted else None
    return tensor
