r"""A product of large matrices in tiles of our own, where the linear algebra library's are slower.

.. math:: C = A B + b

C is cut into *strips*, as wide as a panel (`panel`) and a few hundred rows long. Whoever takes a strip lays out its
columns of B, which then lie in the nearest caches for all its rows, and waits for nobody. A is read as it lies, six rows
side by side or six numbers of a row.

With vectors of 64 bytes this takes a tenth to a fifth less time than OpenBLAS, which does more with AVX2 on such a
processor than with AVX-512; with vectors of 32 bytes it takes as long for few rows and longer for gradients of weights.
"""

import numpy

from .compiled import compiled, inner
from .cut import cut_part
from .panel import pack, times_all, width_of
from .team import bounds, share_out
from .tile import BYTES

__all__ = ["in_strips", "pays"]

_LEAST = 1_500_000  # multiplications
_SHALLOW = 64  # for fewer sums a tile is hardly begun
_DEEP = 2048  # so many rows of B at a time: a panel of them fits the second cache
_WIDE = 4  # panels of a strip
_LONG = 512  # rows of a strip: those of C lie in as many pages of memory as the processor has at hand
_STRIPS = 4  # for each of a team at the least, so that all have about as many


def pays(depth: int, columns: int, a_turned: bool, cost: int) -> bool:
    """Whether a product is done in strips, by its inner length, its columns, how A lies, and its multiplications."""
    wasted = -columns % (2 * BYTES // 4)
    # Of a long A that is turned each row lies in a page of its own, and would be fetched anew for each tile.
    fits = depth >= _SHALLOW and not (a_turned and depth > _DEEP)
    return BYTES == 64 and cost >= _LEAST and fits and wasted * 8 <= columns


@compiled
def in_strips(team, a, a_turned, b, b_turned, bias, c, how, where):
    """Fill ``c`` with a product of matrices without gaps, each of them turned or not, and a bias, a row.

    Arguments: ``how`` and ``where``, as of `cut_part`.
    """
    panels, least = (c.shape[1] + width_of(c) - 1) // width_of(c), _STRIPS * (len(team) + 1)
    widths = max((panels + _WIDE - 1) // _WIDE, min(least, panels))
    heights = max((len(c) + _LONG - 1) // _LONG, min((least + widths - 1) // widths, (len(c) + 23) // 24))
    strips = (a, a_turned, b, b_turned, bias, c, panels, widths, heights, how, where)
    share_out(team, widths * heights, 0, _some, strips)


@inner(makes_arrays=True)
def _some(first, last, a, a_turned, b, b_turned, bias, c, count, widths, heights, how, where):
    depth, width = a.shape[0] if a_turned else a.shape[1], width_of(c)
    parts = (depth + _DEEP - 1) // _DEEP
    panels = numpy.empty((count // widths + 1, (depth + parts - 1) // parts * width), c.dtype)
    edge = numpy.empty((len(c) // heights + 1, width), c.dtype)  # for a strip that is narrower than a panel
    for strip in range(first, last):
        (left, right), (top, bottom) = bounds(count, strip % widths, widths), bounds(len(c), strip // widths, heights)
        used = panels[: right - left]
        left, right = left * width, min(right * width, c.shape[1])
        whole = (right - left) // width
        middle = left + whole * width
        for part in range(parts):
            k, until = bounds(depth, part, parts)
            pack(b[left:right, k:until].T if b_turned else b[k:until, left:right], used)
            rows = a[k:until, top:bottom].T if a_turned else a[top:bottom, k:until]
            begin = c[top:bottom] if part else bias
            times_all(rows, used[:whole], begin[:, left:middle], c[top:bottom, left:middle])
            if middle < right:
                for r in range(top, bottom):
                    _copy(edge[r - top], c[r, middle:right] if part else bias[0, middle:right])
                times_all(rows, used[whole:], edge[: bottom - top, :], edge[: bottom - top, :])
                for r in range(top, bottom):
                    _copy(c[r, middle:right], edge[r - top])
        cut_part(c, top, bottom, left, right, how, where)


@inner
def _copy(out, x):
    for j in range(min(out.size, x.size)):
        out[j] = x[j]
