r"""Attention, a few examples at a time, so that their scores stay in the processor's cache.

.. math:: P = \operatorname{softmax}(s\,Q K^\top), \quad Y = P V, \qquad
    \bar P = \bar Y V^\top, \quad \bar S = P \circ (\bar P - \textstyle\sum_j \bar P_j P_j)

The products are the linear algebra library's; what lies between them is one loop over the scores.
"""

import numpy

from ..once import Once
from ..workers import share
from . import kernel
from .compiled import compiled, exp


@kernel("attention")
def attention(q, k, v, mask, kept, is_causal, scale):
    if v is None or mask is not None or kept is not None or not k.shape[-2] or q.shape[:-2] != k.shape[:-2]:
        return NotImplemented
    if v.shape[:-2] != q.shape[:-2]:
        return NotImplemented
    batch = q.shape[:-2]
    qs, ks, vs = (numpy.ascontiguousarray(x).reshape(-1, *x.shape[-2:]) for x in (q, k, v))
    p = numpy.empty((len(qs), q.shape[-2], k.shape[-2]), q.dtype)
    y = numpy.empty((len(qs), q.shape[-2], v.shape[-1]), q.dtype)
    cost, number = p.size * (q.shape[-1] + v.shape[-1]), q.dtype.type

    def work(part):
        for n in range(part.start, part.stop):
            numpy.matmul(qs[n], ks[n].T, out=p[n])
            _weights(p[n], number(scale), is_causal)
            numpy.matmul(p[n], vs[n], out=y[n])

    share(work, len(qs), cost)

    def back(g):
        gs = numpy.ascontiguousarray(g).reshape(y.shape)
        gq, gk, gv = numpy.empty_like(qs), numpy.empty_like(ks), numpy.empty_like(vs)

        def work(part):
            s = numpy.empty(p.shape[1:], p.dtype)
            for n in range(part.start, part.stop):
                numpy.matmul(gs[n], vs[n].T, out=s)
                _of_scores(s, p[n], number(scale))
                numpy.matmul(s, ks[n], out=gq[n])
                numpy.matmul(s.T, qs[n], out=gk[n])
                numpy.matmul(p[n].T, gs[n], out=gv[n])

        share(work, len(qs), 2 * cost)
        return gq.reshape(q.shape), gk.reshape(k.shape), gv.reshape(v.shape)

    return y.reshape(*batch, *y.shape[1:]), p.reshape(*batch, *p.shape[1:]), Once(back)


@kernel("attention", of="q")
def attention_q(g, of_scores):
    return of_scores(g)[0]


@kernel("attention", of="k")
def attention_k(g, of_scores):
    return of_scores(g)[1]


@kernel("attention", of="v")
def attention_v(g, of_scores):
    return of_scores(g)[2]


@compiled
def _weights(s, scale, is_causal):
    """The softmax of each row, in place; of a causal one only what lies before it."""
    for r in range(s.shape[0]):
        end = min(r + 1, s.shape[1]) if is_causal else s.shape[1]
        largest = s[r, 0]
        for i in range(end):
            largest = max(largest, s[r, i])
        total = s.dtype.type(0)
        for i in range(end):
            s[r, i] = exp((s[r, i] - largest) * scale)
            total += s[r, i]
        part = s.dtype.type(1) / total
        for i in range(end):
            s[r, i] *= part
        for i in range(end, s.shape[1]):
            s[r, i] = 0


@compiled
def _of_scores(s, p, scale):
    """What the gradient of the weights becomes as that of the products of queries and keys, in place."""
    for r in range(s.shape[0]):
        total = s.dtype.type(0)
        for i in range(s.shape[1]):
            total += s[r, i] * p[r, i]
        for i in range(s.shape[1]):
            s[r, i] = p[r, i] * (s[r, i] - total) * scale
