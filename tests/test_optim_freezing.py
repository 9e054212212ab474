"""Freezing keeps the gradient: whatever the order of freezing, sweeping, clearing and stepping, PyTorch's numbers."""

import copy
import pickle

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ichikara
from ichikara import nn, optim
from ichikara.optim import SGD, Adagrad, Adam, AdamW, RMSprop

OPTIMIZERS = {
    "SGD": (SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    "RMSprop": (RMSprop, {"lr": 0.1, "momentum": 0.5}),
    "Adagrad": (Adagrad, {"lr": 0.1}),
    "Adam": (Adam, {"lr": 0.1}),
    "AdamW": (AdamW, {"lr": 0.1}),
}
START = {"w": numpy.array([1.0, -2.0, 0.5]), "b": numpy.array(0.3)}
X = numpy.array([0.5, 1.5, -1.0])

ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["freeze", "unfreeze"]), st.sampled_from(["w", "b", "both"])),
    st.tuples(st.sampled_from(["forward", "backward", "zero_grad", "zeros", "step"]), st.just("both")),
)


class Pair:
    """Two leaves, a loss of both, and an optimiser; from one library or the other."""

    def __init__(self, leaves, x, optimizer):
        self.leaves, self.x, self.optimizer = leaves, x, optimizer
        self.loss = None

    def do(self, action, which):
        chosen = self.leaves.values() if which == "both" else [self.leaves[which]]
        if action in ("freeze", "unfreeze"):
            for leaf in chosen:
                leaf.requires_grad = action == "unfreeze"
        elif action == "forward":
            w, b = self.leaves.values()
            self.loss = ((w * w * self.x + b) * b).sum()
        elif action == "backward":
            # A graph can be swept once, and not after a step has changed what it saved.
            if self.loss is not None and self.loss.requires_grad:
                self.loss.backward()
            self.loss = None
        elif action == "step":
            self.optimizer.step()
            self.loss = None
        else:
            self.optimizer.zero_grad(set_to_none=action == "zero_grad")

    def numbers(self):
        grads = [leaf.grad for leaf in self.leaves.values()]
        return (
            [numpy.array(leaf.detach().numpy()) for leaf in self.leaves.values()],
            [None if grad is None else numpy.array(grad.detach().numpy()) for grad in grads],
            [leaf.requires_grad for leaf in self.leaves.values()],
        )


