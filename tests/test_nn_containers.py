"""Modules that hold modules, how they print, and a first network of them that learns."""

import math
from collections import OrderedDict

import numpy as np
import pytest

import ichikara
from ichikara import nn
from ichikara.errors import UserError


def test_sequential_is_a_sequence():
    a, b, c = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    net = nn.Sequential(a, b, c)
    assert len(net) == 3
    assert list(net) == [a, b, c]
    assert net[0] is net[-3] is a
    assert net[-1] is c
    tail = net[1:]
    assert list(tail.state_dict()) == ["2.weight", "2.bias"]  # as in PyTorch a slice keeps the names
    tail.append(nn.Tanh())
    assert [type(m).__name__ for m in tail] == ["ReLU", "Linear", "Tanh"]
    net.insert(1, nn.Tanh())
    assert [name for name, _ in net.named_children()] == ["0", "1", "2", "3"]
    assert net[3] is c
    net[1] = nn.Sigmoid()
    assert [type(m).__name__ for m in net] == ["Linear", "Sigmoid", "ReLU", "Linear"]
    del net[1]
    assert list(net) == [a, b, c]
    assert net.extend([nn.ReLU()]) is net
    del net[2:]
    assert list(net) == [a, b]
    with pytest.raises(IndexError, match="this Sequential has 2 modules, and number 5 was asked for"):
        net[5]
    with pytest.raises(TypeError, match="ReLU is a class"):
        net.append(nn.ReLU)
    assert nn.Sequential()([1.0]).tolist() == [1.0]


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.3)])
@pytest.mark.parametrize("training", [True, False])
def test_a_normalisation_and_its_activation_in_one_pass_are_what_they_are_one_after_the_other(activation, training):
    drawn = np.random.default_rng(0)
    values, weights = drawn.normal(size=(6, 3, 4, 5)), drawn.normal(size=(6, 3, 4, 5))
    results = []
    for looked_at in (False, True):
        norm = nn.BatchNorm2d(3, dtype="float64").train(training)
        norm.weight.data, norm.bias.data = [1.0, -2.0, 0.5], [0.1, 0.2, -0.3]
        net = nn.Sequential(norm, activation)
        seen = []
        if looked_at:  # a hook sees what is between them, and keeps them apart
            norm.register_forward_hook(lambda module, args, output, seen=seen: seen.append(output.numpy()))
        x = ichikara.asarray(values, requires_grad=True)
        y = net(x)
        (y * weights).sum().backward()
        results.append([y.numpy(), *(t.grad.numpy() for t in (x, norm.weight, norm.bias)), norm.running_var.numpy()])
        assert bool(seen) is looked_at
        assert not looked_at or seen[0].min() < 0
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_sequential_takes_names(kind):
    net = nn.Sequential(kind([("hidden", nn.Linear(2, 3)), ("act", nn.ReLU())]))
    assert list(net.state_dict()) == ["hidden.weight", "hidden.bias"]
    assert net.act is net[1]
    assert net([[1.0, 2.0]]).shape == (1, 3)


def test_module_list_and_dict_register_what_they_hold():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
            self.heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(2, 3)})
            self.offsets = nn.ParameterList([np.zeros(2), nn.Parameter([1.0, 1.0])])

        def forward(self, x, head):
            for layer, offset in zip(self.layers, self.offsets, strict=True):
                x = layer(x) + offset
            return self.heads[head](x)

    net = Net()
    assert list(net.state_dict()) == [
        *["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"],
        *["heads.a.weight", "heads.a.bias", "heads.b.weight", "heads.b.bias"],
        *["offsets.0", "offsets.1"],
    ]
    assert net([1.0, 2.0], "b").shape == (3,)
    assert net([1.0, 2.0], head="a").shape == (1,)
    assert list(net.layers[1:].state_dict()) == ["0.weight", "0.bias"]  # as in PyTorch the numbers start at 0
    assert len(net.layers) == len(net.heads) == len(net.offsets) == 2
    assert [p.shape for p in net.offsets] == [(2,), (2,)]
    assert net.offsets[-1].tolist() == [1.0, 1.0]
    assert len(net.offsets[:1]) == 1
    assert list(net.heads) == list(net.heads.keys()) == ["a", "b"]
    assert "a" in net.heads
    assert [m.out_features for m in net.heads.values()] == [1, 3]
    taken = net.heads.pop("a")
    assert taken.out_features == 1
    net.heads["c"] = taken
    net.heads.update([("d", nn.ReLU())])
    assert [name for name, _ in net.heads.items()] == ["b", "c", "d"]
    with pytest.raises(UserError, match="unknown module 'e'"):
        net.heads["e"]
    with pytest.raises(UserError, match="unknown module 'e'"):
        del net.heads["e"]
    with pytest.raises(ValueError, match="cannot be named 'keys'"):
        net.heads["keys"] = nn.ReLU()
    net.heads.clear()
    assert len(net.heads) == 0
    with pytest.raises(TypeError, match="put it in brackets"):
        nn.ModuleList(nn.ReLU())


def test_reprs_nest():
    assert (
        repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])) == "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"
    assert repr(nn.ModuleDict({"a": nn.Sequential(nn.ReLU())})) == (
        "ModuleDict(\n  (a): Sequential(\n    (0): ReLU()\n  )\n)"
    )
    assert repr(nn.ParameterList([[1.0]])) == "ParameterList(\n  (0): float32, shape (1,)\n)"
    assert repr(nn.Sequential()) == "Sequential()"


def test_reprs_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test; install torch to run it")

    def build(nn):
        return nn.Sequential(
            nn.Linear(2, 3),
            nn.ModuleList([nn.Sequential(nn.Linear(3, 3), nn.ReLU()) for _ in range(3)]),
            nn.ModuleDict({"a": nn.GELU(), "b": nn.ModuleList()}),
        )

    assert repr(build(nn)) == repr(build(torch.nn))


def test_a_network_learns_exclusive_or():
    ichikara.seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x = np.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
    y = np.asarray([[0], [1], [1], [0]], dtype="float32")
    loss = nn.BCEWithLogitsLoss()
    start = loss(net(x), y).item()
    for _ in range(300):
        net.zero_grad()
        error = loss(net(x), y)
        error.backward()
        for p in net.parameters():
            p.data = p.numpy() - 0.5 * p.grad.numpy()
    assert abs(start - math.log(2)) < 0.3
    assert error.item() < 0.05
    assert ((net(x).numpy() > 0) == (y > 0.5)).all()
