"""Floor 3: the differentiable operations, one record each, under the array API's names.

The module is the array-API namespace of Tensors: what a derivative is written with is here under the same names as in
NumPy and JAX, so that a derivative of a derivative is the same text once more.
"""

import sys

from ..arrays import bool_, float16, float32, float64, int32, int64, uint8
from ..autodiff import Tensor, asarray, verify
from .activation import (
    elu,
    gelu,
    heaviside,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from .attention import scaled_dot_product_attention
from .conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from .creation import arange, empty, eye, full, full_like, linspace, ones, ones_like, zeros, zeros_like
from .elementwise import (
    abs,
    add,
    astype,
    ceil,
    clip,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    reciprocal,
    remainder,
    round,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from .embedding import embedding
from .indexing import getitem, one_hot, scatter, take, take_along_axis
from .linalg import einsum, linear, matmul, tensordot
from .loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from .norm import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from .pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    interpolate,
    max_pool1d,
    max_pool2d,
)
from .recurrent import gru, lstm, rnn
from .reduce import all, any, argmax, argmin, cumulative_sum, logsumexp, max, mean, min, prod, std, sum, var
from .shape import (
    broadcast_to,
    concat,
    expand_dims,
    flatten,
    flip,
    matrix_transpose,
    moveaxis,
    pad,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tril,
    triu,
    unstack,
)

bool = bool_  # the array API's name of the type

__all__ = [
    name
    for name, value in list(globals().items())
    if not name.startswith("_") and name not in ("verify", "bool_") and not isinstance(value, type(sys))
]

Tensor._namespace = sys.modules[__name__]
verify()
