"""Recurrent layers: RNN, LSTM and GRU.

The state is an argument and a result, never an attribute: to read a text in pieces, pass the last state on.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

from .. import ops
from ..arrays import Generator, choose_generator, default_float
from ..autodiff import Tensor, asarray
from ..checks import fraction, whole_number
from ..errors import UserError, choose
from . import init
from .dropout import Dropout
from .module import Module
from .packed import PackedSequence, pack_padded_sequence, pad_packed_sequence
from .parameter import Parameter

__all__ = ["GRU", "LSTM", "NONLINEARITIES", "RNN", "Weighted"]

NONLINEARITIES = {"tanh": "tanh", "relu": "relu"}


class Weighted(Module):
    """What layers and cells share: the sizes, the weights and how they start, the states, and the operation."""

    gates: ClassVar[int]  # how many weighted sums a unit has
    _operation: ClassVar[Callable]
    _options: ClassVar[tuple[str, ...]] = ()  # the attributes that the operation takes as options
    _states: ClassVar[int] = 1  # how many states a unit has

    def __init__(self, input_size: int, hidden_size: int, bias: bool):
        super().__init__()
        self.input_size = whole_number("input_size", input_size)
        self.hidden_size = whole_number("hidden_size", hidden_size)
        self.bias = bias

    def _add_weights(self, ending: str, features: int, dtype: Any) -> None:
        rows = self.gates * self.hidden_size
        for name, shape in (
            ("weight_ih", (rows, features)),
            ("weight_hh", (rows, self.hidden_size)),
            ("bias_ih", (rows,)),
            ("bias_hh", (rows,)),
        ):
            if self.bias or not name.startswith("bias"):
                self.register_parameter(name + ending, Parameter(ops.zeros(shape, dtype=dtype or default_float)))

    def _weights(self, ending: str) -> list[Tensor | None]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return [self._parameters.get(name + ending) for name in names]

    def _apply(self, x: Tensor, ending: str, states: list[Tensor], lengths: Any = None, **options: Any) -> Tensor:
        """The operation over a sequence with the weights of this ending: its outputs, and after them the last states.

        Shapes: x (T, n, in), states (n, hidden_size) -> (T + states, n, hidden_size).
        """
        given: list[Any] = states or [None] * self._states
        options |= {name: getattr(self, name) for name in self._options}
        return self._operation(x, *self._weights(ending), *given, lengths, **options)

    def _given(self, hx: Any) -> list[Tensor]:
        """The states that a caller gave, none for None."""
        if hx is None:
            return []
        if self._states == 1:
            return [asarray(hx)]
        if not isinstance(hx, tuple | list) or len(hx) != 2:
            raise UserError(f"the state of {self!r} is a pair (h, c), not {type(hx).__name__}")
        return [asarray(s) for s in hx]

    def reset_parameters(self) -> None:
        """Draw new initial values for the parameters."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)


