"""A layer's whole contract with PyTorch in one call: `check_layer`."""

import copy
import inspect

import numpy as np
import torch

import ichikara
from ichikara import nn

# What two orders of the same sums may differ by, in units in the last place of the largest number.
UNITS = 32


def check_layer(ours, theirs, *inputs, trains=True, batches=(1, 0), extras=(), constant=(), seed=0):
    """Assert that a layer is PyTorch's: how it is made, what it holds, what it computes, and what flows back.

    Arguments: ``ours`` and ``theirs``, the two modules; ``inputs``, NumPy arrays, float64 where they are real numbers;
    ``trains``, whether training is not random, so that it can be compared; ``batches``, the sizes beside the inputs'
    own to which their first axis is cut; ``extras``, arguments of ours that PyTorch's has not; ``constant``, the
    positions of inputs by which PyTorch cannot differentiate.
    """
    check_signature(type(ours), type(theirs), extras)
    for name in inspect.signature(type(ours)).parameters:
        mine = getattr(ours, name, None)
        if mine is None or isinstance(mine, int | float | str | tuple | list):
            assert mine == getattr(theirs, name, None), f"{name}: {mine!r}, PyTorch has {getattr(theirs, name)!r}"
    assert repr(ours) == repr(theirs).replace(", inplace=False", ""), f"{ours!r}, PyTorch has {theirs!r}"
    random = np.random.default_rng(seed)
    for dtype in ("float64", "float32"):
        mine, other = copy.deepcopy(ours).to(dtype=dtype), copy.deepcopy(theirs).to(getattr(torch, dtype))
        check_state(mine, other, random)
        for training in (True, False) if trains else (False,):
            mine.train(training)
            other.train(training)
            for size in (None, *batches):
                given = [x if size is None else x[:size] for x in inputs]
                given = [x.astype(dtype) if x.dtype.kind == "f" else x for x in given]
                where = f"{dtype}, {'training' if training else 'evaluation'}, shapes {[x.shape for x in given]}"
                flows = check_pass(mine, other, given, constant, random, where)
    if flows:
        check_slopes(copy.deepcopy(ours).to("float64").train(trains), inputs)


def check_signature(ours, theirs, extras=()):
    """Arguments have PyTorch's names, order and defaults; those that may be given by position have its positions."""
    mine, others = (inspect.signature(kind).parameters for kind in (ours, theirs))
    names = [name for name in mine if name not in extras]
    assert names == [name for name in others if name in names], f"arguments {names}, PyTorch has {list(others)}"
    for name in extras:
        assert mine[name].kind is inspect.Parameter.KEYWORD_ONLY, f"{name} is ours alone, so it is given by name"
    for name in names:
        assert mine[name].default == others[name].default, f"{name} is {mine[name].default!r} by default"
        if mine[name].kind is not inspect.Parameter.KEYWORD_ONLY:
            assert list(mine).index(name) == list(others).index(name), f"{name} stands at another position"
    calls = [list(inspect.signature(kind.forward).parameters) for kind in (ours, theirs)]
    assert calls[0] == calls[1], f"forward takes {calls[0]}, PyTorch's {calls[1]}"


def check_state(ours, theirs, random):
    """The same names in the same order, shapes and types; and numbers that go there and back untouched."""
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state), f"keys {list(ours.state_dict())}, PyTorch has {list(state)}"
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    for name, tensor in ours.state_dict().items():
        assert tensor.shape == tuple(state[name].shape), f"{name} has shape {tensor.shape}"
        assert str(tensor.dtype) == dtype_name(state[name]), f"{name} is {tensor.dtype}"
    drawn = {name: torch.from_numpy(random.normal(size=t.shape)).to(t.dtype) for name, t in theirs.named_parameters()}
    theirs.load_state_dict({**state, **drawn})
    state = {name: tensor.numpy().copy() for name, tensor in theirs.state_dict().items()}
    missing, unexpected = ours.load_state_dict(state)
    assert missing == unexpected == []
    theirs.load_state_dict({name: torch.tensor(t.numpy()) for name, t in ours.state_dict().items()})
    for name, tensor in theirs.state_dict().items():
        assert np.array_equal(tensor.numpy(), state[name]), f"{name} changed on its way"


def check_pass(ours, theirs, inputs, constant, random, where):
    """Value, gradients of inputs and parameters, and buffers afterwards. Returns whether gradients flow at all."""

    def same(mine, other, what):
        assert mine.shape == tuple(other.shape), f"{what}: shape {mine.shape}, not {tuple(other.shape)} ({where})"
        assert str(mine.dtype) == dtype_name(other), f"{what}: {mine.dtype}, PyTorch gives {other.dtype} ({where})"
        mine, other = mine.numpy(), other.detach().numpy()
        unit = UNITS * (np.finfo(mine.dtype).eps if mine.dtype.kind == "f" else 0)
        largest = np.abs(other[np.isfinite(other)]).max(initial=1.0)
        np.testing.assert_allclose(mine, other, rtol=unit, atol=unit * largest, err_msg=f"{what} ({where})")

    wanted = [x.dtype.kind == "f" and i not in constant for i, x in enumerate(inputs)]
    kept = [x.copy() for x in inputs]
    mine = [ichikara.asarray(x, requires_grad=w) for x, w in zip(inputs, wanted, strict=True)]
    others = [torch.tensor(x, requires_grad=w) for x, w in zip(inputs, wanted, strict=True)]
    twin = copy.deepcopy(ours)
    output, expected = ours(*mine), theirs(*others)
    same(output, expected, "value")
    same(twin(*inputs), expected, "value for NumPy arrays")
    for before, after in zip(kept, inputs, strict=True):
        assert np.array_equal(before, after), f"an input was changed ({where})"
    flows = expected.requires_grad
    assert output.requires_grad == flows, f"requires_grad is {output.requires_grad}, PyTorch's {flows} ({where})"
    if flows:
        ours.zero_grad()
        theirs.zero_grad()
        g = random.normal(size=tuple(expected.shape)).astype(inputs[0].dtype)
        output.backward(g)
        expected.backward(torch.from_numpy(np.asarray(g)))
        places = [(f"input {i}", a, b) for i, (a, b) in enumerate(zip(mine, others, strict=True)) if wanted[i]]
        places += [(name, p, dict(theirs.named_parameters())[name]) for name, p in ours.named_parameters()]
        for name, a, b in places:
            assert (a.grad is None) == (b.grad is None), f"gradient of {name}: one of the two is None ({where})"
            if b.grad is not None:
                same(a.grad, b.grad, f"gradient of {name}")
    for (name, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        same(a, b, f"buffer {name} after the call")
    return flows


def check_slopes(ours, inputs):
    """First and second derivatives by parameters and inputs against difference quotients, in float64."""
    parameters = dict(ours.named_parameters())
    real = [i for i, x in enumerate(inputs) if x.dtype.kind == "f"]

    def function(*tensors):
        state = dict(zip(parameters, tensors, strict=False))
        given = dict(zip(real, tensors[len(parameters) :], strict=True))
        return nn.functional_call(ours, state, tuple(given.get(i, x) for i, x in enumerate(inputs)))

    ichikara.check_grads(function, *[p.detach() for p in parameters.values()], *[inputs[i] for i in real])


def dtype_name(tensor):
    """The name of a type of PyTorch's, such as ``'float32'``."""
    return str(tensor.dtype).removeprefix("torch.")
