"""D: a residual network of eight layers with batch normalisation, on small images in colour."""

from typing import Any

from . import cost
from .common import (
    Workload,
    classification,
    jax_batch_norm,
    jax_convolution,
    labels,
    normal,
    weight,
)

BATCH = 64
BLOCKS = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]  # channels before and after, stride


def block(nn: Any, before, after, stride):
    """Two convolutions, with the input added before the last activation."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(
                nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
            )
            self.past = nn.Identity()
            if before != after:
                self.past = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.inner(x) + self.past(x))

    return Block()


def model(nn: Any):
    """The network in ichikara's or PyTorch's layers."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *[block(nn, *sizes) for sizes in BLOCKS],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def data() -> tuple[Any, Any]:
    """Images and their classes."""
    return normal(BATCH, 3, 32, 32), labels(10, BATCH)


def layers():
    """What is counted."""
    found, size = [cost.convolution(BATCH, 3, 16, 3, 32, 32)], 32
    for before, after, stride in BLOCKS:
        out = size // stride
        found += [
            cost.convolution(BATCH, before, after, 3, size, out),
            cost.convolution(BATCH, after, after, 3, out, out),
        ]
        if before != after:
            found.append(cost.convolution(BATCH, before, after, 1, size, out))
        size = out
    return [*found, cost.linear(BATCH, 64, 10)]


def jax_parameters():
    """Weights of the convolutions with the numbers of their normalisation, and the last layer's."""
    normalised = lambda kernel, before, after: (
        weight(kernel, kernel, before, after),
        weight(after) * 0 + 1,
        weight(after) * 0,
    )
    blocks = []
    for before, after, _ in BLOCKS:
        convolutions = [normalised(3, before, after), normalised(3, after, after)]
        blocks.append(convolutions + ([normalised(1, before, after)] if before != after else []))
    return {"first": normalised(3, 3, 16), "blocks": blocks, "last": (weight(64, 10), weight(10) * 0)}


def jax_forward(parameters, x):
    """The network, with the channels last."""
    from jax.nn import relu

    def convolved(x, layer, stride=1):
        w, scale, shift = layer
        return jax_batch_norm(jax_convolution(x, w, stride, "SAME"), scale, shift)

    x = relu(convolved(x, parameters["first"]))
    for (_, _, stride), (first, second, *shortcut) in zip(BLOCKS, parameters["blocks"], strict=True):
        past = convolved(x, shortcut[0], stride) if shortcut else x
        x = relu(convolved(relu(convolved(x, first, stride)), second) + past)
    w, b = parameters["last"]
    return x.mean((1, 2)) @ w + b


def jax_data() -> tuple[Any, Any]:
    """The images with the channels last."""
    x, y = data()
    return x.transpose(0, 2, 3, 1), y


WORKLOAD = Workload(
    "D",
    "ResNet-8 on 3×32×32, batch 64",
    model,
    classification(model, data, jax_forward, jax_parameters, jax_data),
    cost.training(layers()),
    ("channels-last",),
)
