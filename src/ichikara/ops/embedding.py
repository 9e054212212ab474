"""Rows of a table: what stands for a word, a character or a position."""

from ..arrays import check_indices, namespace
from ..autodiff import op, raw
from .indexing import scatter

__all__ = ["embedding"]


def _to_the_rows(g, indices, weight_shape, padding_idx):
    indices = raw(indices)
    if padding_idx is not None:
        xp, count = namespace(g, indices), weight_shape[0]
        padding_idx = padding_idx % count
        is_padding = (indices == padding_idx) | (indices == padding_idx - count)  # a short whole number has no % count
        g = xp.where(xp.expand_dims(is_padding, axis=-1), 0.0, g)
    return scatter(g, indices, weight_shape)


@op(r"Y_i = W_{k_i}")
def embedding(indices, weight, /, padding_idx=None):
    """The rows of a table at whole-number indices: the product with one-hot rows, without computing it.

    Shapes: indices (*), weight (n, d) -> (*, d).

    Arguments: ``padding_idx``, the index that stands for no word: its row gets no gradient.

    Raises IndexError for indices that are not whole numbers, or beyond the table.

    Source: Y. Bengio et al., "A Neural Probabilistic Language Model" (2003).
    """
    check_indices(indices, weight.shape[0])
    return namespace(weight, indices).take(weight, indices, axis=0)


embedding.gradient(
    indices=None,
    weight=(r"\bar W_k = \textstyle\sum_{i : k_i = k} \bar Y_i", _to_the_rows),
)
embedding.jacobian(weight=r"\frac{\partial Y_{i c}}{\partial W_{j d}} = [j = k_i]\,[c = d]")
