"""Floor 8: recipes (a training run as one TOML file), and the runs that they give."""

from .build import Parts, build
from .folder import new_folder, open_run
from .folds import cross_validate_recipe, find_rate
from .generate import generate_text, sample_images, sample_run
from .models import LAYERS, MODELS, build_model
from .resume import continued_recipe
from .run import Prediction, evaluate_run, predict_run, train_run
from .schema import Recipe, load_recipe, packaged

__all__ = [
    "LAYERS",
    "MODELS",
    "Parts",
    "Prediction",
    "Recipe",
    "build",
    "build_model",
    "continued_recipe",
    "cross_validate_recipe",
    "evaluate_run",
    "find_rate",
    "generate_text",
    "load_recipe",
    "new_folder",
    "open_run",
    "packaged",
    "predict_run",
    "sample_images",
    "sample_run",
    "train_run",
]
