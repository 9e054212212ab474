"""With enough neurons a network follows any function: Nielsen's construction by hand, and trained networks.

Two steep sigmoids make a bump, and bumps side by side make a curve, in two dimensions towers; the error falls as they
become more. A trained network of one hidden layer needs fewer neurons for the same error. Run it with:

    python examples/universal.py

Source: M. Nielsen, "Neural Networks and Deep Learning" (2015), ch. 4; the lecture's A4.
"""

import argparse
from collections.abc import Sequence

import numpy

from ichikara import nn, optim, zoo
from ichikara.arrays import Generator, using
from ichikara.data import DataLoader, load_curve
from ichikara.data.functions import curve, surface
from ichikara.train import Trainer, predict


def error(model, points: numpy.ndarray, heights: numpy.ndarray) -> float:
    """The root mean squared error of a network at points."""
    return float(((predict(model, points)[:, 0] - heights) ** 2).mean() ** 0.5)


def between() -> numpy.ndarray:
    """A thousand points of the line; its two ends, on which the outer steps stand, are not among them."""
    return ((numpy.arange(1000) + 0.5) / 1000).astype("float32")


def by_hand(count: int) -> float:
    """The error of so many bumps on a curve."""
    x = between()
    return error(zoo.bumps(curve, 0.0, 1.0, count), x[:, None], curve(x))


def by_hand_in_the_plane(count: int) -> float:
    """The error of so many towers along each side of a square."""
    line = numpy.linspace(0.01, 0.99, 45, dtype="float32")
    x, y = (each.ravel() for each in numpy.meshgrid(line, line))
    return error(zoo.towers(surface, (0.0, 0.0), (1.0, 1.0), count), numpy.stack([x, y], axis=1), surface(x, y))


def trained(neurons: int, epochs: int = 1500, seed: int = 0) -> float:
    """The error of a network of one hidden layer that has learnt 200 points of the curve, between these too."""
    data = load_curve(200)
    generator = Generator(seed)
    with using(generator.spawn()):
        model = nn.Sequential(nn.Linear(1, neurons), nn.Tanh(), nn.Linear(neurons, 1))
        # Steps of every place and of several widths to begin with; the usual ones are all wide.
        model[0].weight.data = generator.normal((neurons, 1), std=30.0)
        model[0].bias.data = -model[0].weight.numpy()[:, 0] * generator.uniform((neurons,))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    schedule = optim.CosineAnnealingLR(optimizer, epochs)
    trainer = Trainer(model, nn.MSELoss(), optimizer, schedule=schedule)
    trainer.fit(DataLoader(data, batch_size=200), epochs)
    x = between()
    return error(model, x[:, None], curve(x))


def main(
    counts: Sequence[int] = (5, 10, 20, 40, 80, 160, 320),
    sides: Sequence[int] = (2, 4, 8, 16),
    widths: Sequence[int] = (2, 5, 10, 20, 40, 80),
    epochs: int = 3000,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Print and return the root mean squared errors of all three."""
    result: dict[str, list[float]] = {"bumps": [], "towers": [], "trained": []}
    print("a curve, by bumps set by hand\n  neurons   error")
    for count in counts:
        result["bumps"].append(by_hand(count))
        print(f"  {2 * count:7}  {result['bumps'][-1]:.5f}", flush=True)
    print("a surface, by towers set by hand\n  neurons   error")
    for side in sides:
        result["towers"].append(by_hand_in_the_plane(side))
        print(f"  {4 * side + side * side:7}  {result['towers'][-1]:.5f}", flush=True)
    print("the curve, by one hidden layer that is trained\n  neurons   error")
    for width in widths:
        result["trained"].append(trained(width, epochs, seed))
        print(f"  {width:7}  {result['trained'][-1]:.5f}", flush=True)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