@pytest.mark.parametrize(("ours", "options"), OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@settings(max_examples=40)
@given(actions=st.lists(ACTIONS, min_size=3, max_size=25))
def test_any_order_gives_pytorchs_numbers(ours, options, actions):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    mine = {name: ichikara.asarray(array, requires_grad=True) for name, array in START.items()}
    theirs = {name: torch.tensor(array, requires_grad=True) for name, array in START.items()}
    their_optimizer = getattr(torch.optim, ours.__name__)(theirs.values(), **options)
    pairs = [
        Pair(mine, ichikara.asarray(X), ours([*mine.values()], **options)),
        Pair(theirs, torch.tensor(X), their_optimizer),
    ]
    for action in [*actions, ("unfreeze", "both"), ("forward", "both"), ("backward", "both"), ("step", "both")]:
        for pair in pairs:
            pair.do(*action)
        (values, grads, wanted), (their_values, their_grads, their_wanted) = (pair.numbers() for pair in pairs)
        assert wanted == their_wanted, action
        numpy.testing.assert_allclose(numpy.hstack(values), numpy.hstack(their_values), rtol=1e-9, err_msg=str(action))
        for grad, expected in zip(grads, their_grads, strict=True):
            assert (grad is None) is (expected is None), action
            if grad is not None:
                numpy.testing.assert_allclose(grad, expected, rtol=1e-9, atol=1e-12, err_msg=str(action))


# --- a discriminator that is frozen while the generator learns --------------------------------------------------------


def array(number, *shape):
    return numpy.random.default_rng(number).standard_normal(shape).astype("float32")


WEIGHTS = [array(0, 2, 2), array(1, 2), array(2, 1, 2), array(3, 1)]


def adversaries(nn, optim, tensor):
    """A training step of a generator and a discriminator in one library, and their parameters."""
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    parameters = [*generator.parameters(), *discriminator.parameters()]
    for parameter, numbers in zip(parameters, WEIGHTS, strict=True):
        parameter.data = tensor(numbers)
    optimizers = [optim.Adam(part.parameters(), lr=0.1) for part in (generator, discriminator)]

    def step(z, real):
        for optimizer in optimizers:
            optimizer.zero_grad()
        fake = generator(z)
        (discriminator(fake.detach()) ** 2 + (discriminator(real) - 1) ** 2).mean().backward()
        discriminator.requires_grad_(False)
        ((discriminator(fake) - 1) ** 2).mean().backward()
        discriminator.requires_grad_(True)
        for optimizer in optimizers:
            optimizer.step()

    return parameters, step


@pytest.mark.parametrize("staged", [False, True])
def test_a_discriminator_that_is_frozen_in_between_still_moves(torch, staged):
    mine, step = adversaries(nn, optim, ichikara.asarray)
    theirs, their_step = adversaries(torch.nn, torch.optim, torch.tensor)
    taken = ichikara.stage(step) if staged else step
    for number in range(6):
        z, real = array(10 + number, 4, 2), array(20 + number, 4, 2)
        taken(ichikara.asarray(z), ichikara.asarray(real))
        their_step(torch.tensor(z), torch.tensor(real))
        for parameter, expected, start in zip(mine, theirs, WEIGHTS, strict=True):
            numpy.testing.assert_allclose(parameter.numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-6)
            assert (parameter.numpy() != start).all()
    if staged:
        assert getattr(taken, "captures", 1) <= 2  # a frozen leaf comes back as the leaf that it was


@pytest.mark.parametrize("first", ["with a gradient", "without"])
def test_a_replayed_step_sees_what_a_frozen_leaf_keeps(first):
    w = ichikara.asarray([1.0, 2.0], requires_grad=True)
    optimizer = SGD([w], lr=1.0)
    step = ichikara.stage(lambda: optimizer.step())
    w.requires_grad = False
    for turn in range(4):
        had, before = (turn % 2 == 0) is (first == "with a gradient"), w.numpy()
        w.requires_grad = True
        w.grad = ichikara.asarray([1.0, 1.0 + turn]) if had else None
        w.requires_grad = False
        step()
        numpy.testing.assert_array_equal(w.numpy(), before - ([1.0, 1.0 + turn] if had else [0.0, 0.0]))


def test_an_earlier_graph_leads_to_the_leaf_again():
    w = ichikara.asarray(3.0, requires_grad=True)
    square = w * w
    w.requires_grad_(False)
    assert not (w * w).requires_grad
    square.backward(retain_graph=True)
    assert w.grad is None
    w.requires_grad_(True)
    square.backward(retain_graph=True)
    assert w.grad.item() == 6.0
    w.requires_grad_(False)
    w.data = numpy.float32(4.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        square.backward()


def test_a_frozen_parameter_is_converted_copied_and_pickled():
    w = nn.Parameter([1.0, 2.0])
    w.grad = [3.0, 4.0]
    assert w.requires_grad_(False) is w
    assert not copy.deepcopy(w).requires_grad
    assert not pickle.loads(pickle.dumps(w)).requires_grad
    w.convert("float64")
    assert w.grad.dtype == "float64"
    assert w.requires_grad_().grad.tolist() == [3.0, 4.0]
    (w * w).sum().backward()
    assert w.grad.tolist() == [5.0, 8.0]
    with pytest.raises(TypeError, match="only floating-point numbers have a gradient"):
        ichikara.asarray([1]).requires_grad_()
