"""G: two networks against each other, a forger of images and a detector, each of them updated once in a step."""

from typing import Any

from . import cost
from .common import (
    Workload,
    jax_batch_norm,
    jax_convolution,
    normal,
    torch_network,
    torch_optimizer,
    weight,
)

BATCH, LATENT = 64, 100


def model(nn: Any):
    """Forger and detector in ichikara's or PyTorch's layers."""
    forger = nn.Sequential(
        nn.Linear(LATENT, 128 * 7 * 7),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    detector = nn.Sequential(
        nn.Conv2d(1, 64, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, stride=2, padding=1),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )
    return nn.ModuleList([forger, detector])


def data() -> tuple[Any, ...]:
    """Noise, real images, and what the detector is to say of real ones and of forgeries."""
    import numpy

    ones = numpy.ones((BATCH, 1), "float32")
    return normal(BATCH, LATENT), normal(BATCH, 1, 28, 28), ones, 0 * ones


def _step(networks, optimizers, loss_of, noise, real, ones, zeros):
    """The detector learns from real and forged images, then the forger from what the detector says."""
    (forger, detector), (of_forger, of_detector) = networks, optimizers

    def step():
        forged = forger(noise)
        of_detector.zero_grad()
        loss = loss_of(detector(real), ones) + loss_of(detector(forged.detach()), zeros)
        loss.backward()
        of_detector.step()
        of_forger.zero_grad()
        loss = loss_of(detector(forged), ones)
        loss.backward()
        of_forger.step()
        return loss

    return step


def ichikara_step(mode):
    import ichikara
    from ichikara import nn, optim

    networks = list(model(nn))
    optimizers = [optim.Adam(network.parameters(), lr=1e-3) for network in networks]
    return _step(networks, optimizers, nn.BCEWithLogitsLoss(), *map(ichikara.asarray, data()))


def torch_step(mode):
    import torch

    noise, real, ones, zeros = data()
    forger, (noise,) = torch_network(model(torch.nn)[0], mode, noise)
    detector, (real, ones, zeros) = torch_network(model(torch.nn)[1], mode, real, ones, zeros)
    optimizers = [torch_optimizer(network, mode) for network in (forger, detector)]
    return _step((forger, detector), optimizers, torch.nn.BCEWithLogitsLoss(), noise, real, ones, zeros)


def jax_step(mode):
    import jax
    import jax.numpy as jnp
    import optax

    scaled = lambda n: (jnp.ones(n), jnp.zeros(n))
    forger = {
        "linear": (weight(LATENT, 128 * 7 * 7), jnp.zeros(128 * 7 * 7)),
        "norms": [scaled(128), scaled(64)],
        "convolutions": [(weight(4, 4, 128, 64), jnp.zeros(64)), (weight(4, 4, 64, 1), jnp.zeros(1))],
    }
    detector = {
        "convolutions": [(weight(4, 4, 1, 64), jnp.zeros(64)), (weight(4, 4, 64, 128), jnp.zeros(128))],
        "norm": scaled(128),
        "linear": (weight(128 * 7 * 7, 1), jnp.zeros(1)),
    }
    leaky = lambda x: jax.nn.leaky_relu(x, 0.2)

    def transposed(x, layer):
        w, b = layer
        return jax.lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b

    def forged_by(p, noise):
        w, b = p["linear"]
        x = (noise @ w + b).reshape(-1, 7, 7, 128)
        x = transposed(jax.nn.relu(jax_batch_norm(x, *p["norms"][0])), p["convolutions"][0])
        return jnp.tanh(transposed(jax.nn.relu(jax_batch_norm(x, *p["norms"][1])), p["convolutions"][1]))

    def said_by(p, x):
        (w1, b1), (w2, b2) = p["convolutions"]
        w3, b3 = p["linear"]
        x = leaky(jax_convolution(x, w1, 2, "SAME") + b1)
        x = leaky(jax_batch_norm(jax_convolution(x, w2, 2, "SAME") + b2, *p["norm"]))
        return x.reshape(len(x), -1) @ w3 + b3

    loss_of = lambda scores, wanted: optax.sigmoid_binary_cross_entropy(scores, wanted).mean()
    rule = optax.adam(1e-3)

    def update(forger, detector, of_forger, of_detector, noise, real):
        forged, back = jax.vjp(lambda p: forged_by(p, noise), forger)
        of_detection = lambda p: loss_of(said_by(p, real), 1.0) + loss_of(said_by(p, forged), 0.0)
        change, of_detector = rule.update(jax.grad(of_detection)(detector), of_detector)
        detector = optax.apply_updates(detector, change)
        loss, gradient = jax.value_and_grad(lambda x: loss_of(said_by(detector, x), 1.0))(forged)
        change, of_forger = rule.update(back(gradient)[0], of_forger)
        return optax.apply_updates(forger, change), detector, of_forger, of_detector, loss

    update = jax.jit(update, donate_argnums=(0, 1, 2, 3))
    noise, real, _, _ = data()
    noise, real = jnp.asarray(noise), jnp.asarray(real.transpose(0, 2, 3, 1))
    forger, detector = jax.tree.map(jnp.asarray, (forger, detector))
    held = (forger, detector, rule.init(forger), rule.init(detector))

    def step():
        nonlocal held
        *held, loss = update(*held, noise, real)
        jax.block_until_ready((held, loss))
        return loss

    return step


def _forger():
    return [
        cost.linear(BATCH, LATENT, 128 * 7 * 7),
        cost.transposed(BATCH, 128, 64, 4, 7, 14),
        cost.transposed(BATCH, 64, 1, 4, 14, 28),
    ]


def _detector(n):
    return [
        cost.convolution(n, 1, 64, 4, 28, 14),
        cost.convolution(n, 64, 128, 4, 14, 7),
        cost.linear(n, 128 * 7 * 7, 1),
    ]


# The forger's own step; the detector's on real and forged images together; and its opinion for the forger, forward and
# back to the image, which takes as much again and needs no gradient of its weights.
_OPINION = cost.inference(_detector(BATCH))

WORKLOAD = Workload(
    "G",
    "DCGAN on 28×28, batch 64",
    model,
    {"ichikara": ichikara_step, "torch": torch_step, "jax": jax_step},
    cost.training(_forger()) + cost.training(_detector(2 * BATCH)) + _OPINION + _OPINION,
    ("channels-last",),
)
