"""How a tensor behaves as a Python object: what it is, how it becomes numbers, and what it refuses to do.

Its part in the chain rule is in `engine`.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..arrays import as_array, default_float, format_array, is_traced, read_only, to_numpy
from ..arrays.interpreter import seam
from ..pytorch_names import ATTRIBUTES
from .modes import mode

__all__ = ["TensorBase", "raw"]


class TensorBase:
    """An array of numbers, ``_data``, and the node of the graph that they came from, ``_node``.

    A leaf that has been frozen has its node, and its gradient, in ``_frozen`` meanwhile (`tensor.Frozen`).
    """

    __slots__ = ("__weakref__", "_data", "_frozen", "_node")

    _data: Any
    _node: Any
    _frozen: Any
    _namespace: Any = None  # the module that `__array_namespace__` answers with; the operations' floor sets it

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
        array = as_array(raw(value), self.dtype)
        if array.shape != self.shape:
            raise ValueError(f"these numbers have shape {array.shape}, the tensor has {self.shape}")
        seam.interpreter.call(self._assign_copy, array)
        seam.interpreter.replaced(self)

    def _assign_copy(self, array):
        # A copy: the tensor's array must not change when the giver changes theirs.
        self._data = array.copy()
        self.touch()

    def touch(self):
        """Say that the numbers were changed in place, so that a sweep over an older graph refuses to use them."""
        node = self.leaf_node() if self._node is None else self._node
        if node is not None:
            node.version += 1

    def leaf_node(self):
        """The node of a leaf in earlier graphs: it keeps the same one while it is frozen. None for a constant."""
        if self._node is None:
            frozen = getattr(self, "_frozen", None)
            return None if frozen is None else frozen.node
        return self._node

    def __array_namespace__(self, *, api_version=None):
        versions = ("2022.12", "2023.12", "2024.12")
        if api_version is not None and api_version not in versions:
            raise ValueError(f"the array API is here in the versions {', '.join(versions)}, not {api_version!r}")
        return type(self)._namespace

    def to_device(self, device, /, *, stream=None):
        """The tensor itself, where it is on this device already. Raises ValueError for another one."""
        if device != self.device or stream is not None:
            raise ValueError(f"this tensor is on the device {self.device!r}, and tensors are not moved to {device!r}")
        return self

    # --- out of ichikara ----------------------------------------------------------------------------------------------

    def numpy(self):
        """The numbers as a NumPy array of the caller's own: changing it does not change the tensor."""
        self._need_numbers("numpy()")
        return to_numpy(self._data).copy()

    def __array__(self, dtype=None, copy=None):
        if self._node is not None and mode.grad_enabled:
            raise TypeError(
                "NumPy asked for the numbers of a tensor that requires a gradient, which would be lost; join tensors "
                "with stack() or concat(), or give NumPy t.detach() (or t.numpy()) where no gradient is wanted"
            )
        self._need_numbers("numpy.asarray()")
        array = to_numpy(self._data)
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"copy=False, and numbers of type {array.dtype} are copied to be of type {dtype}")
            return array.astype(dtype)
        return array.copy() if copy else read_only(array)

    def item(self):
        """The single value as a Python number. Raises ValueError if there is not exactly one."""
        if self._data.size != 1:
            raise ValueError(
                f"this tensor has shape {self.shape}, and a single number was asked of it; "
                "reduce it first (sum(), mean()) or choose an element (t[0])"
            )
        self._need_numbers("a Python number")
        return self._data.item()

    def tolist(self):
        """The numbers as nested Python lists."""
        self._need_numbers("tolist()")
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

    def _need_numbers(self, what):
        """Raise TypeError where there are no numbers yet, because the function around is being traced."""
        request = f"{what} of a traced tensor (shape {self.shape})"
        seam.interpreter.concrete(request, self)
        if is_traced(self._data):
            raise TypeError(f"{request} was asked for, which has no numbers yet: use where() instead of if")

    def __dir__(self):
        return [name for name in super().__dir__() if name not in ATTRIBUTES or hasattr(self, name)]

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

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    __hash__ = object.__hash__

    def __repr__(self):
        if is_traced(self._data):
            return f"Tensor({self._data})"
        numbers = format_array(self._data, prefix="Tensor(")
        dtype = "" if self.dtype in (default_float, "int64", "bool") else f", dtype={self.dtype}"
        grad = ", requires_grad=True" if self._node is not None else ""
        return f"Tensor({numbers}{dtype}{grad})"

    def __format__(self, spec):
        return format(self.item(), spec) if spec else str(self)

    vars().update(ATTRIBUTES)

    if TYPE_CHECKING:
        # What is bound when it is defined: making and differentiating a tensor, and the operations.
        grad: Any

        def __getattr__(self, name: str) -> Any: ...

        @property
        def requires_grad(self) -> bool: ...
        @requires_grad.setter
        def requires_grad(self, wanted: bool) -> None: ...
        def __init__(self, obj: Any, dtype: Any = None, requires_grad: bool = False): ...

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


def raw(value: Any) -> Any:
    """The array inside a tensor; anything else as it is."""
    return seam.interpreter.read(value) if isinstance(value, TensorBase) else value
