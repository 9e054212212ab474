"""Healthy trainings: the four subjects into which faults are injected, and variants in which none should be found."""

from typing import Any

from ...errors import choose
from ..schema import Recipe
from .variants import TEXT, variants

__all__ = ["SUBJECTS", "VARIANTS", "healthy"]

SUBJECTS: dict[str, dict[str, Any]] = {
    "mlp": {
        "data": {"name": "digits"},
        "split": {"validation": 0.2, "test": 0.2},
        "scale": {"name": "minmax", "per": "all"},
        "model": {"name": "mlp", "hidden": [64, 64]},
        "optimizer": {"name": "SGD", "lr": 0.03, "momentum": 0.9},
        "training": {"epochs": 20, "batch_size": 32},
    },
    "resnet": {
        "data": {"name": "digits", "as_images": True},
        "split": {"validation": 0.2, "test": 0.2},
        "scale": {"name": "standard", "per": "all"},
        "model": {"name": "resnet", "widths": [8, 16], "blocks": 1},
        "optimizer": {"name": "SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0005},
        "schedule": {"name": "CosineAnnealingLR", "T_max": 7},
        "training": {"epochs": 7, "batch_size": 32},
    },
    "lstm": {
        "data": {"name": "adding", "n_samples": 4000, "length": 16},
        "split": {"validation": 0.15, "test": 0.15},
        "model": {"name": "sequence-reader", "cell": "lstm", "hidden": 32},
        "loss": {"name": "mse"},
        "optimizer": {"name": "Adam", "lr": 0.01},
        "schedule": {"name": "StepLR", "step_size": 9, "gamma": 0.1},
        "training": {"epochs": 12, "batch_size": 64, "clip_grad_norm": 1.0},
    },
    "gpt": {
        "data": {"name": "text", "path": str(TEXT), "validation": 0.2},
        "model": {"name": "gpt", "width": 32, "layers": 2, "heads": 4},
        "optimizer": {"name": "AdamW", "lr": 0.005},
        "training": {"epochs": 6, "batch_size": 16, "context": 24, "batches": 50, "clip_grad_norm": 1.0},
    },
}
"""The recipes of the subjects: each trains in seconds on one core, without a download."""


VARIANTS: dict[str, dict[str, Any]] = variants()
"""More than a hundred recipes with other data, networks, optimisers and sizes."""


def healthy(name: str, seed: int = 0) -> Recipe:
    """The recipe of a subject or of a variant. Raises UserError for an unknown name, with the nearest."""
    table = choose("training", name, SUBJECTS | VARIANTS)
    return Recipe.model_validate({**table, "seed": seed})
