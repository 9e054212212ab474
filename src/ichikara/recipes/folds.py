"""Cross-validation and the learning-rate finder, of a recipe."""

from functools import partial
from pathlib import Path

from ..data import Dataset
from ..errors import UserError, speaking
from ..plot import fold_scores, learning_rate_curve
from ..train import CrossValidation, LearningRates, cross_validate, find_learning_rate
from .build import assemble, build, load_parts
from .schema import Recipe

__all__ = ["cross_validate_recipe", "find_rate"]


def cross_validate_recipe(
    recipe: Recipe, folds: int = 5, jobs: int = 1, picture: Path | None = None
) -> CrossValidation:
    """Train a recipe on each fold of its training and validation data; the test set stays in the vault.

    Arguments: ``folds``, how many; ``jobs``, how many are trained in parallel; ``picture``, where a plot by fold is
    written.

    Raises UserError for a text or a GAN, which have no folds, and for what `cross_validate` refuses.
    """
    if recipe.loss.name == "adversarial":
        raise UserError("a GAN has no validation loss, so there is nothing to cross-validate")
    data = _whole(recipe)
    with speaking({"seed": "split.seed"}):
        result = cross_validate(partial(_train_fold, recipe), data, folds, seed=recipe.split.seed, n_jobs=jobs)
    if picture is not None:
        fold_scores(result, recipe.title or recipe.data.name).savefig(picture, dpi=144)
    return result


def _whole(recipe: Recipe) -> Dataset:
    """The recipe's data without its test set, unscaled and in one piece."""
    undivided = recipe.model_copy(update={"split": recipe.split.model_copy(update={"validation": 0.0})})
    train, validation, _ = load_parts(undivided)
    if validation is not None or train.task == "text":
        raise UserError(f"{train.name} is split in order, not at random, so it has no folds")
    return train


def _train_fold(recipe: Recipe, train: Dataset, validation: Dataset) -> dict[str, float]:
    parts = assemble(recipe, train, validation, None)  # which fits the scaler on this fold's training part
    parts.trainer.fit(parts.loader, recipe.training.epochs, parts.watched)
    return {f"val_{name}": value for name, value in parts.trainer.evaluate(parts.watched).items()}


def find_rate(recipe: Recipe, picture: Path | None = None) -> LearningRates:
    """Try rising learning rates on a recipe for some steps; see `find_learning_rate`.

    Arguments: ``picture``, where the curve is written.
    """
    parts = build(recipe)
    if parts.objective is None:
        raise UserError("a GAN has two losses, and the learning-rate finder needs a single one")
    found = find_learning_rate(parts.trainer, parts.loader)
    if picture is not None:
        learning_rate_curve(found, recipe.title or recipe.data.name).savefig(picture, dpi=144)
    return found
