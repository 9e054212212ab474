"""The Tensor: an array that remembers which operation made it."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from ..arrays import (
    as_array,
    as_dtype,
    default_float,
    format_array,
    is_floating,
    is_traced,
    read_only,
    recording,
    run,
    to_numpy,
)

__all__ = ["OPERATORS", "Leaf", "Node", "Tensor", "asarray", "bind", "raw", "wrap"]


_leaves = count(1)


class Leaf:
    """The place where the gradient of a tensor that nothing made is put.

    ``version`` counts the times that the tensor's numbers were replaced, so that a sweep notices numbers that are no
    longer the ones that the forward pass used.
    """

    __slots__ = ("dtype", "grad", "order", "shape", "version")

    def __init__(self, shape, dtype):
        self.order = -next(_leaves)  # a sweep comes to the leaves last
        self.shape, self.dtype = shape, dtype
        self.grad: Tensor | None = None
        self.version = 0


class Node:
    """One application of an operation: which, on what, and where its inputs' gradients go.

    ``plan`` is the operation's plan for the inputs that are wanted, ``edges`` the nodes or leaves of those inputs,
    ``saved`` the values that the plan's rules name, ``order`` a number that rises as operations are applied.
    """

    __slots__ = ("dtype", "edges", "order", "plan", "saved", "shape", "versions")
    version = 0  # what an operation made is never replaced

    plan: Any
    edges: Any
    saved: Any
    order: int
    shape: tuple[int, ...]
    dtype: Any
    versions: Any


class Tensor:
    """An array of numbers that remembers which operation made it, so that it can be differentiated.

    Make one with `asarray`. Operators and functions follow the Python array API: ``x + y``, ``x @ y``, ``x[1:, 0]``,
    ``x.sum(axis=0)``. A Tensor is never changed in place: ``x[i] = v`` is an error that names what to do instead.

    Arguments: as `asarray`.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_data", "_node")

    _data: Any
    _node: Any
    _namespace: Any = None  # the module that `__array_namespace__` answers with; the operations' floor sets it

    # NumPy leaves `array + tensor` to the Tensor instead of taking it apart element by element.
    __array_ufunc__ = None

    def __init__(self, obj, dtype=None, requires_grad=False):
        made = asarray(obj, dtype=dtype, requires_grad=requires_grad)
        self._data, self._node = made._data, made._node

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length along each axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def dtype(self):
        """The type of the numbers, such as float32."""
        return self._data.dtype

    @property
    def device(self):
        """Where the numbers are: ``'cpu'`` for NumPy's, the library's own answer for others."""
        return getattr(self._data, "device", "cpu")

    @property
    def data(self):
        """The numbers as the array that holds them, read-only; assign another array to replace them."""
        return read_only(raw(self))

    @data.setter
    def data(self, value):
        array = raw(asarray(value, dtype=self.dtype))
        if array.shape != self.shape:
            raise ValueError(f"these numbers have shape {array.shape}, the tensor has {self.shape}")
        run(self._replace, array)
        if recording.recorder is not None:
            recording.recorder.changed(self)

    def _replace(self, array):
        # A copy: the tensor's array must not change when the giver changes theirs.
        self._data = array.copy()
        self.touch()

    def touch(self):
        """Say that the numbers were changed in place, so that a sweep over an older graph refuses to use them."""
        if type(self._node) is Leaf:
            self._node.version += 1

    def __array_namespace__(self, *, api_version=None):
        return Tensor._namespace

    # --- out of ichikara ----------------------------------------------------------------------------------------------

    def numpy(self):
        """The numbers as a NumPy array of the caller's own: changing it does not change the tensor."""
        self._refuse_traced("numpy()")
        return to_numpy(self._data).copy()

    def __array__(self, dtype=None, copy=None):
        self._refuse_traced("numpy.asarray()")
        array = to_numpy(self._data)
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else read_only(array)

    def item(self):
        """The single value as a Python number. Raises ValueError if there is not exactly one."""
        if self._data.size != 1:
            raise ValueError(
                f"this tensor has shape {self.shape}, and a single number was asked of it; "
                "reduce it first (sum(), mean()) or choose an element (t[0])"
            )
        self._refuse_traced("a Python number")
        return self._data.item()

    def tolist(self):
        """The numbers as nested Python lists."""
        self._refuse_traced("tolist()")
        return to_numpy(self._data).tolist()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        if self._data.size != 1:
            raise ValueError(
                f"a tensor of shape {self.shape} is neither true nor false; "
                "compare and reduce it: (t > 0).all(), (t > 0).any()"
            )
        return bool(self.item())

    def __index__(self):
        if self._data.dtype.kind not in "iu" or self._data.ndim:
            raise TypeError(f"only a single whole number can be an index, not {self.dtype} of shape {self.shape}")
        return int(self.item())

    def _refuse_traced(self, wanted):
        if is_traced(self._data) or recording.recorder is not None:
            raise TypeError(
                f"{wanted} was asked of a traced tensor (shape {self.shape}), which has no numbers yet: "
                "inside a staged function use where() instead of if, and return the tensor to read it outside"
            )

    # --- gradients ----------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded. Assign True to a leaf to differentiate by it."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted):
        if type(self._node) is Node:
            raise ValueError("an operation made this tensor; use detach() for a copy that is cut from the graph")
        if not wanted:
            self._node = None
        elif self._node is None:
            if not is_floating(self._data):
                raise TypeError(
                    f"only floating-point numbers have a gradient, and these are {self.dtype}; "
                    "make them with dtype='float32'"
                )
            self._node = Leaf(self.shape, self.dtype)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return type(self._node) is not Node

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that `backward` has added up here, or None. Of the tensor's shape and type. Leaves only."""
        if recording.recorder is not None:
            recording.recorder.grad_of(self._node)
        return self._node.grad if type(self._node) is Leaf else None

    @grad.setter
    def grad(self, value):
        if type(self._node) is not Leaf:
            if value is None:
                return
            raise ValueError("only a leaf that requires a gradient can be given one")
        if value is not None:
            value = asarray(value)
            if value.shape != self.shape:
                raise ValueError(f"a gradient has its tensor's shape {self.shape}, not {value.shape}")
        if recording.recorder is not None:
            recording.recorder.grad_of(self._node, replaced=True)
        self._node.grad = value if value is None or value.dtype == self.dtype else value.astype(self.dtype)

    def detach(self) -> "Tensor":
        """The same numbers, cut from the graph: nothing flows back through the result."""
        return wrap(raw(self), None)

    # --- how it behaves as a Python object ----------------------------------------------------------------------------

    def __setitem__(self, index, value):
        raise TypeError(
            "a tensor is not changed in place, so that its gradient stays right; "
            "choose with where(mask, value, t), join with concat(), or replace a leaf's numbers with t.data = array"
        )

    def __len__(self):
        if not self._data.ndim:
            raise TypeError("a tensor with no axes has no length")
        return self._data.shape[0]

    def __iter__(self) -> "Iterator[Tensor]":
        return (self[i] for i in range(len(self)))

    __hash__ = object.__hash__

    def __repr__(self):
        if is_traced(self._data):
            return f"Tensor({self._data})"
        numbers = format_array(self._data, prefix="Tensor(")
        dtype = "" if self.dtype in (default_float, "int64", "bool") else f", dtype={self.dtype}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({numbers}{dtype}{grad})"

    def __format__(self, spec):
        return format(self.item(), spec) if spec else str(self)

    def __copy__(self):
        return wrap(raw(self), self._node)

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise ValueError("an operation made this tensor; copy its detach()")
        copy = type(self).__new__(type(self))
        copy._data = raw(self).copy()
        copy._node = Leaf(self.shape, self.dtype) if self.requires_grad else None
        memo[id(self)] = copy
        return copy

    if TYPE_CHECKING:
        # The operators and methods that the operations bind when they are defined.
        def __getattr__(self, name: str) -> Any: ...

        __add__: Callable[..., Any]
        __radd__: Callable[..., Any]
        __sub__: Callable[..., Any]
        __rsub__: Callable[..., Any]
        __mul__: Callable[..., Any]
        __rmul__: Callable[..., Any]
        __truediv__: Callable[..., Any]
        __rtruediv__: Callable[..., Any]
        __pow__: Callable[..., Any]
        __matmul__: Callable[..., Any]
        __neg__: Callable[..., Any]
        __getitem__: Callable[..., Any]
        __lt__: Callable[..., Any]
        __le__: Callable[..., Any]
        __gt__: Callable[..., Any]
        __ge__: Callable[..., Any]


