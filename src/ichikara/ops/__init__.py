"""Floor 3: the differentiable operations, one record each, under the array API's names.

The module is the array-API namespace of Tensors: what a derivative is written with is here under the same names as in
NumPy and JAX, so that a derivative of a derivative is the same text once more.
"""

import sys

from ..arrays import bool_, float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from ..autodiff import Tensor, alias, asarray, verify
from . import numpy_protocol
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
from .creation import (
    arange,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from .elementwise import (
    abs,
    add,
    astype,
    ceil,
    clip,
    copysign,
    divide,
    erf,
    floor,
    floor_divide,
    hypot,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    pow,
    reciprocal,
    remainder,
    round,
    sign,
    sqrt,
    square,
    subtract,
    trunc,
    where,
)
from .embedding import embedding
from .exponential import exp, expm1, log, log1p, log2, log10, logaddexp
from .indexing import getitem, one_hot, scatter, take, take_along_axis
from .info import (
    __array_namespace_info__,
    broadcast_shapes,
    can_cast,
    e,
    finfo,
    iinfo,
    inf,
    isdtype,
    nan,
    newaxis,
    pi,
    result_type,
)
from .linalg import einsum, linear, matmul, tensordot, vecdot
from .logic import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    signbit,
)
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
from .reduce import (
    all,
    any,
    argmax,
    argmin,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    diff,
    logsumexp,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from .search import (
    argsort,
    isin,
    nonzero,
    searchsorted,
    sort,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from .shape import (
    broadcast_arrays,
    broadcast_to,
    concat,
    expand_dims,
    flatten,
    flip,
    matrix_transpose,
    meshgrid,
    moveaxis,
    pad,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    tril,
    triu,
    unstack,
)
from .trigonometry import acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, sin, sinh, tan, tanh

bool = bool_  # the array API's name of the type
positive = alias
__array_api_version__ = "2024.12"

__all__ = [
    name
    for name, value in list(globals().items())
    if not name.startswith("_") and name not in ("alias", "bool_", "verify") and not isinstance(value, type(sys))
]

Tensor._namespace = sys.modules[__name__]
verify()
