"""Kernels: the compiled loops of operations and optimisers. Importing this package registers all of them.

How a kernel is written, with `softmax` as the model::

    @kernel("softmax")
    def softmax(x, axis):
        x = contiguous(numpy.moveaxis(x, axis, -1))
        y = empty(x.shape, x.dtype)
        rows = [array.reshape(-1, x.shape[-1]) for array in (x, y)]
        parallel_for(_softmax, 8 * x.size, len(rows[0]), *rows)
        return numpy.moveaxis(y, -1, axis)

    @parallel
    def _softmax(first, last, x, y):
        for r in range(max(first, 0), last):  # no index is negative, so the compiler can vectorise the loops
            largest = row_maximum(x[r])
            total = x.dtype.type(0)
            for i in range(x.shape[1]):
                y[r, i] = exp(x[r, i] - largest)
                total += y[r, i]
            scale = x.dtype.type(1) / total
            for i in range(x.shape[1]):
                y[r, i] *= scale

    @kernel("softmax", of="x")
    def softmax_x(g, y, axis): ...

1. A host function, registered under the operation's name (`registry.kernel`). It has the operation's parameters and
   results, takes NumPy arrays of one floating-point type in any layout, and returns NotImplemented for what it does not
   do. ``of`` makes it the gradient of an input; it names what it needs, like every rule.
2. It allocates its results with `workspace.empty` or `zeros`, and computes only with `team.parallel_for` and
   `workspace.launch`. So a replay can repeat these calls without the host function.
3. A compiled function computes a range of the rows (`fork_join.parallel`), which the thread team divides. The cost that
   `parallel_for` is given, in multiplications, decides whether that pays.
4. Compiled functions share code by functions marked `lazy.inner`, such as ``row_maximum``. Sums keep the arrays' type
   (``x.dtype.type(0)``), and `jit.elementary` has the functions that are vectorised.
5. A *small* kernel of few elements (`registry.small`) has the operation's inputs and the arrays for its results as
   parameters, and becomes a link of a `jit.chain`. A *fused* kernel (`registry.fused`) computes two operations.

Every kernel is tested against its operation as soon as it is registered.
"""

from . import (
    activation,
    attention,
    layout,
    linear,
    loss,
    norm,
    optim,
    pool,
    random,
    recurrent,
    reduce,
    scatter,
    softmax,
)
from .conv import col2im, convolution
from .gemm import gemm

__all__ = [
    "activation",
    "attention",
    "col2im",
    "convolution",
    "gemm",
    "layout",
    "linear",
    "loss",
    "norm",
    "optim",
    "pool",
    "random",
    "recurrent",
    "reduce",
    "scatter",
    "softmax",
]
