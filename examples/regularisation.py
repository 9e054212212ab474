"""Overfitting of 300 images: weight decay and dropout reduce the gap to new images.

After ゼロから作る Deep Learning, chapter 6. With too many weights for its data a network knows every training image,
and new ones less well. With a penalty on large weights, or with neurons disabled at random, it no longer knows the
training images by heart, and does nearly as well, or better, on new ones. Run it with:

    python examples/regularisation.py

Source: 斎藤康毅, ゼロから作る Deep Learning (2016), section 6.4; N. Srivastava et al., "Dropout" (2014).
"""

import argparse
from statistics import fmean
from typing import Any

from ichikara import nn, optim, zoo
from ichikara.arrays import Generator, using
from ichikara.data import DataLoader, MinMaxScaler, load_digits, load_mnist
from ichikara.train import Objective, Trainer

# Two layers for images of 8×8 pixels; for MNIST the book's network and its rates.
DIGITS: dict[str, Any] = {"layers": 2, "lr": 0.1, "decay": 0.05, "dropout": 0.5, "epochs": 150}
MNIST: dict[str, Any] = {"layers": 6, "lr": 0.01, "decay": 0.1, "dropout": 0.2, "epochs": 300}


def train(train_part, new_part, layers, lr, decay, dropout, epochs, seed) -> dict[str, float]:
    """Loss and accuracy on the images that were learnt from, and on new ones."""
    generator = Generator(seed)
    with using(generator.spawn()):
        model = zoo.MLP(train_part.inputs[0].size, 10, [100] * layers, "relu", dropout)
        nn.init.initialise(model, "he")
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    optimizer = optim.SGD([{"params": weights, "weight_decay": decay}, {"params": biases}], lr=lr)
    trainer = Trainer(model, Objective("cross_entropy", train_part), optimizer, generator=generator.spawn())
    trainer.fit(DataLoader(train_part, 100, shuffle=True, generator=generator.spawn()), epochs)
    known, new = trainer.evaluate(train_part), trainer.evaluate(new_part)  # without dropout
    return {"train": known["accuracy"], "new": new["accuracy"], "train_loss": known["loss"], "new_loss": new["loss"]}


def main(epochs: int | None = None, mnist: bool = False, seeds: int = 3) -> dict[str, dict[str, float]]:
    """Print and return what a plain network, one with weight decay and one with dropout reach, as means over seeds."""
    settings = dict(MNIST if mnist else DIGITS)
    settings["epochs"] = epochs or settings["epochs"]
    data = load_mnist(as_images=False).train if mnist else load_digits()
    data = MinMaxScaler(per="all").fit(data).transform(data)
    print(
        f"300 images of {data.name}, {settings['layers']} hidden layers of 100, {settings['epochs']} epochs, ", end=""
    )
    print(f"means of {seeds} runs")
    print(f"  {'':24} {'training':>8}  {'new':>6}  {'gap':>6}   {'loss':>6}  {'new':>6}  {'gap':>6}")
    result = {}
    for name, decay, dropout in (
        ("plain", 0.0, 0.0),
        ("weight decay", settings["decay"], 0.0),
        ("dropout", 0.0, settings["dropout"]),
    ):
        rows = []
        for seed in range(seeds):
            order = Generator(seed).permutation(len(data))
            parts = data[order[:300]], data[order[300:1300]]
            rows.append(train(*parts, **(settings | {"decay": decay, "dropout": dropout}), seed=seed))
        row = result[name] = {measure: fmean(each[measure] for each in rows) for measure in rows[0]}
        label = name + (f" {decay or dropout:g}" if decay or dropout else "")
        print(
            f"  {label:24} {row['train']:8.1%}  {row['new']:6.1%}  {row['train'] - row['new']:6.1%}   "
            f"{row['train_loss']:6.3f}  {row['new_loss']:6.3f}  {row['new_loss'] - row['train_loss']:6.3f}",
            flush=True,
        )
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--mnist", action="store_true", help="MNIST, as in the book, in place of scikit-learn's digits")
    parser.add_argument("--seeds", type=int, default=3, help="how many runs the means are of (default 3)")
    main(**vars(parser.parse_args()))