class _Recurrent(Weighted):
    """Stacked layers, in one direction or in both."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = None,
        generator: Generator | None = None,
    ):
        super().__init__(input_size, hidden_size, bias)
        self.num_layers = whole_number("num_layers", num_layers)
        self.batch_first = batch_first
        self.dropout = fraction("dropout", dropout)
        self.bidirectional = bidirectional
        self.generator = None if generator is None else choose_generator(generator)
        if dropout and num_layers == 1:
            constructor = getattr(type(self).__init__, "__wrapped__", None)  # see `pytorch_names.accept`
            caller = 3 if constructor is _Recurrent.__init__ else 4
            warnings.warn("dropout works between layers, and with num_layers=1 there is no between", stacklevel=caller)
        for layer in range(self.num_layers):
            for direction in self._endings:
                features = self.input_size if layer == 0 else self.hidden_size * len(self._endings)
                self._add_weights(f"_l{layer}{direction}", features, dtype)
        self.reset_parameters()

    @property
    def _endings(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        y, (h,) = self._read(input, self._given(hx))
        return y, h

    def _read(self, input: Any, states: list[Tensor]) -> tuple[Any, list[Tensor]]:
        """All layers over the input: their outputs, and the last states as PyTorch stacks them."""
        if isinstance(input, PackedSequence):
            x, lengths = pad_packed_sequence(input)  # (T, n, in)
            self._check(x, 3, states)
            y, last = self._all_layers(x, lengths, states)
            return pack_padded_sequence(y, lengths, enforce_sorted=input.sorted_indices is None), last
        self._check(input, input.ndim, states)
        if input.ndim == 2:  # one sequence, without the axis of the batch
            y, last = self._all_layers(input[:, None], None, [s[:, None] for s in states])
            return y[:, 0], [s[:, 0] for s in last]
        y, last = self._all_layers(ops.permute_dims(input, (1, 0, 2)) if self.batch_first else input, None, states)
        return ops.permute_dims(y, (1, 0, 2)) if self.batch_first else y, last

    def _all_layers(self, x: Tensor, lengths: Any, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Shapes: x (T, n, in), states (layers · directions, n, hidden_size) -> (T, n, out), and like the states."""
        last: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            if layer and self.training and self.dropout:
                x = Dropout(self.dropout, generator=self.generator)(x)
            outputs = []
            for direction in self._endings:
                state = [s[len(last)] for s in states]
                y = self._apply(x, f"_l{layer}{direction}", state, lengths, reverse=bool(direction))
                outputs.append(y[: -self._states])
                last.append([y[k] for k in range(-self._states, 0)])
            x = outputs[0] if len(outputs) == 1 else ops.concat(outputs, axis=2)
        return x, [ops.stack(part) for part in zip(*last, strict=True)]

    def _check(self, x: Tensor, ndim: int, states: list[Tensor]) -> None:
        if ndim not in (2, 3) or x.shape[-1] != self.input_size:
            order = "n, T" if self.batch_first else "T, n"
            raise UserError(
                f"{self!r} reads sequences of shape ({order}, {self.input_size}), or one of shape "
                f"(T, {self.input_size}), and this input has shape {x.shape}"
            )
        batched = self.batch_first and ndim == 3
        if not x.shape[1 if batched else 0]:
            raise UserError(f"{self!r} reads at least one step, and this input has shape {x.shape}")
        size = () if ndim == 2 else (x.shape[0 if batched else 1],)
        shape = (self.num_layers * len(self._endings), *size, self.hidden_size)
        for state in states:
            if state.shape != shape:
                raise UserError(f"{self!r} starts from a state of shape {shape} here, and this one has {state.shape}")

    def extra_repr(self) -> str:
        words = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in (
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                words.append(f"{name}={getattr(self, name)}")
        return ", ".join(words)


class RNN(_Recurrent):
    r"""A recurrent network: each step takes its input and the hidden state of the step before.

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Over many steps the gradient vanishes or explodes, as the powers of a matrix do; `LSTM` and `GRU` were made for
    that. All parameters start uniform between :math:`\pm 1 / \sqrt{\text{hidden\_size}}`.

    Shapes: input (T, n, input_size), (n, T, input_size) with ``batch_first``, (T, input_size), or a `PackedSequence`;
    hx (layers · directions, n, hidden_size) -> output (T, n, directions · hidden_size), and the last states like hx.

    Arguments: ``input_size``, the length of a step; ``hidden_size``, the number of units; ``num_layers``, the number of
    stacked layers; ``nonlinearity``, 'tanh' or 'relu'; ``bias``, whether there are biases; ``batch_first``, whether the
    sequences come before their steps; ``dropout``, the probability, 0 to 1, by which the outputs of all layers but the
    last are dropped; ``bidirectional``, whether a second layer reads from the end; ``dtype``, the type of the
    parameters; ``generator``, the source of the dropout masks.

    Raises UserError for inputs or states of other shapes.

    >>> output, last = RNN(3, 5)([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]])
    >>> output.shape, last.shape
    ((2, 1, 5), (1, 1, 5))

    Source: J. Elman, "Finding Structure in Time" (1990); PyTorch's ``torch.nn.RNN``.
    """

    gates = 1
    _operation = staticmethod(ops.rnn)
    _options = ("nonlinearity",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = None,
        generator: Generator | None = None,
    ):
        sizes = input_size, hidden_size, num_layers
        super().__init__(*sizes, bias, batch_first, dropout, bidirectional, dtype=dtype, generator=generator)
        self.nonlinearity: str = choose("nonlinearity", nonlinearity, NONLINEARITIES)


class LSTM(_Recurrent):
    r"""Long short-term memory: a cell state, and gates that learn what to write to it, to keep and to output.

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t c_{t-1} + i_t g_t \\
        h_t &= o_t \tanh c_t

    The cell state c is updated by a sum, not by a product of matrices: its gradient survives hundreds of steps.

    Shapes: input (T, n, input_size), (n, T, input_size) with ``batch_first``, (T, input_size), or a `PackedSequence`;
    hx a pair (h, c), each (layers · directions, n, hidden_size) -> output (T, n, directions · hidden_size), and the
    pair of the last states.

    Arguments, errors: as `RNN`, without a nonlinearity.

    >>> output, (h, c) = LSTM(3, 5, num_layers=2)([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]])
    >>> output.shape, h.shape, c.shape
    ((2, 1, 5), (2, 1, 5), (2, 1, 5))

    Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory" (1997); PyTorch's ``torch.nn.LSTM``.
    """

    gates = 4
    _operation = staticmethod(ops.lstm)
    _states = 2

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        y, (h, c) = self._read(input, self._given(hx))
        return y, (h, c)


class GRU(_Recurrent):
    r"""Gated recurrent units: a gate chooses between the old state and a new one. Simpler than an LSTM.

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) n_t + z_t h_{t-1}

    Shapes, arguments, errors: as `RNN`, without a nonlinearity.

    >>> output, last = GRU(3, 5, bidirectional=True, batch_first=True)([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    >>> output.shape, last.shape
    ((1, 2, 10), (2, 1, 5))

    Source: K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014); PyTorch's
    ``torch.nn.GRU``.
    """

    gates = 3
    _operation = staticmethod(ops.gru)
