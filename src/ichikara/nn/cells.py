"""Cells: one step of a recurrent layer, for loops that are written by hand."""

from typing import Any

from .. import ops
from ..autodiff import Tensor
from ..errors import UserError, choose
from .recurrent import NONLINEARITIES, Weighted

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Weighted):
    """One step of a layer."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias)
        self._add_weights("", self.input_size, dtype)
        if not bias:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        return self._step(input, self._given(hx))[0]

    def _step(self, input: Tensor, states: list[Tensor]) -> list[Tensor]:
        """The new states of a batch of inputs, or of a single one."""
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise UserError(
                f"{self!r} takes a step of shape (n, {self.input_size}) or ({self.input_size}), not {input.shape}"
            )
        shape = (*input.shape[:-1], self.hidden_size)
        for state in states:
            if state.shape != shape:
                raise UserError(f"{self!r} starts from a state of shape {shape} here, and this one has {state.shape}")
        if input.ndim == 1:
            return [s[0] for s in self._step(input[None], [s[None] for s in states])]
        y = self._apply(input[None], "", states)  # (1 + states, n, hidden_size)
        return [y[k] for k in range(1, y.shape[0])]

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    r"""One step of an `RNN`.

    .. math:: h' = \tanh(W_{ih} x + b_{ih} + W_{hh} h + b_{hh})

    Shapes: input (n, input_size) or (input_size), hx (n, hidden_size) or (hidden_size), by default 0 -> like hx.

    Arguments: ``input_size``, the length of a step; ``hidden_size``, the number of units; ``bias``, whether there are
    biases; ``nonlinearity``, 'tanh' or 'relu'; ``dtype``, the type of the parameters.

    Raises UserError for inputs or states of other shapes.

    >>> RNNCell(3, 5)([[1.0, 2.0, 3.0]]).shape
    (1, 5)

    Source: PyTorch's ``torch.nn.RNNCell``.
    """

    gates = 1
    _operation = staticmethod(ops.rnn)
    _options = ("nonlinearity",)

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *, dtype: Any = None
    ):
        super().__init__(input_size, hidden_size, bias, dtype=dtype)
        self.nonlinearity: str = choose("nonlinearity", nonlinearity, NONLINEARITIES)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(_Cell):
    r"""One step of an `LSTM`.

    .. math:: c' = f c + i g, \qquad h' = o \tanh c'

    Shapes: input (n, input_size) or (input_size), hx a pair, each (n, hidden_size) or (hidden_size), by default 0
    -> a pair (h, c) like hx.

    Arguments, errors: as `RNNCell`, without a nonlinearity.

    >>> h, c = LSTMCell(3, 5)([[1.0, 2.0, 3.0]])
    >>> h.shape, c.shape
    ((1, 5), (1, 5))

    Source: PyTorch's ``torch.nn.LSTMCell``.
    """

    gates = 4
    _operation = staticmethod(ops.lstm)
    _states = 2

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, self._given(hx))
        return h, c


class GRUCell(_Cell):
    r"""One step of a `GRU`.

    .. math:: h' = (1 - z) n + z h

    Shapes, arguments, errors: as `RNNCell`, without a nonlinearity.

    >>> GRUCell(3, 5)([[1.0, 2.0, 3.0]]).shape
    (1, 5)

    Source: PyTorch's ``torch.nn.GRUCell``.
    """

    gates = 3
    _operation = staticmethod(ops.gru)
