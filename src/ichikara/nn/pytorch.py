"""The arguments of PyTorch's constructors that these layers leave out; see `pytorch_names`."""

from collections.abc import Mapping
from typing import Any

from ..pytorch_names import accept

__all__ = ["accept_arguments"]

_NORM = _CELL = _CONVOLUTION = "device dtype"
_LOSS = "size_average reduce reduction"

# What PyTorch's signature has after the last argument that may be given by position here, in PyTorch's order.
_FURTHER = {
    "Linear": "device dtype",
    "Conv1d": _CONVOLUTION,
    "Conv2d": _CONVOLUTION,
    "ConvTranspose1d": _CONVOLUTION,
    "ConvTranspose2d": _CONVOLUTION,
    "MaxPool1d": "return_indices ceil_mode",
    "MaxPool2d": "return_indices ceil_mode",
    "AdaptiveMaxPool2d": "return_indices",
    "Upsample": "recompute_scale_factor",
    "Dropout": "inplace",
    "Dropout1d": "inplace",
    "Dropout2d": "inplace",
    "ReLU": "inplace",
    "LeakyReLU": "inplace",
    "ELU": "inplace",
    "SiLU": "inplace",
    "BatchNorm1d": _NORM,
    "BatchNorm2d": _NORM,
    "InstanceNorm1d": _NORM,
    "InstanceNorm2d": _NORM,
    "LayerNorm": _NORM,
    "GroupNorm": _NORM,
    "RMSNorm": _NORM,
    "Embedding": "max_norm norm_type scale_grad_by_freq sparse _weight _freeze device dtype",
    "RNN": "device dtype",
    "LSTM": "proj_size device dtype",
    "GRU": "device dtype",
    "RNNCell": _CELL,
    "LSTMCell": _CELL,
    "GRUCell": _CELL,
    "MultiheadAttention": "add_bias_kv add_zero_attn kdim vdim batch_first device dtype",
    "TransformerEncoderLayer": "device dtype",
    "TransformerDecoderLayer": "device dtype",
    "TransformerEncoder": "enable_nested_tensor mask_check",
    "Transformer": "device dtype",
    "L1Loss": _LOSS,
    "MSELoss": _LOSS,
    "BCELoss": _LOSS,
    "BCEWithLogitsLoss": f"{_LOSS} pos_weight",
    "NLLLoss": "size_average ignore_index reduce reduction",
    "CrossEntropyLoss": "size_average ignore_index reduce reduction label_smoothing",
}


def accept_arguments(layers: Mapping[str, Any]) -> None:
    """Let these layers take PyTorch's further arguments at their defaults."""
    for name, further in _FURTHER.items():
        accept(layers[name], further)