_new = Tensor.__new__


def wrap(array, node) -> Tensor:
    """A Tensor around an array as it is, made by the given node; None for a constant."""
    tensor = _new(Tensor)
    tensor._data = array
    tensor._node = node
    return tensor


def raw(value):
    """The array inside a Tensor; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    recorder = recording.recorder
    return value._data if recorder is None else recorder.read(value)


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
}


def bind(*names: str) -> Callable:
    """Decorator: make a function of a floor above a method or an operator (``__add__``) of Tensor.

    So nothing imports upwards: the operations know Tensor, and Tensor does not know the operations.
    """

    def decorate(function):
        for name in names:
            if name in vars(Tensor) and name not in ("__eq__", "__ne__"):
                raise ValueError(f"an operation, a method or an operator is bound to Tensor already: {name}")
            setattr(Tensor, name, function)
        return function

    return decorate


def asarray(obj, dtype=None, requires_grad=False, copy=None) -> Tensor:
    """Make a Tensor of numbers, nested lists, a NumPy array, a JAX array or another Tensor.

    Python's floats become float32; float64 arrays and whole numbers keep their type. Memory is shared where it can be
    unless a gradient is wanted, for then the numbers must not change behind the graph's back.

    Shapes: that of the object.

    Arguments: ``obj``, the numbers; ``dtype``, such as ``'float64'``; ``requires_grad``, whether to differentiate by
    it; ``copy``, True to copy always, None to copy where needed.

    Raises TypeError for an array of another library, or for a gradient of whole numbers; ValueError for ragged lists.

    >>> asarray([[1, 2], [3, 4]]).dtype, asarray([1.0, 2.0]).dtype
    (dtype('int64'), dtype('float32'))

    Source: the array API standard, ``asarray``.
    """
    if isinstance(obj, Tensor):
        if not requires_grad:
            same = dtype is None or as_dtype(dtype) == obj.dtype
            return obj if same and not copy else obj.astype(dtype or obj.dtype, copy=True)
        obj = raw(obj)
    wanted = None if dtype is None else as_dtype(dtype)
    tensor = wrap(as_array(obj, wanted, copy=copy or requires_grad), None)
    if requires_grad:
        tensor.requires_grad = True
    return tensor
