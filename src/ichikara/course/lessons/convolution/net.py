"""The trained network of the lesson: a LeNet for images of 16×16 pixels, whose weights lie beside this file.

``python -m ichikara.course.lessons.convolution.net`` trains it again, on MNIST, and writes the file. A digit drawn by
hand is larger or smaller than MNIST's and stands anywhere, so it learns from digits that are turned, scaled and moved.
"""

from functools import cache
from pathlib import Path

import numpy

from ichikara import nn, ops, optim
from ichikara.arrays import Generator, using
from ichikara.autodiff import no_grad
from ichikara.stage import stage
from ichikara.zoo import LeNet

from ...digits import digest

__all__ = ["SIZE", "accuracy", "make", "trained"]

SIZE = 16
FILE = Path(__file__).parent / "net.npz"
SEED, EPOCHS, BATCH = 21, 14, 128
ACCURACY = 0.9786
"""On MNIST's 10,000 test images, when the file was made."""
SHA256 = "ccd346b825c8d1b49a5623941a2ab9d594b7a781e39eb0ac855435dfb19067c4"
"""Of the weights, as bytes, in their order."""


def untrained() -> nn.Module:
    """The network before it has learnt."""
    return LeNet(1, (SIZE, SIZE), 10, filters=(8, 16), hidden=48, dropout=0.1)


@cache
def trained() -> nn.Module:
    """The network with the weights of the file, in which nothing is random any more."""
    net = untrained()
    with numpy.load(FILE) as file:
        net.load_state_dict({name: file[name] for name in file.files})
    return net.requires_grad_(False).eval()


def margined(images: numpy.ndarray) -> numpy.ndarray:
    """MNIST's images with a margin. Shapes: (n, 1, 28, 28) -> (n, 1, 32, 32)."""
    return numpy.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))


def halved(images: numpy.ndarray) -> numpy.ndarray:
    """Images in half the size. Shapes: (n, 1, 32, 32) -> (n, 1, 16, 16)."""
    return images.reshape(-1, 1, SIZE, 2, SIZE, 2).mean((3, 5)).astype(numpy.float32)


def accuracy(net: nn.Module, images: numpy.ndarray, labels: numpy.ndarray) -> float:
    """The share of images that the network names rightly."""
    with no_grad():
        found = [net(images[i : i + 1000]).numpy().argmax(1) for i in range(0, len(images), 1000)]
    return float((numpy.concatenate(found) == labels).mean())


def make(epochs: int = EPOCHS) -> tuple[nn.Module, float]:
    """Train the network on MNIST; returns it and its accuracy on MNIST's test images."""
    from ichikara.data import load_mnist

    mnist = load_mnist()
    with using(Generator(SEED)):
        net = untrained()
        learn(net, margined(mnist.train.inputs), mnist.train.targets, epochs)
    net.eval()
    return net, accuracy(net, halved(margined(mnist.test.inputs)), mnist.test.targets)


def learn(net: nn.Module, images: numpy.ndarray, labels: numpy.ndarray, epochs: int) -> None:
    """Train the network on images that are turned, scaled and moved, each time differently."""
    from ichikara.data import Compose, Rotate, Scale, Shift

    draw, change = Generator(SEED), Compose([Rotate(15), Scale(0.8, 1.6), Shift(4)])
    steps = len(images) // BATCH
    optimizer = optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = optim.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps * epochs)

    @stage
    def step(x, y):
        optimizer.zero_grad()
        loss = ops.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(epochs):
        order = draw.permutation(len(images))
        for i in range(steps):
            rows = order[i * BATCH : (i + 1) * BATCH]
            step(halved(change(images[rows], draw)), labels[rows])
            schedule.step()


def main() -> None:
    """Train the network and write its file."""
    net, share = make()
    weights = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    numpy.savez_compressed(FILE, **weights)
    print(f"accuracy {share:.4f}, {sum(w.size for w in weights.values())} parameters, {digest(*weights.values())}")


if __name__ == "__main__":
    main()
