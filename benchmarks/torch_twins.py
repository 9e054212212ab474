"""Trainings of the clinic with network, loss and optimiser of PyTorch: same data, weights, order and fault."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

from ichikara.arrays import using
from ichikara.autodiff import raw
from ichikara.recipes.clinic.training import Training

__all__ = ["LOSSES", "Twin", "name_of_loss", "twin"]


def twin(module: Any) -> Any:
    """A module of ours as one of PyTorch's, with the same numbers."""
    import torch

    made = _twin(module)
    for (_, ours), theirs in zip(module.named_parameters(), made.parameters(), strict=True):
        with torch.no_grad():
            theirs.copy_(torch.as_tensor(numpy.array(raw(ours))))
        theirs.requires_grad_(ours.requires_grad)
    return made


def _twin(module: Any) -> Any:
    from torch import nn

    children = [_twin(child) for _, child in module.named_children()]
    made: dict[str, Callable[[], Any]] = {
        "Linear": lambda: nn.Linear(module.in_features, module.out_features, module.bias is not None),
        "BatchNorm1d": lambda: nn.BatchNorm1d(module.num_features, module.eps, module.momentum),
        "Dropout": lambda: nn.Dropout(module.p),
        "Softmax": lambda: nn.Softmax(module.dim),
        "ModuleList": lambda: nn.ModuleList(children),
        "Sequential": lambda: nn.Sequential(*children),
        "MLP": lambda: nn.Sequential(*children),
    }
    name = type(module).__name__
    if name in made:
        return made[name]()
    if name in ("Flatten", "Identity", "ReLU", "Sigmoid", "Tanh", "GELU", "ELU", "SiLU", "LeakyReLU", "Softplus"):
        return getattr(nn, name)()

    class Ported(nn.Module):  # one of the clinic's, whose forward is the same text for both
        forward = type(module).forward

    ported = Ported()
    for (child, _), theirs in zip(module.named_children(), children, strict=True):
        ported.add_module(child, theirs)
    for attribute, value in vars(module).items():
        if isinstance(value, int) and not attribute.startswith("_"):
            setattr(ported, attribute, value)
    return ported


def cross_entropy(output: Any, targets: Any, **options: Any) -> Any:
    """Of logits and class indices."""
    from torch.nn import functional

    return functional.cross_entropy(output, targets, **options)


def mse(output: Any, targets: Any) -> Any:
    """Of numbers, or of class indices, which become one-hot."""
    from torch.nn import functional

    if not targets.is_floating_point():
        targets = functional.one_hot(targets, output.shape[-1]).to(output.dtype)
    return functional.mse_loss(output, targets)


LOSSES = {"cross_entropy": cross_entropy, "mse": mse}
"""The losses of twins by their names in a recipe."""


def name_of_loss(recipe: Any) -> str:
    """The loss of a recipe."""
    return recipe.loss.name if recipe.loss else "cross_entropy"


class Twin(Training):
    """A training whose network, loss and optimiser are PyTorch's."""

    def prepare(self) -> None:
        """All that comes before the first step."""
        import torch

        super().prepare()
        torch.manual_seed(self.recipe.seed)
        ours, self.model = self.model, twin(self.model)
        self.loss = partial(
            LOSSES[name_of_loss(self.recipe)], **(self.recipe.loss.model_extra if self.recipe.loss else {})
        )
        names = {id(parameter): name for name, parameter in ours.named_parameters()}
        theirs = dict(self.model.named_parameters())
        groups = []
        kind = getattr(torch.optim, type(self.optimizer).__name__)
        known = kind([torch.zeros(1)], lr=0.1).defaults
        for group in self.optimizer.param_groups:
            given = {key: value for key, value in group.items() if key in known}
            groups.append(given | {"params": [theirs[names[id(p)]] for p in group["params"]]})
        self.optimizer, self.schedule = kind(groups), None

    def clip(self) -> None:
        """Gradients that are too long are shortened."""
        import torch

        if self.recipe.training.clip_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.training.clip_grad_norm)

    def step(self, inputs: numpy.ndarray, targets: numpy.ndarray) -> float:
        """One batch."""
        import torch

        self.clear()
        loss = self.compare(self.forward(torch.as_tensor(inputs)), torch.as_tensor(targets))
        self.backward(loss)
        self.clip()
        self.update()
        return loss.item()

    def evaluate(self, data: Any) -> float:
        """The mean loss on data."""
        import torch

        self.evaluating()
        with torch.no_grad():
            outputs = self.forward(torch.as_tensor(data.inputs))
            loss = self.compare(outputs, torch.as_tensor(data.targets)).item()
        self.model.train()
        return loss

    def objective_of(self, output: Any, targets: Any) -> Any:
        """The loss that is minimised, with what the loop does to it before the sweep."""
        swept = []

        class Probe:
            def __init__(self, loss):
                self.loss = loss

            def __neg__(self):
                return Probe(-self.loss)

            def __mul__(self, factor):
                return Probe(self.loss * factor)

            def backward(self):
                swept.append(self.loss)

        self.backward(Probe(self.compare(output, targets)))
        return swept[-1]

    def ready(self) -> "Twin":
        """Prepared, before the first step."""
        self._began = time.process_time()
        self.seconds = 120.0
        with numpy.errstate(all="ignore"), using(self.draws("dropout")):
            self.prepare()
        return self

    def run(self, steps: int | None = None) -> None:
        """Train, with so many steps at the most."""
        while len(self.history) < self.recipe.training.epochs and not self.diverged:
            self.epoch()
            if steps and len(self.losses) >= steps:
                return
