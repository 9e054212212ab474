"""The exercises of lesson 21."""

import numpy

from ichikara import ops
from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise

__all__ = ["EXERCISES"]


@numbers
def output_size(first, second):
    """Images of 28 pixels, a kernel of 5, stride 1, no padding; images of 32, a kernel of 7, stride 2, padding 3."""
    if (first, second) == (24, 16):
        return None
    if first != 24:
        return {23: "one_less", 28: "same"}.get(first, "first")
    return {15: "padding_once", 13: "no_padding", 16.5: "half", 32: "stride"}.get(second, "second")


@numbers
def edge(**fields):
    """A kernel that is silent on a flat area and on level edges, and above zero where ink begins on the right."""
    kernel = numpy.reshape(list(fields.values()), (3, 3))
    if not kernel.any():
        return "zero"
    answer = lambda seen: float((kernel * seen).sum().round(9))
    flat = answer(numpy.ones((3, 3)))
    if flat:
        return "flat", {"flat": flat}
    ink = numpy.arange(3) > numpy.arange(2)[:, None]  # one column or two of the window with ink, on the right
    level = max((answer(row[:, None] + numpy.zeros(3)) for row in ink), key=abs)
    upright = min((answer(row + numpy.zeros((3, 1))) for row in ink), key=abs)
    if level:
        return ("both" if upright > 0 else "level"), {"level": level}
    if upright > 0:
        return None
    return ("other_side" if upright < 0 else "no_edge"), {"edge": upright}


STUB = """def matrix(kernel, n):
    # kernel = [k0, k1, k2], n = number of pixels
    # returns the matrix, as a list of rows
    rows = []
    for place in range(...):
        row = [0] * n
        ...
        rows.append(row)
    return rows
"""

RIGHT = """def matrix(kernel, n):
    rows = []
    for place in range(n - len(kernel) + 1):
        row = [0] * n
        for i, k in enumerate(kernel):
            row[place + i] = k
        rows.append(row)
    return rows
"""


@defines("matrix")
def matrix(function):
    """The library's convolution judges: a matrix times pixels is what `ops.conv1d` gives."""
    for kernel, n in (([1.0, 2.0, 4.0], 6), ([-1.0, 0.5, 3.0], 5), ([1.0, -2.0, 0.5], 9)):
        found = function(list(kernel), n)
        try:
            found = numpy.array(found, float)
        except (TypeError, ValueError):
            return "shape", {"rows": n - 2, "columns": n}
        wanted = ops.conv1d(numpy.eye(n)[:, None], numpy.array(kernel)[None, None]).numpy()[:, 0].T
        if found.shape == wanted.shape and (found == wanted).all():
            continue
        if found.shape == wanted.T.shape and (found == wanted.T).all():
            return "transposed"
        if found.shape == (n, n) and (found[: n - 2] == wanted).all():
            return "round"
        if found.shape != wanted.shape:
            return "shape", {"rows": n - 2, "columns": n}
        turned = ops.conv1d(numpy.eye(n)[:, None], numpy.array(kernel[::-1])[None, None]).numpy()[:, 0].T
        if (found == turned).all():
            return "turned"
        if (found == found[0]).all():
            return "stays"
        return "numbers"
    return None


def cells(rows):
    """Fields of a kernel by their names."""
    return {f"k{i}{j}": str(value) for i, row in enumerate(rows) for j, value in enumerate(row)}


EXERCISES = (
    Exercise(
        "output_size",
        "numbers",
        output_size,
        {"first": "24", "second": "16"},
        {
            "one_less": {"first": "23", "second": "15"},
            "same": {"first": "28", "second": "16"},
            "first": {"first": "20", "second": "16"},
            "padding_once": {"first": "24", "second": "15"},
            "no_padding": {"first": "24", "second": "13"},
            "half": {"first": "24", "second": "16.5"},
            "stride": {"first": "24", "second": "32"},
            "second": {"first": "24", "second": "17"},
        },
        fields=("first", "second"),
    ),
    Exercise(
        "edge",
        "numbers",
        edge,
        cells([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        {
            "zero": cells([[0, 0, 0]] * 3),
            "flat": cells([[0, 0, 1]] * 3),
            "other_side": cells([[1, 0, -1]] * 3),
            "level": cells([[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
            "both": cells([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]),
            "no_edge": cells([[-1, 1, 0], [0, 0, 0], [1, -1, 0]]),
        },
        fields=tuple(cells([[0] * 3] * 3)),
    ),
    Exercise(
        "matrix",
        "code",
        matrix,
        RIGHT,
        {
            "turned": RIGHT.replace("enumerate(kernel)", "enumerate(kernel[::-1])"),
            "stays": RIGHT.replace("row[place + i]", "row[i]"),
            "round": RIGHT.replace("range(n - len(kernel) + 1)", "range(n)").replace("place + i", "(place + i) % n"),
            "shape": RIGHT.replace("n - len(kernel) + 1", "n - len(kernel)"),
            "transposed": RIGHT.replace("return rows", "return list(zip(*rows))"),
            "numbers": RIGHT.replace("= k\n", "= k + 1\n"),
        },
        stub=STUB,
    ),
)
