"""Scatter-add: rows added to those that an index names."""

from ..registry import kernel
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, zeros


@kernel("arrays.add_rows")
def scatter_add_rows(g, index, shape):
    r"""Zeros, and to the row that each index names added the row of ``g``, in order: each thread does some columns.

    Shapes: (\*i, \*row), (\*i) -> (n, \*row), the given shape.
    """
    out = zeros(shape, g.dtype)
    rows = contiguous(g).reshape(index.size, -1)
    parallel_for(_scatter_add_rows, g.size, rows.shape[1], index, rows, out.reshape(shape[0], -1))
    return out


@parallel
def _scatter_add_rows(first, last, index, rows, out):
    for i in range(index.size):
        to, row = out[index[i], first:last], rows[i, first:last]
        for j in range(row.size):
            to[j] += row[j]
