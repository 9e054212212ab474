"""Batch normalisation makes training fast, from initial weights of nearly any size.

After ゼロから作る Deep Learning, chapter 6: a network of five hidden layers learns 1,000 images from weights of many
deviations, with batch normalisation between its layers and without. Run it with:

    python examples/batch_norm.py

Source: 斎藤康毅, ゼロから作る Deep Learning (2016), section 6.3; S. Ioffe and C. Szegedy (2015).
"""

import argparse
from collections.abc import Sequence

import numpy

from ichikara import nn, optim
from ichikara.arrays import Generator, using
from ichikara.data import DataLoader, MinMaxScaler, load_digits, load_mnist
from ichikara.train import DivergedError, Objective, Trainer


def network(pixels: int, normalised: bool, std: float, generator: Generator) -> nn.Sequential:
    """Five hidden layers of 100 neurons with ReLU, their weights normal with one deviation."""
    layers: list[nn.Module] = []
    width = pixels
    for _ in range(5):
        layers += [nn.Linear(width, 100), *([nn.BatchNorm1d(100)] if normalised else []), nn.ReLU()]
        width = 100
    with using(generator):
        return nn.init.initialise(nn.Sequential(*layers, nn.Linear(width, 10)), "normal", std=std)


def accuracies(data, normalised: bool, std: float, epochs: int = 20, seed: int = 0) -> list[float]:
    """The training accuracy of each epoch; that of a guess where the weights overflow."""
    generator = Generator(seed)
    model = network(data.inputs[0].size, normalised, std, generator.spawn())
    trainer = Trainer(model, Objective("cross_entropy", data), optim.SGD(model.parameters(), lr=0.01))
    try:
        trainer.fit(DataLoader(data, 100, shuffle=True, generator=generator.spawn()), epochs)
    except DivergedError:
        return [0.1] * epochs
    return trainer.history["train_accuracy"]


def main(
    epochs: int = 20, scales: Sequence[float] = tuple(numpy.logspace(0, -4, 9)), mnist: bool = False, seed: int = 0
) -> dict[float, tuple[list[float], list[float]]]:
    """Print the accuracies by initial deviation, and return them: without batch normalisation, and with it."""
    data = load_mnist(as_images=False).train if mnist else load_digits()
    data = MinMaxScaler(per="all").fit(data).transform(data)[:1000]
    marks = sorted({max(epochs // 4, 1), max(epochs // 2, 1), epochs})
    print(f"{len(data)} images of {data.name}, SGD 0.01: training accuracy in epochs {', '.join(map(str, marks))}")
    print(f"  {'deviation':10} {'without':22} with batch normalisation")
    result = {}
    for std in scales:
        pair = tuple(accuracies(data, normalised, float(std), epochs, seed) for normalised in (False, True))
        result[float(std)] = pair
        cells = ("  ".join(f"{each[mark - 1]:5.1%}" for mark in marks) for each in pair)
        print(f"  {std:<10.4g}", "    ".join(f"{cell:21}" for cell in cells).rstrip(), flush=True)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--mnist", action="store_true", help="MNIST, as in the book, in place of scikit-learn's digits")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
