"""PyTorch's values as ours, and the comparison of what both libraries compute from them."""

import numpy
import torch

import ichikara


class Refused(Exception):
    """What ichikara does not do, in the words of its error."""


def translate(value, leaves):
    """A value of PyTorch's as ours, in lists and dictionaries too.

    Arguments: ``leaves``, which gets the pairs of tensors that want a gradient, PyTorch's and ours.
    """
    if isinstance(value, torch.Tensor):
        if value.is_complex():
            raise Refused("there are no complex numbers")
        ours = ichikara.asarray(value.detach().contiguous().numpy().copy(), requires_grad=value.requires_grad)
        if value.requires_grad:
            leaves.append((value, ours))
        return ours
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple | list):
        return type(value)(translate(part, leaves) for part in value)
    if isinstance(value, dict):
        return {name: translate(part, leaves) for name, part in value.items()}
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, torch.device):
        return str(value)
    return value


def tensors(value):
    """The tensors in what a function returned, in order."""
    if isinstance(value, tuple | list):
        return [tensor for part in value for tensor in tensors(part)]
    return [value] if hasattr(value, "numpy") else []


TOLERANCES = {torch.float32: {"rtol": 3e-4, "atol": 3e-5}, torch.float64: {"rtol": 1e-8, "atol": 1e-9}}


def assert_same(ours, theirs, leaves, dtype):
    """The same outputs, of the same types, and from them the same gradients of the leaves.

    Arguments: ``leaves``, pairs of PyTorch's tensor and ours.
    """
    ours, theirs, tolerance = tensors(ours), tensors(theirs), TOLERANCES[dtype]
    assert len(ours) == len(theirs)
    for mine, expected in zip(ours, theirs, strict=True):
        assert mine.shape == tuple(expected.shape)
        assert str(mine.dtype) == str(expected.dtype).removeprefix("torch.")
        numpy.testing.assert_allclose(mine.detach().numpy(), expected.detach().numpy(), **tolerance)
    live = [(mine, expected) for mine, expected in zip(ours, theirs, strict=True) if expected.requires_grad]
    if not live or not leaves:
        return
    seeds = [torch.randn_like(expected) for _, expected in live]
    wanted = [leaf for leaf, _ in leaves]
    gradients = torch.autograd.grad([expected for _, expected in live], wanted, seeds, allow_unused=True)
    total = sum(((mine * ichikara.asarray(seed.numpy())).sum() for (mine, _), seed in zip(live, seeds, strict=True)), 0)
    if getattr(total, "requires_grad", False):
        total.backward()
    tolerance = {name: 10 * bound for name, bound in tolerance.items()}
    for (_, leaf), expected in zip(leaves, gradients, strict=True):
        mine = numpy.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        expected = numpy.zeros(leaf.shape) if expected is None else expected.numpy()
        numpy.testing.assert_allclose(mine, expected, **tolerance, err_msg="gradient")
