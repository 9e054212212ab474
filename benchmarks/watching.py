"""What watching costs: a watched and an unwatched training of a recipe, step by step side by side.

python -m benchmarks.watching [RECIPE …] [--steps 300] [--rounds 3]

Both trainings see the same batches and take turns, so what else the machine does meets both. A step's time is the
shortest of all rounds, and the sum of these is compared. The figure holds for so many steps; for a run of the recipe's
own length it is computed from the mean cost of a watched step and how many of these there are.
"""

import argparse
import math
import time
from statistics import mean, median
from typing import Any

from ichikara.arrays import using
from ichikara.glass.sampling import is_watched
from ichikara.recipes import build, load_recipe

RECIPES = ("mnist-mlp", "mnist-lenet", "shakespeare-gpt", "adding-lstm")
WARM = 14  # steps that are left out of a round before it begins: these compile


def trainer_of(name: str, watched: bool) -> Any:
    """A recipe's trainer, and its loader."""
    parts = build(load_recipe(name))
    if not watched:
        parts.trainer.watching = None
    parts.model.train()
    return parts.trainer, parts.loader


def batches(loader: Any, count: int) -> list[Any]:
    """So many batches, from as many epochs as they need."""
    found: list[Any] = []
    while len(found) < count:
        found += [batch for batch, _ in zip(loader, range(count - len(found)), strict=False)]
    return found


def one_round(name: str, steps: int) -> list[list[float]]:
    """The seconds of each step, without and with watching."""
    pair = [trainer_of(name, watched) for watched in (False, True)]
    given = batches(pair[0][1], steps)
    seconds: list[list[float]] = [[], []]
    for number, (inputs, targets) in enumerate(given):
        for k in (0, 1) if number % 2 else (1, 0):
            trainer = pair[k][0]
            with using(trainer.generator):
                began = time.perf_counter()
                trainer.step(inputs, targets)
                seconds[k].append(time.perf_counter() - began)
    return seconds


def measure(name: str, steps: int, rounds: int) -> dict[str, float]:
    """The cost of watching a recipe's training."""
    one_round(name, WARM)
    found = [one_round(name, steps) for _ in range(rounds)]
    alone, watched = ([min(times) for times in zip(*(one[k] for one in found), strict=True)] for k in (0, 1))
    usual = median(alone)
    extra = [watched[i] - alone[i] for i in range(steps) if is_watched(i + 1)]
    own = length(name)
    return {
        "step, ms": 1000 * usual,
        "watched step, more ms": 1000 * mean(extra),
        "steps": steps,
        "overhead": sum(watched) / sum(alone) - 1,
        "median of rounds": median(sum(one[1]) / sum(one[0]) for one in found) - 1,
        "recipe's steps": own,
        "at the recipe's steps": mean(extra) * sum(map(is_watched, range(1, own + 1))) / (own * usual),
    }


def length(name: str) -> int:
    """How many steps the recipe's training has."""
    parts = build(load_recipe(name))
    training = parts.recipe.training
    return training.epochs * math.ceil(len(parts.loader) / training.accumulate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    for name in asked.recipes:
        found = measure(name, asked.steps, asked.rounds)
        print(name)
        for what, value in found.items():
            share = "overhead" in what or "median" in what or "at the" in what
            print(f"  {what:24} {value:.1%}" if share else f"  {what:24} {value:,.2f}".replace(".00", ""), flush=True)


if __name__ == "__main__":
    main()
