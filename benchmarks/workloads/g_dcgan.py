"""G: a generative adversarial network on images. A step updates the discriminator once, then the generator once."""

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
    """The generator and the discriminator, in ichikara's or PyTorch's layers."""
    generator = nn.Sequential(
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
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, stride=2, padding=1),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )
    return nn.ModuleList([generator, discriminator])


def data() -> tuple[Any, ...]:
    """Noise, real images, and the discriminator's targets for real and for generated images."""
    import numpy

    ones = numpy.ones((BATCH, 1), "float32")
    return normal(BATCH, LATENT), normal(BATCH, 1, 28, 28), ones, 0 * ones


def _step(networks, optimizers, loss_of, noise, real, ones, zeros):
    """The discriminator learns from real and generated images, then the generator from the discriminator's output."""
    (generator, discriminator), (generator_optimizer, discriminator_optimizer) = networks, optimizers

    def step():
        fake = generator(noise)
        discriminator_optimizer.zero_grad()
        loss = loss_of(discriminator(real), ones) + loss_of(discriminator(fake.detach()), zeros)
        loss.backward()
        discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        loss = loss_of(discriminator(fake), ones)
        loss.backward()
        generator_optimizer.step()
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
    generator, (noise,) = torch_network(model(torch.nn)[0], mode, noise)
    discriminator, (real, ones, zeros) = torch_network(model(torch.nn)[1], mode, real, ones, zeros)
    optimizers = [torch_optimizer(network, mode) for network in (generator, discriminator)]
    return _step((generator, discriminator), optimizers, torch.nn.BCEWithLogitsLoss(), noise, real, ones, zeros)


def jax_step(mode):
    import jax
    import jax.numpy as jnp
    import optax

    scaled = lambda n: (jnp.ones(n), jnp.zeros(n))
    generator = {
        "linear": (weight(LATENT, 128 * 7 * 7), jnp.zeros(128 * 7 * 7)),
        "norms": [scaled(128), scaled(64)],
        "convolutions": [(weight(4, 4, 128, 64), jnp.zeros(64)), (weight(4, 4, 64, 1), jnp.zeros(1))],
    }
    discriminator = {
        "convolutions": [(weight(4, 4, 1, 64), jnp.zeros(64)), (weight(4, 4, 64, 128), jnp.zeros(128))],
        "norm": scaled(128),
        "linear": (weight(128 * 7 * 7, 1), jnp.zeros(1)),
    }
    leaky = lambda x: jax.nn.leaky_relu(x, 0.2)

    def transposed(x, layer):
        w, b = layer
        return jax.lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + b

    def generate(p, noise):
        w, b = p["linear"]
        x = (noise @ w + b).reshape(-1, 7, 7, 128)
        x = transposed(jax.nn.relu(jax_batch_norm(x, *p["norms"][0])), p["convolutions"][0])
        return jnp.tanh(transposed(jax.nn.relu(jax_batch_norm(x, *p["norms"][1])), p["convolutions"][1]))

    def discriminate(p, x):
        (w1, b1), (w2, b2) = p["convolutions"]
        w3, b3 = p["linear"]
        x = leaky(jax_convolution(x, w1, 2, "SAME") + b1)
        x = leaky(jax_batch_norm(jax_convolution(x, w2, 2, "SAME") + b2, *p["norm"]))
        return x.reshape(len(x), -1) @ w3 + b3

    loss_of = lambda scores, wanted: optax.sigmoid_binary_cross_entropy(scores, wanted).mean()
    rule = optax.adam(1e-3)

    def update(generator, discriminator, generator_state, discriminator_state, noise, real):
        fake, back = jax.vjp(lambda p: generate(p, noise), generator)
        discriminator_loss = lambda p: loss_of(discriminate(p, real), 1.0) + loss_of(discriminate(p, fake), 0.0)
        change, discriminator_state = rule.update(jax.grad(discriminator_loss)(discriminator), discriminator_state)
        discriminator = optax.apply_updates(discriminator, change)
        loss, gradient = jax.value_and_grad(lambda x: loss_of(discriminate(discriminator, x), 1.0))(fake)
        change, generator_state = rule.update(back(gradient)[0], generator_state)
        return optax.apply_updates(generator, change), discriminator, generator_state, discriminator_state, loss

    update = jax.jit(update, donate_argnums=(0, 1, 2, 3))
    noise, real, _, _ = data()
    noise, real = jnp.asarray(noise), jnp.asarray(real.transpose(0, 2, 3, 1))
    generator, discriminator = jax.tree.map(jnp.asarray, (generator, discriminator))
    held = (generator, discriminator, rule.init(generator), rule.init(discriminator))

    def step():
        nonlocal held
        *held, loss = update(*held, noise, real)
        jax.block_until_ready((held, loss))
        return loss

    return step


def _generator():
    return [
        cost.linear(BATCH, LATENT, 128 * 7 * 7),
        cost.transposed(BATCH, 128, 64, 4, 7, 14),
        cost.transposed(BATCH, 64, 1, 4, 14, 28),
    ]


def _discriminator(n):
    return [
        cost.convolution(n, 1, 64, 4, 28, 14),
        cost.convolution(n, 64, 128, 4, 14, 7),
        cost.linear(n, 128 * 7 * 7, 1),
    ]


# The generator's own step; the discriminator's step on real and generated images; and the discriminator's pass for the
# generator, forward and back to the image. That way back costs as much as the pass, without gradients of weights.
_PASS = cost.inference(_discriminator(BATCH))

WORKLOAD = Workload(
    "G",
    "DCGAN on 28×28, batch 64",
    model,
    {"ichikara": ichikara_step, "torch": torch_step, "jax": jax_step},
    cost.training(_generator()) + cost.training(_discriminator(2 * BATCH)) + _PASS + _PASS,
    ("channels-last",),
)
