"""Floor 8: a training run as one TOML file, and what is made of it."""

from .build import LAYERS, MODELS, Parts, build, build_model
from .run import Prediction, evaluate_run, new_folder, open_run, predict_run, train_run
from .schema import Recipe, load_recipe, packaged

__all__ = [
    "LAYERS",
    "MODELS",
    "Parts",
    "Prediction",
    "Recipe",
    "build",
    "build_model",
    "evaluate_run",
    "load_recipe",
    "new_folder",
    "open_run",
    "packaged",
    "predict_run",
    "train_run",
]
