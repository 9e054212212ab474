"""Parameters, and the state of a module: out of it, into it, copied, and called with another."""

import copy

import numpy as np
import pytest
from test_nn_module import Block

import ichikara
from ichikara import nn
from ichikara.errors import UserError


def test_a_parameter_is_a_leaf_of_its_own_numbers():
    numbers = np.ones(2, dtype="float32")
    p = nn.Parameter(numbers)
    numbers[0] = 5
    assert p.tolist() == [1, 1]
    assert p.requires_grad
    assert p.is_leaf
    source = ichikara.asarray([1.0, 2.0], requires_grad=True)
    q = nn.Parameter(source * 2)
    (q * q).sum().backward()
    assert q.grad.tolist() == [4, 8]
    assert source.grad is None
    assert type(q * 2) is ichikara.Tensor
    assert not nn.Parameter([1, 2], requires_grad=False).requires_grad
    assert nn.Parameter(np.ones(2)).dtype == "float64"
    with pytest.raises(TypeError, match="only floating-point numbers have a gradient"):
        nn.Parameter([1, 2])
    twin = copy.deepcopy(q)
    assert type(twin) is nn.Parameter
    assert twin.requires_grad
    assert twin.grad is None
    assert repr(nn.Parameter([1.0])) == "Parameter containing:\nTensor([1.], requires_grad=True)"


def test_a_state_is_a_snapshot():
    block = Block()
    state = block.state_dict()
    assert all(type(t) is ichikara.Tensor and not t.requires_grad for t in state.values())
    before = {name: t.numpy() for name, t in state.items()}
    for p in block.parameters():
        p.data = p.numpy() + 1
        p._data += 1  # in place, as an optimiser may
    assert all(np.array_equal(state[name].numpy(), before[name]) for name in state)
    block.load_state_dict(state)
    assert all(np.array_equal(t.numpy(), before[name]) for name, t in block.state_dict().items())
    assert next(iter(block.state_dict(prefix="net."))) == "net.scale"


def test_loading_copies_converts_and_keeps_the_parameters():
    block = Block()
    kept = list(block.parameters())
    state = {name: np.full(t.shape, 0.25) for name, t in block.state_dict().items()}
    result = block.load_state_dict(state)
    assert result == ([], [])
    assert result.missing_keys == result.unexpected_keys == []
    state["scale"][0] = 9
    assert block.scale.tolist() == [0.25] * 3
    assert block.scale.dtype == "float32"
    assert all(a is b and a.requires_grad for a, b in zip(block.parameters(), kept, strict=True))


def test_a_state_that_does_not_fit_is_refused_as_a_whole():
    block = Block()
    before = {name: t.numpy() for name, t in block.state_dict().items()}
    state = {name: t.numpy() + 1 for name, t in block.state_dict().items()}
    del state["first.bias"], state["mean"]
    state |= {"first.bais": np.ones(3), "extra": np.ones(1), "shift": np.ones(4), "second.0.weight": np.ones((3, 2))}
    with pytest.raises(UserError) as caught:
        block.load_state_dict(state)
    assert str(caught.value).splitlines() == [
        "this state does not fit Block, and nothing was changed:",
        "  missing: mean, first.bias",
        "  unexpected: first.bais (for first.bias?), extra",
        "  shift has shape (3,), and the state has (4,)",
        "  second.0.weight has shape (2, 3), and the state has (3, 2)",
    ]
    with pytest.raises(UserError) as caught:
        block.load_state_dict(state, strict=False)  # a wrong shape is wrong all the same
    assert len(str(caught.value).splitlines()) == 3
    assert all(np.array_equal(t.numpy(), before[name]) for name, t in block.state_dict().items())
    del state["shift"], state["second.0.weight"]
    missing, unexpected = block.load_state_dict(state, strict=False)
    assert missing == ["shift", "mean", "first.bias", "second.0.weight"]
    assert unexpected == ["first.bais", "extra"]
    assert block.scale.tolist() == [2, 2, 2]


def test_what_is_no_state_is_refused():
    with pytest.raises(TypeError, match="a state is a dictionary of arrays by name, not list"):
        nn.ReLU().load_state_dict([])
    with pytest.raises(UserError, match="weight: a tensor is made of numbers"):
        nn.Linear(2, 1, bias=False).load_state_dict({"weight": None})
    with pytest.raises(UserError, match="weight: these nested lists do not make an array"):
        nn.Linear(2, 1, bias=False).load_state_dict({"weight": [[1.0], [1.0, 2.0]]})


def test_a_step_between_forward_and_backward_is_noticed_after_loading():
    layer = nn.Linear(2, 1)
    y = layer(ichikara.asarray([1.0, 2.0], requires_grad=True)).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="was changed in place"):
        y.backward()


def test_a_deep_copy_shares_nothing():
    block = Block()
    other = copy.deepcopy(block)
    other.scale.data = np.zeros(3)
    other.first.weight._data[...] = 7
    other.mean._data[...] = 7
    assert block.scale.tolist() == [1, 1, 1]
    assert not np.any(block.first.weight.numpy() == 7)
    assert block.mean.tolist() == [0, 0, 0]
    assert other.first is not block.first
    other([[1.0, 2.0, 3.0]]).sum().backward()
    assert block.scale.grad is None
    assert list(other.state_dict()) == list(block.state_dict())  # and still knows which buffer is not saved


def test_a_functional_call_leaves_the_module_as_it_was():
    block = Block()
    before = dict(block.named_parameters())
    plain = block([[1.0, 2.0, 3.0]])
    zeros = {name: ichikara.zeros(p.shape) for name, p in before.items()}
    assert nn.functional_call(block, zeros, [[1.0, 2.0, 3.0]], {"doubled": True}).tolist() == [[0.0, 0.0]]
    doubled = nn.functional_call(block, {}, ([[1.0, 2.0, 3.0]],), {"doubled": True})
    assert np.array_equal(doubled.numpy(), 2 * plain.numpy())
    with pytest.raises(ValueError, match="multiply cannot work with"):
        nn.functional_call(block, zeros, np.ones((1, 5)))
    assert all(a is before[name] for name, a in block.named_parameters())
    with pytest.raises(UserError, match="Block has no parameter 'scal'; did you mean 'scale'"):
        nn.functional_call(block, {"scal": ichikara.ones(3)}, [1.0])
    with pytest.raises(UserError, match=r"'scale' has shape \(3,\), and the tensor in its place \(4,\)"):
        nn.functional_call(block, {"scale": ichikara.ones(4)}, [1.0])
