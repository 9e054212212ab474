"""A Tensor among the options: an input with a gradient, or an error that names it; never a constant in silence."""

import numpy
import pytest
from cases import CASES

import ichikara
from ichikara import nn, ops
from ichikara.autodiff import Tensor, asarray, operations
from ichikara.errors import UserError

GIVEN = {  # for options whose default says nothing
    "min": -0.3,
    "max": 0.3,
    "scale": 0.7,
    "weight": 0.5,
    "bias": 0.5,
    "pos_weight": 2.0,
    "divisor_override": 3.0,
    "eps": 0.01,
    "dropout_p": 0.5,
    "ignore_index": 1,
    "padding_idx": 1,
    "axis": 0,
    "delta": 0.5,
    "label_smoothing": 0.1,
    "size": 4,
    "scale_factor": 2.0,
    "stride": 1,
    "num_classes": 9,
    "correction": 0.5,
}
SINGLE = (int, float, bool)


def defaults(operation):
    function = operation.function
    values = function.__defaults__ or ()
    return dict(zip(operation.parameters[len(operation.parameters) - len(values) :], values, strict=True))


def uses():
    """Each option of each operation with a single value, in the first row in which it has one."""
    seen = set()
    for case in CASES:
        operation = operations[case.name]
        if case.call is not None:
            continue
        positional = operation.function.__code__.co_posonlyargcount
        for option in operation.parameters[positional:]:
            value = case.options.get(option, defaults(operation).get(option))
            value = GIVEN.get(option) if type(value) not in SINGLE or (type(value) is float and not value) else value
            if type(value) in SINGLE and (case.name, option) not in seen:
                seen.add((case.name, option))
                yield pytest.param(case, option, value, id=f"{case.name}-{option}")


USES = list(uses())
assert len(USES) > 100


def call(case, option, value):
    """The row with another value of an option, and where there are random numbers the same ones."""
    ichikara.seed(0)
    operation, arrays = operations[case.name], case.sample()
    arguments = [[*arrays]] if getattr(operation, "sequence", False) else arrays
    y = operation(*arguments, **{**case.options, option: value})
    y = y[0] if isinstance(y, tuple) else y
    return asarray(y)


def outcome(case, option, value):
    """The result; None where the option was refused by an error that names it."""
    try:
        return call(case, option, value)
    except (ValueError, TypeError, IndexError) as error:
        message = str(error)
    assert option in message
    return None


@pytest.mark.parametrize(("case", "option", "value"), USES)
def test_a_tensor_that_wants_a_gradient_gets_it_or_is_refused(case, option, value):
    given = asarray(float(value), dtype="float64", requires_grad=True)
    y = outcome(case, option, given)
    if y is None:
        return
    weights = numpy.random.default_rng(0).standard_normal(y.shape)
    above, below = (numpy.sum(weights * call(case, option, float(value) + step).numpy()) for step in (1e-6, -1e-6))
    y.backward(weights)
    assert given.grad is not None, "a constant in silence"
    assert given.grad.item() == pytest.approx((above - below) / 2e-6, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("case", "option", "value"), USES)
def test_a_tensor_of_one_number_is_that_number_or_refused(case, option, value):
    y = outcome(case, option, asarray(value, dtype="float64" if type(value) is float else None))
    if y is not None:
        expected = call(case, option, value)
        assert y.dtype == expected.dtype
        numpy.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize(("case", "option", "value"), USES)
def test_a_tensor_of_several_numbers_gets_its_gradient_or_is_refused(case, option, value):
    length = case.sample()[0].shape[-1:] or (2,)
    given = asarray(numpy.full(length, float(value)), requires_grad=True)
    y = outcome(case, option, given)
    if y is None:
        return
    y.backward(numpy.ones(y.shape))
    assert given.grad is not None, "a constant in silence"
    assert given.grad.shape == given.shape


@pytest.mark.parametrize(("case", "option", "value"), USES)
def test_without_a_gradient_to_build_a_tensor_is_its_numbers(case, option, value):
    given = asarray(float(value), dtype="float64", requires_grad=True)
    if type(value) is not float:
        return
    with ichikara.no_grad():
        y = outcome(case, option, given)
    if y is not None:
        numpy.testing.assert_allclose(y.numpy(), call(case, option, value).numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda t: nn.Softplus(beta=t),
        lambda t: nn.Dropout(t),
        lambda t: nn.LayerNorm(3, eps=t),
        lambda t: nn.BatchNorm1d(3, momentum=t),
        lambda t: nn.HuberLoss(delta=t),
        lambda t: nn.CrossEntropyLoss(label_smoothing=t),
    ],
)
def test_a_layer_takes_no_tensor_that_wants_a_gradient_for_a_number(make):
    with pytest.raises(UserError, match="number"):
        make(asarray(0.5, requires_grad=True))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda t: ops.linspace(0, t, 3), "stop"),
        (lambda t: ops.arange(t), "start"),
    ],
)
def test_what_is_made_of_numbers_refuses_a_tensor_that_wants_a_gradient(make, name):
    with pytest.raises(UserError, match=f"{name} is a constant"):
        make(asarray(2.0, requires_grad=True))
    assert make(asarray(2.0)).shape[0] > 1


def test_a_slope_of_a_layer_may_be_learnt():
    layers = nn.Sequential(nn.BatchNorm1d(3), nn.LeakyReLU(nn.Parameter([0.1])))
    layers(numpy.random.default_rng(0).standard_normal((4, 3)).astype("float32")).sum().backward()
    assert [name for name, _ in layers.named_parameters()][-1] == "1.negative_slope"
    assert layers[1].negative_slope.grad.item() != 0


@pytest.mark.parametrize("size", [12, 20_000])
def test_a_slope_that_changes_is_read_in_each_replay(size):
    slope = Tensor(0.1)
    x = asarray(numpy.full(size, -1.0, "float32"), requires_grad=True)
    step = ichikara.stage(lambda: ops.leaky_relu(x, slope).sum() / size)
    for number in (0.1, 0.2, 0.3):
        slope.data = number
        assert step().item() == pytest.approx(-number)
