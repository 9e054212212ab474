"""The exercises of lesson 8, and what finds out what is wrong with an answer."""

import numpy

from ichikara.autodiff import asarray
from ichikara.course.answers import numbers
from ichikara.course.lesson import Exercise
from ichikara.ops import sigmoid

__all__ = ["EXERCISES"]


@numbers
def shapes(o_rows, o_columns, f_rows, f_columns, w_rows, w_columns):
    """Four inputs, three hidden neurons, two outputs: ∂L/∂o, f⁰′(u⁰) and ∂L/∂W⁰ in numerator layout."""
    o, f, w = (o_rows, o_columns), (f_rows, f_columns), (w_rows, w_columns)
    if (o, f, w) == ((1, 2), (3, 3), (4, 3)):
        return None
    if o == (2, 1):
        return "column"
    if o != (1, 2):
        return "loss"
    if f in ((3, 1), (1, 3)):
        return "vector"
    if f != (3, 3):
        return "slopes"
    if w == (3, 4):
        return "own_shape"
    return "row" if sorted(w) == [1, 12] else "weights"


def transposes(answer):
    return None if answer == "turned" else answer or "empty"


@numbers
def last_layer(rows, columns, first, second):
    """∂L/∂o = −0.5, f¹′ = 0.2, o⁰ = (0.5, 0.25)ᵀ, W¹ = (3, −1): ∂L/∂W¹ in numerator layout."""
    near = lambda value, wanted: abs(value - wanted) < 1e-6
    right = near(first, -0.05) and near(second, -0.025)
    if right and (rows, columns) == (2, 1):
        return None
    if right:
        return "own_shape" if (rows, columns) == (1, 2) else "shape"
    if near(first, -0.3) and near(second, 0.1):
        return "weights"
    if near(first, -0.25) and near(second, -0.125):
        return "slope"
    return "twice" if near(first, -0.0125) or near(first, 0.0125) else "product"


GRADIENTS = """import numpy as np

def gradients(x, o0, W1, o, y):
    # forward: u0 = W0 @ x, o0 = sigmoid(u0), o = sigmoid(W1 @ o0), L = sum((o - y)**2)
    d1 = 2 * (o - y) * o * (1 - o)      # the gradient of u1: a number for each output
    d0 = ...                            # the gradient of u0: a number for each hidden neuron
    return ..., ...                     # the gradients of W0 and of W1, in the shapes of W0 and W1
"""
RIGHT = GRADIENTS.replace("d0 = ...                            #", "d0 = (W1.T @ d1) * o0 * (1 - o0)     #").replace(
    "return ..., ...                     #", "return np.outer(d0, x), np.outer(d1, o0)  #"
)


def net(draw, inputs, hidden, outputs):
    """The numbers of a net, and the engine's gradients by its matrices."""
    x, y = asarray(draw.normal(size=inputs)), asarray(draw.uniform(size=outputs))
    w0, w1 = (asarray(draw.normal(size=size), requires_grad=True) for size in ((hidden, inputs), (outputs, hidden)))
    o0 = sigmoid(w0 @ x)
    o = sigmoid(w1 @ o0)
    ((o - y) ** 2).sum().backward()
    given = [one.detach().numpy() for one in (x, o0, w1, o, y)]
    return given, w0.grad.numpy(), w1.grad.numpy()


def gradients(names):
    function = names.get("gradients")
    if not callable(function):
        return "undefined", {"name": "gradients"}
    draw = numpy.random.default_rng(0)
    given, first, second = net(draw, 4, 4, 4)
    x, o0, w1, o, y = given
    found = function(*given)
    if not isinstance(found, tuple | list) or len(found) != 2 or any(one is None for one in found):
        return "unwritten"
    if any(one is ... for one in found):
        return "unwritten"
    same = lambda one, other: numpy.shape(one) == other.shape and numpy.allclose(one, other)
    d1 = 2 * (o - y) * o * (1 - o)
    flat, unturned = w1.T @ d1, (w1 @ d1) * o0 * (1 - o0)
    if same(found[0], second) and same(found[1], first):
        return "exchanged"
    if same(found[0], first.T) or same(found[1], second.T):
        return "transposed"
    if same(found[0], numpy.outer(flat, x)):
        return "slope"
    if same(found[0], numpy.outer(unturned, x)):
        return "unturned"
    for sizes in ((4, 4, 4), (4, 3, 2), (2, 5, 1)):
        given, first, second = net(draw, *sizes)
        found = function(*given)
        for name, one, wanted in (("W0", found[0], first), ("W1", found[1], second)):
            if not same(one, wanted):
                shape = "×".join(map(str, numpy.shape(one))) or "1"
                return "other", {"name": name, "shape": shape, "wanted": "×".join(map(str, wanted.shape))}
    return None


right_shapes = dict(zip(("o_rows", "o_columns", "f_rows", "f_columns", "w_rows", "w_columns"), "123343", strict=True))

EXERCISES = (
    Exercise(
        "shapes",
        "numbers",
        shapes,
        right_shapes,
        {
            "column": right_shapes | {"o_rows": "2", "o_columns": "1"},
            "loss": right_shapes | {"o_rows": "2", "o_columns": "2"},
            "vector": right_shapes | {"f_columns": "1"},
            "slopes": right_shapes | {"f_columns": "4"},
            "own_shape": right_shapes | {"w_rows": "3", "w_columns": "4"},
            "row": right_shapes | {"w_rows": "1", "w_columns": "12"},
            "weights": right_shapes | {"w_rows": "4", "w_columns": "2"},
        },
        fields=tuple(right_shapes),
    ),
    Exercise(
        "transposes",
        "choice",
        transposes,
        "turned",
        {name: name for name in ("same_order", "no_sign", "inside")},
        fields=("same_order", "no_sign", "turned", "inside"),
    ),
    Exercise(
        "last_layer",
        "numbers",
        last_layer,
        {"rows": "2", "columns": "1", "first": "-0.05", "second": "-0.025"},
        {
            "own_shape": {"rows": "1", "columns": "2", "first": "-0.05", "second": "-0.025"},
            "shape": {"rows": "2", "columns": "2", "first": "-0.05", "second": "-0.025"},
            "weights": {"rows": "2", "columns": "1", "first": "-0.3", "second": "0.1"},
            "slope": {"rows": "2", "columns": "1", "first": "-0.25", "second": "-0.125"},
            "twice": {"rows": "2", "columns": "1", "first": "-0.0125", "second": "0"},
            "product": {"rows": "2", "columns": "1", "first": "1", "second": "1"},
        },
        fields=("rows", "columns", "first", "second"),
    ),
    Exercise(
        "gradients",
        "code",
        gradients,
        RIGHT,
        {
            "unwritten": RIGHT.replace("np.outer(d1, o0)", "..."),
            "exchanged": RIGHT.replace("np.outer(d0, x), np.outer(d1, o0)", "np.outer(d1, o0), np.outer(d0, x)"),
            "transposed": RIGHT.replace("np.outer(d0, x)", "np.outer(x, d0)"),
            "slope": RIGHT.replace(" * o0 * (1 - o0)", ""),
            "unturned": RIGHT.replace("W1.T", "W1"),
            "other": RIGHT.replace("np.outer(d1, o0)", "2 * np.outer(d1, o0)"),
        },
        stub=GRADIENTS,
    ),
)
