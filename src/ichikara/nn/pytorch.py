"""The arguments of PyTorch's constructors that these layers leave out; see `pytorch_names`."""

from collections.abc import Mapping
from typing import Any

from ..pytorch_names import accept

__all__ = ["accept_arguments"]

_TYPE = "device dtype"
_LOSS = "size_average reduce reduction"

# What PyTorch's signature has after the last argument that may be given by position here, in PyTorch's order.
_FURTHER = {
    "Linear": _TYPE,
    "Conv1d": _TYPE,
    "Conv2d": _TYPE,
    "ConvTranspose1d": _TYPE,
    "ConvTranspose2d": _TYPE,
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
    "BatchNorm1d": _TYPE,
    "BatchNorm2d": _TYPE,
    "InstanceNorm1d": _TYPE,
    "InstanceNorm2d": _TYPE,
    "LayerNorm": _TYPE,
    "GroupNorm": _TYPE,
    "RMSNorm": _TYPE,
    "Embedding": "max_norm norm_type scale_grad_by_freq sparse _weight _freeze device dtype",
    "RNN": _TYPE,
    "LSTM": "proj_size device dtype",
    "GRU": _TYPE,
    "RNNCell": _TYPE,
    "LSTMCell": _TYPE,
    "GRUCell": _TYPE,
    "MultiheadAttention": "add_bias_kv add_zero_attn kdim vdim batch_first device dtype",
    "TransformerEncoderLayer": _TYPE,
    "TransformerDecoderLayer": _TYPE,
    "TransformerEncoder": "enable_nested_tensor mask_check",
    "Transformer": _TYPE,
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
