"""Initial weights, after ゼロから作る Deep Learning, chapter 6: activations by layer, and the fall of the loss.

Five layers with ReLU are trained from normal weights of deviation 0.01, from Xavier's and from He's. From 0.01 the
signal dies out on its way and the loss stays at ln 10 = 2.30, that of a guess; Xavier's descends, He's faster. With
sigmoids and a deviation of 1 most activations are near 0 or 1, where the gradient vanishes. Run it with:

    python examples/initialisation.py

Source: 斎藤康毅, ゼロから作る Deep Learning (2016), section 6.2; X. Glorot and Y. Bengio (2010); K. He et al. (2015).
"""

import argparse

import numpy

import ichikara
from ichikara import nn, optim, zoo
from ichikara.arrays import Generator, using
from ichikara.data import DataLoader, MinMaxScaler, load_digits, load_mnist

STARTS = {"std 0.01": ("normal", {"std": 0.01}), "Xavier": ("xavier", {}), "He": ("he", {})}
ACTIVATIONS = {
    "std 1": ("normal", {"std": 1.0}),
    "std 0.01": ("normal", {"std": 0.01}),
    "Xavier": ("xavier", {}),
}


def activations(start: str, activation: str = "sigmoid", layers: int = 5, width: int = 100, seed: int = 0):
    """The activations of each layer for normal inputs, by the name of an initialisation: arrays (1000, width)."""
    name, options = ACTIVATIONS[start]
    generator = Generator(seed)
    model = zoo.MLP(width, width, [width] * (layers - 1), activation, output=activation)
    nn.init.initialise(model, name, generator=generator, **options)
    x, outputs = ichikara.asarray(generator.normal((1000, width))), []
    with ichikara.no_grad():
        for layer in model:
            x = layer(x)
            if isinstance(layer, zoo.ACTIVATIONS[activation]):
                outputs.append(x.numpy())
    return outputs


def losses(start: str, data, steps: int = 2000, lr: float = 0.01, seed: int = 0) -> list[float]:
    """The loss of each step of gradient descent, by the name of an initialisation."""
    name, options = STARTS[start]
    generator = Generator(seed)
    with using(generator.spawn()):
        model = zoo.MLP(data.inputs[0].size, 10, [100] * 4, "relu")
        nn.init.initialise(model, name, **options)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loader = DataLoader(data, batch_size=128, shuffle=True, drop_last=True, generator=generator.spawn())
    history: list[float] = []
    while len(history) < steps:
        for images, labels in loader:
            optimizer.zero_grad()
            loss = ichikara.cross_entropy(model(images), ichikara.asarray(labels))
            loss.backward()
            optimizer.step()
            history.append(loss.item())
    return history[:steps]


def main(steps: int = 2000, mnist: bool = False, seed: int = 0) -> dict[str, list[float]]:
    """Print both tables, and return the losses by start."""
    print("sigmoid, five layers of 100: deviation of each layer's activations (part below 0.05 or above 0.95)")
    for start in ACTIVATIONS:
        outputs = activations(start, seed=seed)
        cells = (f"{y.std():.3f} ({((y < 0.05) | (y > 0.95)).mean():4.0%})" for y in outputs)
        print(f"  {start:9}", "  ".join(cells))
    data = load_mnist(as_images=False).train if mnist else load_digits()
    data = MinMaxScaler(per="all").fit(data).transform(data)
    print(f"\nReLU, five layers, {data.name}, SGD 0.01: mean loss of 50 steps; ln 10 = {numpy.log(10):.4f}")
    marks = [round(steps * part) for part in (0.1, 0.25, 0.5, 1.0)]
    print(f"  {'step':9}", "  ".join(f"{mark:6}" for mark in marks))
    result = {}
    for start in STARTS:
        result[start] = losses(start, data, steps, seed=seed)
        means = (numpy.mean(result[start][max(mark - 50, 0) : mark]) for mark in marks)
        print(f"  {start:9}", "  ".join(f"{mean:6.4f}" for mean in means), flush=True)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--mnist", action="store_true", help="MNIST, as in the book, in place of scikit-learn's digits")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
