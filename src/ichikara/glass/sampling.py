"""Which steps are watched, by their numbers alone: densely at first, then ever more sparsely."""

from bisect import bisect_left

__all__ = ["is_kept", "is_watched"]

DENSE = 10
"""The steps up to this one are all watched."""

GROWTH = 1.5
"""Each gap between watched steps is this many times as far from the start as the gap before it."""

WIDEST = 1000
"""The widest gap, in steps."""

CURVE = 512
"""The loss of every step up to this one is kept. Of later ones half as many, where the number doubles."""


def is_watched(step: int) -> bool:
    """Whether a step is watched. After the dense beginning two steps in a row are, so that gradients can be compared.

    >>> [step for step in range(1, 60) if is_watched(step)]
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 19, 20, 29, 30, 43, 44]
    """
    while _pairs[-1] < step:
        _pairs.append(_pairs[-1] + min(round((GROWTH - 1) * _pairs[-1]), WIDEST))
    found = bisect_left(_pairs, step)
    return step <= DENSE or _pairs[found] == step or _pairs[found - 1] == step - 1


_pairs = [DENSE - 1]  # the first steps of the pairs; the list grows as it is asked


def is_kept(step: int) -> bool:
    """Whether the loss of a step is kept.

    >>> all(map(is_kept, range(1, 513))), is_kept(513), is_kept(514)
    (True, False, True)
    """
    return step % (1 << ((step - 1) // CURVE).bit_length()) == 0
