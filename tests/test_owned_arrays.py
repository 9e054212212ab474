"""What the engine keeps is its own: writing to an array that was given changes nothing later."""

import numpy
import pytest

import ichikara
from ichikara import nn, ops, optim
from ichikara.autodiff import Tensor, asarray
from ichikara.stage import stage

SHAPE = (2, 3)


def leaf(value=1.0):
    return asarray(numpy.full(SHAPE, value, "float32"), requires_grad=True)


# Whose gradient is what came in, or a view of it.
PASSING = {
    "the leaf": lambda x: x,
    "a sum": lambda x: x + leaf(),
    "a difference": lambda x: x - 1.0,
    "reshape": lambda x: ops.reshape(x, (3, 2)),
    "transpose": lambda x: ops.permute_dims(x, (1, 0)),
    "a part": lambda x: x[:, :2],
    "concat": lambda x: ops.concat([x, x]),
    "twice": lambda x: x + x[:],
    "a module": lambda x: nn.Identity()(x),
}
GIVEN = {
    "array": lambda a: a,
    "tensor": asarray,
    "view": lambda a: a[...],
    "another type": lambda a: a.astype("float64"),
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", PASSING)
def test_the_seed_of_a_sweep(name, create_graph, given):
    x = leaf()
    y = PASSING[name](x)
    seed = numpy.ones(y.shape, "float32")
    y.backward(GIVEN[given](seed), create_graph=create_graph, retain_graph=True)
    before = x.grad.numpy().copy()
    seed[...] = 20.0
    numpy.testing.assert_array_equal(x.grad.numpy(), before)
    y.backward(GIVEN[given](seed))
    numpy.testing.assert_array_equal(seed, 20.0)
    numpy.testing.assert_array_equal(x.grad.numpy(), 21 * before)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("name", PASSING)
def test_the_vector_of_a_vjp(name, given):
    value, pull = ichikara.vjp(PASSING[name], numpy.ones(SHAPE, "float32"))
    seed = numpy.ones(value.shape, "float32")
    (found,) = pull(GIVEN[given](seed))
    before = found.numpy().copy()
    seed[...] = 20.0
    numpy.testing.assert_array_equal(found.numpy(), before)


@pytest.mark.parametrize("transform", ["vjp", "jvp", "value_and_grad"])
def test_the_point_of_a_derivative(transform):
    point = numpy.ones(SHAPE, "float32")
    found = {
        "vjp": lambda: ichikara.vjp(lambda x: x, point)[0],
        "jvp": lambda: ichikara.jvp(lambda x: x, (point,), (point,)),
        "value_and_grad": lambda: ichikara.value_and_grad(lambda x: (x.sum(), x), has_aux=True)(point),
    }[transform]()
    leaves = ichikara.autodiff.flatten(found)[0]
    before = [part.numpy().copy() for part in leaves]
    point[...] = 20.0
    for part, numbers in zip(leaves, before, strict=True):
        numpy.testing.assert_array_equal(part.numpy(), numbers)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("staged", [False, True])
def test_a_gradient_that_is_assigned(given, staged):
    x, numbers = leaf(), numpy.ones(SHAPE, "float32")
    x.grad = GIVEN[given](numbers)
    assert x.grad.dtype == x.dtype
    numbers[...] = 20.0
    numpy.testing.assert_array_equal(x.grad.numpy(), 1.0)
    step = optim.SGD([x], lr=0.5).step
    (stage(step) if staged else step)()
    numpy.testing.assert_array_equal(x.numpy(), 0.5)
    numpy.testing.assert_array_equal(numbers, 20.0)


def test_a_gradient_with_a_graph_keeps_it():
    x, w = leaf(), leaf(3.0)
    x.grad = w * 2
    x.grad.sum().backward()
    numpy.testing.assert_array_equal(w.grad.numpy(), 2.0)


@pytest.mark.parametrize("part", [lambda a: a, lambda a: a[:], lambda a: a[1:]])
def test_a_tensor_that_is_made_a_leaf_later(part):
    numbers = numpy.ones(SHAPE, "float32")
    x = asarray(part(numbers))
    x.requires_grad = True
    loss = (x * x).sum()
    numbers[...] = 20.0
    loss.backward()
    numpy.testing.assert_array_equal(x.grad.numpy(), 2.0)
    optimizer = optim.SGD([x], lr=0.5)
    for _ in range(3):
        optimizer.step()
    numpy.testing.assert_array_equal(numbers, 20.0)


def _module(numbers):
    layer = nn.Linear(3, 2)
    layer.load_state_dict({"weight": numbers, "bias": numbers[:, 0]})
    return lambda: layer.weight


def _optimizer(numbers):
    x = leaf()
    optimizer = optim.SGD([x], lr=0.5, momentum=0.9)
    group = {**{k: v for k, v in optimizer.param_groups[0].items() if k != "params"}, "params": [0]}
    optimizer.load_state_dict({"state": {0: {"momentum_buffer": numbers}}, "param_groups": [group]})
    return lambda: optimizer.state[x]["momentum_buffer"]


def _buffer(numbers):
    module = nn.Module()
    module.register_buffer("b", numbers)
    return lambda: module.b


def _data(numbers):
    x = leaf()
    x.data = numbers
    return lambda: x


KEEPERS = {
    "load_state_dict": _module,
    "the state of an optimiser": _optimizer,
    "a buffer": _buffer,
    "data": _data,
    "a parameter": lambda numbers: (lambda made: lambda: made)(nn.Parameter(numbers)),
    "a leaf": lambda numbers: (lambda made: lambda: made)(asarray(numbers, requires_grad=True)),
    "a list of parameters": lambda numbers: (lambda made: lambda: made[0])(nn.ParameterList([numbers])),
}


@pytest.mark.parametrize("name", KEEPERS)
@pytest.mark.parametrize("given", ["array", "view"])
def test_what_keeps_an_array_keeps_its_own(name, given):
    numbers = numpy.ones(SHAPE, "float32")
    kept = KEEPERS[name](GIVEN[given](numbers))
    numbers[...] = 20.0
    found = kept()
    numpy.testing.assert_array_equal(found.detach().numpy() if isinstance(found, Tensor) else found, 1.0)
