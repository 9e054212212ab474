"""What the records say of their derivatives is what they compute: formulas are evaluated and compared with rules."""

import warnings

import numpy
import pytest
from cases import rows_of

import ichikara
from ichikara.arrays import Observer, interpreting
from ichikara.autodiff import Tensor
from ichikara.autodiff.engine import Operation
from ichikara.autodiff.modes import block
from ichikara.autodiff.operation import operations
from ichikara.errors import UserError
from ichikara.glass.evaluate import evaluate
from ichikara.glass.expression import Derivative, Equation, Over, Symbol, parts
from ichikara.glass.latex import to_latex
from ichikara.glass.local import forward_formula, is_elementwise, letters, local_derivative, stated_derivative
from ichikara.glass.parse import parse, parse_formula
from ichikara.glass.text import to_text
from ichikara.ops.window import Window

RECORDS = [operation for operation in operations.values() if isinstance(operation, Operation) and operation.rules]
ELEMENTWISE = [operation for operation in RECORDS if is_elementwise(operation)]
OTHERS = [operation for operation in RECORDS if not is_elementwise(operation)]
FORMULAS = sorted(
    {
        formula
        for operation in operations.values()
        for formula in (
            operation.formula,
            *(rule.formula for rule in getattr(operation, "rules", {}).values()),
            *getattr(operation, "jacobians", {}).values(),
        )
    }
)

# Options with which a record computes something near what its formula says, and why they are left out.
APPROXIMATE = {
    "gelu approximate=tanh": "Φ and φ are computed by tanh, which differs in the fourth figure",
    "softplus threshold=1.5": "beyond the threshold, by default 20, ln(1 + e^u) is taken as u",
    "heaviside at_zero=0.5": "the formula is that of the default",
    "isin invert=True": "the formula is that of the default",
    "astype dtype=int64": "a whole number loses what stands behind the point",
}


def _parts(expression):
    yield expression
    for part in parts(expression):
        yield from _parts(part)


def by_name(operation):
    return operation.name


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_formula_can_be_read_and_written(formula):
    for equation in parse_formula(formula):
        assert parse(to_latex(equation)) == equation


# --- formulas of elements ---------------------------------------------------------------------------------------------


class Recorder(Observer):
    """Keeps what one operation was given, and gave."""

    def __init__(self, operation):
        super().__init__()
        self.operation, self.seen = operation, None

    def forward(self, operation, arguments, wanted):
        result = super().forward(operation, arguments, wanted)
        if operation is self.operation:
            self.seen = dict(zip(operation.parameters, arguments, strict=True)), result[0]
        return result


