"""What the workloads share: their type, their data, and a training step in each library.

A library is imported where it is used, so that a process holds no more than the one that it measures.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from .cost import Cost

Step = Callable[[], Any]  # one whole step, with nothing left undone when it returns; gives the loss, or the outputs


class Workload(NamedTuple):
    """A piece of work that every library does in its own way.

    ``steps`` has the libraries by name, each with a function of the mode that builds a step; ``model`` makes the
    network of a namespace of layers, ichikara's ``nn`` or PyTorch's.
    """

    name: str
    title: str
    model: Callable[[Any], Any]
    steps: dict[str, Callable[[str], Step]]
    cost: Cost
    modes: tuple[str, ...] = ()  # of PyTorch, besides those that every workload has


# --- data -------------------------------------------------------------------------------------------------------------


def normal(*shape: int):
    """Random numbers in float32, the same in every process."""
    import numpy

    return numpy.random.default_rng(0).normal(size=shape).astype("float32")


def weight(*shape: int):
    """Small random numbers to start from, where a library has no rule of its own."""
    return normal(*shape) * 0.05


def labels(count: int, *shape: int):
    """Random whole numbers below ``count``."""
    import numpy

    return numpy.random.default_rng(0).integers(count, size=shape)


# --- ichikara and PyTorch: the same words -----------------------------------------------------------------------------


def _step(model, optimizer, loss_of, x, y) -> Step:
    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def ichikara_training(model, x, y, optimizer: str = "Adam", lr: float = 1e-3) -> Step:
    """A step of classification in ichikara; ``model`` is a function of its layers."""
    import ichikara
    from ichikara import nn, optim

    network = model(nn)
    rule = getattr(optim, optimizer)(network.parameters(), lr=lr)
    return _step(network, rule, nn.CrossEntropyLoss(), ichikara.asarray(x), ichikara.asarray(y))


def torch_training(model, x, y, mode: str, optimizer: str = "Adam", lr: float = 1e-3) -> Step:
    """A step of classification in PyTorch, in one of its modes."""
    import torch

    network, (x,) = torch_network(model(torch.nn), mode, x)
    rule = torch_optimizer(network, mode, optimizer, lr)
    return _step(network, rule, torch.nn.CrossEntropyLoss(), x, torch.from_numpy(y))


def torch_network(network, mode: str, *inputs):
    """A network and its inputs as a mode wants them."""
    import torch

    tensors = [torch.from_numpy(x) for x in inputs]
    if mode == "channels-last":
        network = network.to(memory_format=torch.channels_last)
        tensors = [x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in tensors]
    if mode == "compile":
        network = torch.compile(network)
    return network, tensors


def torch_optimizer(network, mode: str, optimizer: str = "Adam", lr: float = 1e-3):
    """An optimiser of a network's parameters, in one kernel where the mode says so."""
    import torch

    return getattr(torch.optim, optimizer)(network.parameters(), lr=lr, fused=mode == "fused" or None)


def classification(
    model, data, jax_forward, jax_parameters, jax_data=None, optimizer: str = "Adam", lr: float = 1e-3
) -> dict[str, Callable[[str], Step]]:
    """The steps of a classifier in ichikara, PyTorch and JAX; ``jax_data`` where JAX has the channels last."""

    def in_jax(mode):
        return jax_training(jax_forward, jax_parameters(), *(jax_data or data)(), optimizer.lower(), lr)

    return {
        "ichikara": lambda mode: ichikara_training(model, *data(), optimizer, lr),
        "torch": lambda mode: torch_training(model, *data(), mode, optimizer, lr),
        "jax": in_jax,
    }


def reader(nn, cell, features: int):
    """A network that reads with a recurrent cell and answers from what its last step gives."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell
            self.head = nn.Linear(features, 10)

        def forward(self, x):
            states, _ = self.cell(x)
            return self.head(states[:, -1])

    return Reader()


# --- DeZero -----------------------------------------------------------------------------------------------------------


def dezero_training(network, x, y, optimizer) -> Step:
    """A step of classification in DeZero."""
    from dezero.functions import softmax_cross_entropy

    optimizer.setup(network)

    def step():
        loss = softmax_cross_entropy(network(x), y)
        network.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.data

    return step


# --- JAX --------------------------------------------------------------------------------------------------------------


def jax_training(forward, parameters, x, y, optimizer: str = "adam", lr: float = 1e-3) -> Step:
    """A step of classification in JAX, compiled, the old parameters given to the new ones as room."""
    import optax

    def loss_of(parameters, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(forward(parameters, x), y).mean()

    return jax_step(loss_of, parameters, getattr(optax, optimizer)(lr), x, y)


def jax_step(loss_of, parameters, rule, *data) -> Step:
    """A compiled step on the gradient of a loss of parameters and data."""
    import jax
    import optax

    def update(parameters, state, *data):
        loss, gradient = jax.value_and_grad(loss_of)(parameters, *data)
        change, state = rule.update(gradient, state, parameters)
        return optax.apply_updates(parameters, change), state, loss

    update = jax.jit(update, donate_argnums=(0, 1))
    parameters = jax.tree.map(jax.numpy.asarray, parameters)
    data = tuple(map(jax.numpy.asarray, data))
    state = rule.init(parameters)

    def step():
        nonlocal parameters, state
        parameters, state, loss = update(parameters, state, *data)
        jax.block_until_ready((parameters, state, loss))
        return loss

    return step


def jax_convolution(x, w, stride: int = 1, padding: str = "VALID"):
    """A convolution with the channels last, which XLA is faster with. Shapes: (n, h, w, c), (kh, kw, c, f)."""
    import jax

    return jax.lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def jax_batch_norm(x, scale, shift):
    """Normalisation by the batch; running averages are not kept, which spares JAX a little work."""
    import jax

    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) * jax.lax.rsqrt(x.var(axes) + 1e-5) * scale + shift
