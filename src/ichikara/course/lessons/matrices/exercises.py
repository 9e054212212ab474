"""The exercises of lesson 4."""

import numpy

from ichikara import nn, ops
from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise
from ichikara.ops import sigmoid

# --- a product by hand ------------------------------------------------------------------------------------------------

W, X = numpy.array([[1, 2], [3, -1]]), numpy.array([[4, 0], [1, 5]])
PRODUCTS = {"elementwise": W * X, "order": X @ W, "rows": W @ X.T, "turned": (W @ X).T}


@numbers
def product(u00, u01, u10, u11):
    found, wanted = numpy.array([[u00, u01], [u10, u11]]), W @ X
    if (found == wanted).all():
        return None
    for name, value in PRODUCTS.items():
        if (found == value).all():
            return name
    row, column = numpy.argwhere(found != wanted)[0].tolist()
    return "cell", {"row": row, "column": column, "value": found[row, column].item()}


def fields(matrix, letter):
    """A matrix as the answers to the fields of an exercise."""
    return {f"{letter}{i}{j}": str(matrix[i][j]) for i, j in numpy.ndindex(numpy.shape(matrix))}


# --- a shape error ----------------------------------------------------------------------------------------------------

BROKEN = """from ichikara import nn, ops

x = ops.ones((4, 3))  # four examples, three inputs each
net = nn.Sequential(
    nn.Linear(3, 5),
    nn.Sigmoid(),
    nn.Linear(3, 2),
)
y = net(x)  # two outputs for each example
"""
MENDED = BROKEN.replace("Linear(3, 2)", "Linear(5, 2)")


def shape_error(names):
    net, x = names.get("net"), names.get("x")
    if not isinstance(net, nn.Module):
        return "undefined", {"name": "net"}
    if getattr(x, "shape", None) != (4, 3):
        return "inputs"
    layers = [(layer.in_features, layer.out_features) for layer in net.modules() if isinstance(layer, nn.Linear)]
    if layers == [(3, 5), (5, 2)]:
        return None if any(isinstance(layer, nn.Sigmoid) for layer in net.modules()) else "removed"
    if len(layers) != 2:
        return "count"
    return "hidden" if layers[0] != (3, 5) else "outputs"


# --- two lines --------------------------------------------------------------------------------------------------------

FORWARD = """from ichikara.ops import sigmoid

def forward(W0, W1, x):
    o0 = ...
    return ...
"""
TWO_LINES = FORWARD.replace("o0 = ...", "o0 = sigmoid(W0 @ x)").replace("return ...", "return sigmoid(W1 @ o0)")
MEANT = {
    "no_bend": lambda W0, W1, x: sigmoid(W1 @ (W0 @ x)),
    "no_last": lambda W0, W1, x: W1 @ sigmoid(W0 @ x),
    "linear": lambda W0, W1, x: W1 @ (W0 @ x),
    "order": lambda W0, W1, x: sigmoid(W0 @ sigmoid(W1 @ x)),
    "columns": lambda W0, W1, x: sigmoid(W1.mT @ sigmoid(W0.mT @ x)),
    "elementwise": lambda W0, W1, x: sigmoid(W1 * sigmoid(W0 * x)),
}


@defines("forward")
def forward(function):
    """First with square matrices, where a wrong order or a wrong product has an answer too, then with others."""
    draw = numpy.random.default_rng(0)
    for inputs, hidden, outputs in ((3, 3, 3), (4, 5, 2)):
        shapes = (hidden, inputs), (outputs, hidden), (inputs,)
        given = [ops.asarray(draw.normal(size=shape)) for shape in shapes]
        found = function(*given)
        if found is ... or found is None:
            return "unwritten"
        found = numpy.asarray(ops.asarray(found).numpy())
        agrees = lambda wanted, found=found: found.shape == wanted.shape and numpy.allclose(found, wanted.numpy())
        if not agrees(sigmoid(given[1] @ sigmoid(given[0] @ given[2]))):
            return next((name for name, meant in MEANT.items() if inputs == hidden and agrees(meant(*given))), "other")
    return None


# --- biases in the matrix ---------------------------------------------------------------------------------------------

LAYER = numpy.array([[-4, 2, -1], [5, 0, 3]])  # the biases, and the weights beside them
WITH_ONES = {
    "last": LAYER[:, [1, 2, 0]],
    "ones": [[1, 2, -1], [1, 0, 3]],
    "exchanged": [[5, 2, -1], [-4, 0, 3]],
    "sign": [[4, 2, -1], [-5, 0, 3]],
}


@numbers
def ones(w00, w01, w02, w10, w11, w12):
    found = numpy.array([[w00, w01, w02], [w10, w11, w12]])
    for name, value in WITH_ONES.items():
        if (found == value).all():
            return name
    for x in ((1, 0, 0), (1, 1, 0), (1, 0, 1)):
        for i in range(2):
            if found[i] @ x != LAYER[i] @ x:
                return "sums", {
                    "x1": x[1],
                    "x2": x[2],
                    "row": i,
                    "mine": float(found[i] @ x),
                    "wanted": int(LAYER[i] @ x),
                }
    return None


EXERCISES = (
    Exercise(
        "product",
        "numbers",
        product,
        fields(W @ X, "u"),
        {name: fields(value, "u") for name, value in PRODUCTS.items()} | {"cell": fields([[6, 10], [13, -5]], "u")},
        fields=tuple(fields(W, "u")),
    ),
    Exercise(
        "shape_error",
        "code",
        shape_error,
        MENDED,
        {
            "inputs": BROKEN.replace("(4, 3)", "(4, 5)").replace("(3, 5)", "(5, 3)"),
            "hidden": BROKEN.replace("Linear(3, 5)", "Linear(3, 3)"),
            "outputs": BROKEN.replace("Linear(3, 2)", "Linear(5, 3)"),
            "count": BROKEN.replace("nn.Sigmoid(),", "nn.Sigmoid(), nn.Linear(5, 3),"),
            "removed": MENDED.replace("    nn.Sigmoid(),\n", ""),
        },
        stub=BROKEN,
    ),
    Exercise(
        "forward",
        "code",
        forward,
        TWO_LINES,
        {
            "no_bend": TWO_LINES.replace("sigmoid(W0 @ x)", "W0 @ x"),
            "no_last": TWO_LINES.replace("sigmoid(W1 @ o0)", "W1 @ o0"),
            "linear": TWO_LINES.replace("sigmoid(W0 @ x)", "W0 @ x").replace("sigmoid(W1 @ o0)", "W1 @ o0"),
            "order": TWO_LINES.replace("W0 @ x", "W1 @ x").replace("W1 @ o0", "W0 @ o0"),
            "columns": TWO_LINES.replace("W0 @ x", "x @ W0").replace("W1 @ o0", "o0 @ W1"),
            "elementwise": TWO_LINES.replace("@", "*"),
            "unwritten": FORWARD,
        },
        stub=FORWARD,
    ),
    Exercise(
        "ones",
        "numbers",
        ones,
        fields(LAYER, "w"),
        {name: fields(value, "w") for name, value in WITH_ONES.items()} | {"sums": fields(LAYER + 1, "w")},
        fields=tuple(fields(LAYER, "w")),
    ),
)