def _applications(operation):
    """What the operation is given and gives in every row of the table, at special places too."""
    for case in rows_of(operation.name):
        if any(f"{operation.name} {option}={value}" in APPROXIMATE for option, value in case.options.items()):
            continue
        special = [[numpy.array(x, "float64") for x in numbers] for numbers in case.special]
        for arrays in [case.sample(), *special]:
            tensors = [Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
            with interpreting(Recorder(operation)) as recorder:
                case.apply(operation, tensors)
            yield recorder.seen


def _values(operation, given, y):
    """What the letters of its formulas stand for; without a value of the output, it is not to be used."""
    values = {} if y is None else {letters(operation).output: y}
    open_side = {"min": -numpy.inf, "max": numpy.inf}  # what None means to clip
    values.update({s: open_side[n] if given[n] is None else given[n] for n, s in letters(operation).items()})
    return values


def _agree(found, expected):
    """The same numbers, wherever the formula has a value."""
    found, expected = numpy.broadcast_arrays(numpy.asarray(found, "float64"), expected)
    here = numpy.isfinite(found)
    numpy.testing.assert_allclose(found[here], expected[here], rtol=1e-10, atol=1e-12)
    return here.any()


@pytest.mark.parametrize("operation", ELEMENTWISE, ids=by_name)
def test_a_local_derivative_has_the_numbers_of_the_rule(operation):
    compared = 0
    for given, y in _applications(operation):
        for name, rule in operation.rules.items():
            if given[name] is None:
                continue
            values = _values(operation, given, y)
            g = numpy.random.default_rng(0).standard_normal(y.shape)
            shapes = {f"{n}_shape": numpy.shape(given[n]) for n in operation.inputs}
            known = {**given, **shapes, "g": g, "y": y}
            with block(in_rule=True, grad_enabled=False), warnings.catch_warnings(), numpy.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                expected = rule.function(*[known[need] for need in rule.needs])
                found = g * evaluate(local_derivative(operation, name), values)
            compared += _agree(found, expected)
    assert compared >= len(operation.rules)


def _is_of_elements(operation):
    """Whether its formula says what an element of the output is made of."""
    equation = forward_formula(operation)[0]
    plain = isinstance(equation, Equation) and isinstance(equation.sides[0], Symbol) and not equation.sides[0].subscript
    return plain and not operation.rules and not any(isinstance(part, Over) for part in _parts(equation))


FORWARD = [o for o in operations.values() if isinstance(o, Operation) and (is_elementwise(o) or _is_of_elements(o))]


@pytest.mark.parametrize("operation", FORWARD, ids=by_name)
def test_a_formula_has_the_numbers_of_the_operation(operation):
    compared = 0
    for given, y in _applications(operation):
        sides = forward_formula(operation)[0].sides
        for side in sides[1:]:
            values = _values(operation, given, None)
            with warnings.catch_warnings(), numpy.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                compared += _agree(evaluate(side, values), y)
    assert compared


def test_formulas_without_a_gradient_are_compared_too():
    assert {"floor", "round", "sign", "heaviside", "bitwise_xor", "isin"} <= {operation.name for operation in FORWARD}


def test_enough_rules_are_formulas_of_elements():
    assert sum(len(operation.rules) for operation in ELEMENTWISE) >= 69


def test_formulas_that_are_not_of_elements_are_not_taken_for_such():
    for operation in OTHERS:
        for name in operation.inputs:
            with pytest.raises(UserError, match="no derivative"):
                local_derivative(operation, name)


# --- stated derivatives -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OTHERS, ids=by_name)
def test_every_other_record_states_its_derivatives(operation):
    for name in operation.inputs if None in operation.rules else operation.rules:
        equation = stated_derivative(operation, name)[0]
        assert isinstance(equation, Equation)
        assert isinstance(equation.sides[0], Derivative), to_text(equation)


def test_elementwise_records_state_nothing_twice():
    assert not any(operation.jacobians for operation in ELEMENTWISE)


def test_a_statement_names_the_inputs_that_have_a_gradient():
    with pytest.raises(TypeError, match="matmul has derivatives by a, b, not by c"):
        ichikara.matmul.jacobian(c="c = c")


def _random(*shape):
    return numpy.random.default_rng(sum(shape)).standard_normal(shape)


X = _random(6)
HIT = numpy.array([1.0, 4.0, 4.0, 2.0, 4.0, 0.0])
PLACES = numpy.array([2, 0, 5, 2])
IDENTITY = {"I": numpy.eye(6), "𝟏": numpy.ones(6)}
KERNEL = Window((2, 2), ((0, 0), (1, 1)), (1, 1))  # rows of one line: s = 2, p = 1, d = 1
SEEN = {"s": 2, "p": 1, "d": 1}
IMAGE, WEIGHT, OUT = _random(2, 2, 1, 7), _random(3, 2, 1, 3), _random(2, 3, 1, 4)
IMAGES = {"x": IMAGE[:, :, 0], "w": WEIGHT[:, :, 0], "y": OUT[:, :, 0]}
LINE = lambda t: t[:, :, 0]  # the images' one line
ROWS = _random(4, 3)
LONG = numpy.array([[[3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0]]])
WINNERS = numpy.array([1, 1, 2, 0])  # of the windows -1…1, 1…3, 3…5, 5…7, which have zeros around them that never win

# Of each record: the input, a function of its array, the array, and what the letters of the statement stand for.
STATED = [
    ("scatter", "x", lambda x: ichikara.scatter(x, PLACES, (6,)), _random(4), {"i": PLACES}),
    ("getitem", "x", lambda x: x[PLACES], X, {"i": PLACES}),
    ("take", "x", lambda x: ichikara.take(x, PLACES), X, {"i": PLACES}),
    ("take_along_axis", "x", lambda x: ichikara.take_along_axis(x, PLACES), X, {"i": PLACES}),
    ("reshape", "x", lambda x: ichikara.reshape(x, (2, 3)), X, IDENTITY),
    ("expand_dims", "x", lambda x: ichikara.expand_dims(x, axis=1), X, IDENTITY),
    ("squeeze", "x", lambda x: ichikara.squeeze(x), X[None], IDENTITY),
    ("broadcast_to", "x", lambda x: ichikara.broadcast_to(x, (3, 6)), X, {}),
    ("pad", "x", lambda x: ichikara.pad(x, (2, 1)), X, {"p": 2}),
    ("flip", "x", lambda x: ichikara.flip(x), X, {"n": 6}),
    ("roll", "x", lambda x: ichikara.roll(x, 2), X, {"n": 6, "s": 2}),
    ("repeat", "x", lambda x: ichikara.repeat(x, 3), X, {"r": 3}),
    ("tril", "x", lambda x: ichikara.tril(x, k=1), ROWS, {"k": 1}),
    ("triu", "x", lambda x: ichikara.triu(x, k=-1), ROWS, {"k": -1}),
    ("sum", "x", lambda x: x.sum(), X, IDENTITY),
    ("mean", "x", lambda x: x.mean(), X, {**IDENTITY, "n": 6}),
    ("max", "x", lambda x: x.max(), HIT, {"x": HIT, "y": 4.0}),
    ("min", "x", lambda x: x.min(), -HIT, {"x": -HIT, "y": -4.0}),
    ("logsumexp", "x", lambda x: ichikara.logsumexp(x), X, {"x": X, "y": numpy.log(numpy.exp(X).sum())}),
    ("cumulative_sum", "x", lambda x: ichikara.cumulative_sum(x), X, {}),
    ("softmax", "x", ichikara.softmax, X, {"y": numpy.exp(X) / numpy.exp(X).sum()}),
    ("log_softmax", "x", ichikara.log_softmax, X, {**IDENTITY, "y": X - numpy.log(numpy.exp(X).sum())}),
    ("convolution", "x", lambda x: LINE(ichikara.ops.conv.convolution(x[:, :, None], WEIGHT, window=KERNEL)),
     IMAGES["x"], {**IMAGES, **SEEN}),
    ("convolution", "weight", lambda w: LINE(ichikara.ops.conv.convolution(IMAGE, w[:, :, None], window=KERNEL)),
     IMAGES["w"], {**IMAGES, **SEEN}),
    ("convolution", "bias", lambda b: LINE(ichikara.ops.conv.convolution(IMAGE, WEIGHT, b, window=KERNEL)),
     _random(3), {}),
    ("convolution_image", "out",
     lambda y: LINE(ichikara.ops.conv.convolution_image(y[:, :, None], WEIGHT, size=(1, 7), window=KERNEL)),
     IMAGES["y"], {**IMAGES, **SEEN}),
    ("convolution_image", "weight",
     lambda w: LINE(ichikara.ops.conv.convolution_image(OUT, w[:, :, None], size=(1, 7), window=KERNEL)),
     IMAGES["w"], {**IMAGES, **SEEN}),
    ("convolution_image", "bias",
     lambda b: LINE(ichikara.ops.conv.convolution_image(OUT, WEIGHT, b, size=(1, 7), window=KERNEL)), _random(2), {}),
    ("convolution_weight", "out",
     lambda y: LINE(ichikara.ops.conv.convolution_weight(y[:, :, None], IMAGE, kernel=(1, 3), window=KERNEL)),
     IMAGES["y"], {**IMAGES, **SEEN}),
    ("convolution_weight", "x",
     lambda x: LINE(ichikara.ops.conv.convolution_weight(OUT, x[:, :, None], kernel=(1, 3), window=KERNEL)),
     IMAGES["x"], {**IMAGES, **SEEN}),
    ("embedding", "weight", lambda w: ichikara.embedding(PLACES, w), _random(6, 2), {"k": PLACES}),
    ("categorical_nll", "u", lambda u: ichikara.ops.loss._categorical_nll(u, numpy.array([2, 0, 1, 1])), ROWS,
     {"y": numpy.array([2, 0, 1, 1]), "p": numpy.exp(ROWS) / numpy.exp(ROWS).sum(1, keepdims=True)}),
    ("max_pooling", "x", lambda x: LINE(ichikara.ops.pool.max_pooling(x[:, :, None], (1, 3), window=KERNEL)),
     LONG, {**SEEN, "k": WINNERS}),
    ("max_unpooling", "out",
     lambda y: LINE(ichikara.ops.pool.max_unpooling(y[:, :, None], WINNERS[None, None, None], (1, 7), (1, 3), KERNEL)),
     _random(1, 1, 4), {**SEEN, "k": WINNERS}),
]  # fmt: skip


def _jacobian(function, array):
    return ichikara.jacobian(function)(Tensor(array)).numpy()


@pytest.mark.parametrize(("record", "name", "function", "array", "values"), STATED)
def test_a_stated_jacobian_has_the_numbers(record, name, function, array, values):
    equation = stated_derivative(operations[record], name)[0]
    derivative, formula = equation.sides
    expected = _jacobian(function, array)
    of, by = (getattr(side, "subscript", ()) for side in (derivative.of, derivative.by))
    if not of and not by:
        numpy.testing.assert_allclose(evaluate(formula, values), expected.reshape(-1, array.size), atol=1e-12)
        return
    assert len(of) + len(by) == expected.ndim
    for place in numpy.ndindex(expected.shape):
        indices = dict(zip((*of, *by), place, strict=True))
        found = evaluate(formula, {**{Symbol(k): v for k, v in values.items()}, **indices})
        assert found == pytest.approx(expected[place], abs=1e-12), place


MATRIX, OTHER = _random(3, 4), _random(4, 5)
VECTOR, ROWS_OF_WEIGHT = _random(4), _random(3, 4)

# Of each record: the input, a function of its array, the array, and what the letters of the statement stand for.
MATRICES = [
    ("matmul", "a", lambda a: a @ OTHER, MATRIX, {"B": OTHER}),
    ("matmul", "b", lambda b: MATRIX @ b, OTHER, {"A": MATRIX}),
    ("matrix_transpose", "x", lambda x: x.mT, MATRIX, {}),
    ("resample", "x", lambda x: ichikara.ops.pool.resample(x, _random(2, 3), _random(6, 4)), MATRIX,
     {"A": _random(2, 3), "B": _random(6, 4)}),
    ("linear", "x", lambda x: ichikara.linear(x[:, 0], ROWS_OF_WEIGHT)[:, None], VECTOR[:, None],
     {"W": ROWS_OF_WEIGHT}),
    ("linear", "weight", lambda w: ichikara.linear(VECTOR, w)[:, None], ROWS_OF_WEIGHT, {"x": VECTOR[:, None]}),
    ("linear", "bias", lambda b: ichikara.linear(VECTOR, ROWS_OF_WEIGHT, b[:, 0])[:, None], _random(3)[:, None], {}),
]  # fmt: skip


@pytest.mark.parametrize(("record", "name", "function", "array", "values"), MATRICES)
def test_what_becomes_of_the_derivative_of_the_loss_has_the_numbers(record, name, function, array, values):
    """In numerator layout a derivative of the loss has the transposed shape; a vector is a column."""
    derivative, formula = stated_derivative(operations[record], name)[0].sides
    x = Tensor(array, requires_grad=True)
    y = function(x)
    of_loss = _random(*y.shape[::-1])
    y.backward(Tensor(of_loss.T))
    assert derivative.of == Symbol("L")
    (incoming,) = [part for part in _parts(formula) if isinstance(part, Derivative)]
    numpy.testing.assert_allclose(evaluate(formula, {**values, incoming: of_loss}), x.grad.numpy().T, atol=1e-12)


@pytest.mark.parametrize(("join", "begin", "places"), [("concat", [0, 2, 3], (2, 1, 3)), ("stack", None, (2, 2, 2))])
def test_what_is_joined_has_a_derivative_by_each_part(join, begin, places):
    derivative, formula = stated_derivative(operations[join], "arrays")[0].sides
    arrays = [_random(n) for n in places]
    for k, array in enumerate(arrays):
        matrix = _jacobian(lambda x, k=k: getattr(ichikara, join)([*arrays[:k], x, *arrays[k + 1 :]]), array)
        stated = numpy.zeros_like(matrix)
        layers = range(1 if begin else len(arrays))
        for layer, i, j in numpy.ndindex(len(layers), *matrix.shape[-2:] if not begin else (len(array),) * 2):
            known = {"k": k, "l": layer, "i": i, "j": j, "b": begin}
            place = tuple(evaluate(index, known) for index in (*derivative.of.subscript, *derivative.by.subscript))
            stated[place] = evaluate(formula, known)
        numpy.testing.assert_array_equal(stated, matrix)
