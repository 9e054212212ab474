"""From a recipe to the parts of a training run: data, network, loss, optimiser, trainer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import nn, ops, optim, zoo
from ..arrays import Generator, using
from ..autodiff import no_grad
from ..data import DataLoader, Dataset, MinMaxScaler, StandardScaler, load, split
from ..data.registry import datasets
from ..errors import UserError, choose
from ..train import EarlyStopping, Objective, Trainer
from ..train.objective import LOSSES
from .schema import Recipe, options_of

__all__ = [
    "LAYERS",
    "MODELS",
    "Parts",
    "build",
    "build_model",
    "build_objective",
    "build_scaler",
    "load_parts",
]

LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        nn.Linear,
        nn.Flatten,
        nn.Dropout,
        nn.Identity,
        nn.Sigmoid,
        nn.Tanh,
        nn.ReLU,
        nn.LeakyReLU,
        nn.ELU,
        nn.GELU,
        nn.SiLU,
        nn.Softplus,
        nn.Softmax,
        nn.LogSoftmax,
    )
}
"""The layers that a recipe may name; it can name no others."""

OPTIMIZERS = {o.__name__: o for o in (optim.SGD, optim.RMSprop, optim.Adagrad, optim.Adam, optim.AdamW)}

SCHEDULES = {
    s.__name__: s
    for s in (
        optim.StepLR,
        optim.MultiStepLR,
        optim.ExponentialLR,
        optim.CosineAnnealingLR,
        optim.OneCycleLR,
        optim.LinearLR,
        optim.ReduceLROnPlateau,
    )
}

_SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler}


@dataclass
class Parts:
    """What a recipe stands for, built: ready to train."""

    recipe: Recipe
    train: Dataset
    validation: Dataset | None
    test: Dataset | None  # as it is, unscaled: for the vault
    scaler: Any
    objective: Objective
    model: nn.Module
    trainer: Trainer
    loader: DataLoader
    stopper: EarlyStopping | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.train.inputs.shape[1:]


def load_parts(recipe: Recipe) -> tuple[Dataset, Dataset | None, Dataset | None]:
    """The training, validation and test data of a recipe, unscaled. A published test set is kept as it is."""
    loader = choose("data set", recipe.data.name, datasets)
    loaded: Any = load(recipe.data.name, **options_of(loader, recipe.data.options, "data"))
    fields = getattr(loaded, "_fields", ())
    test = loaded.test if "test" in fields else None
    whole = loaded.train if fields else loaded
    if "validation" in fields:
        return whole, loaded.validation, test
    if test is not None and recipe.split.test:
        raise UserError(f"split.test is {recipe.split.test}, and {recipe.data.name} is published with a test set")
    if not recipe.split.validation and not recipe.split.test:
        return whole, None, test
    parts = split(whole, recipe.split.validation, recipe.split.test, seed=recipe.split.seed)
    return parts.train, parts.validation, test if test is not None else parts.test


def build(recipe: Recipe) -> Parts:
    """Build everything that a recipe names.

    Raises UserError for names, options and sizes that do not fit, with the key of the recipe.
    """
    train, validation, test = load_parts(recipe)
    scaler = build_scaler(recipe)
    if scaler is not None:
        train = scaler.fit(train).transform(train)
        validation = None if validation is None else scaler.transform(validation)
    root = Generator(recipe.seed)
    initial, orders, masks = root.spawn(), root.spawn(), root.spawn()
    objective = build_objective(recipe, train)
    model = build_model(recipe, train.inputs.shape[1:], objective.outputs, initial)
    optimizer = _made("optimizer", OPTIMIZERS, recipe.optimizer, model.parameters(), leave_out=("params",))
    schedule = None
    if recipe.schedule is not None:
        schedule = _made("schedule", SCHEDULES, recipe.schedule, optimizer, leave_out=("optimizer",))
    stopper = None
    if recipe.early_stopping is not None:
        stopper = EarlyStopping(**recipe.early_stopping.model_dump())
        if validation is None and stopper.monitor.startswith("val_"):
            raise UserError(
                f"early_stopping.monitor is '{stopper.monitor}', and split.validation is 0: there is nothing to watch"
            )
    trainer = Trainer(
        model,
        objective,
        optimizer,
        schedule=schedule,
        schedule_every=recipe.schedule.every if recipe.schedule else "epoch",
        callbacks=[stopper] if stopper else [],
        clip_grad_norm=recipe.training.clip_grad_norm,
        clip_grad_value=recipe.training.clip_grad_value,
        generator=masks,
    )
    loader = DataLoader(train, recipe.training.batch_size, recipe.training.shuffle, generator=orders)
    return Parts(recipe, train, validation, test, scaler, objective, model, trainer, loader, stopper)


def build_scaler(recipe: Recipe) -> Any:
    """The scaler of a recipe, not fitted yet; None where the recipe scales nothing."""
    return None if recipe.scale.name == "none" else _SCALERS[recipe.scale.name](per=recipe.scale.per)


def build_objective(recipe: Recipe, data: Dataset) -> Objective:
    """The loss of a recipe, for the task of the data."""
    loss, _ = choose("loss", recipe.loss.name, LOSSES)
    options = options_of(loss, recipe.loss.options, "loss", leave_out=("input", "target", "reduction"))
    return Objective(recipe.loss.name, data, **options)


def build_model(recipe: Recipe, shape: tuple[int, ...], outputs: int, generator: Generator) -> nn.Module:
    """The network of a recipe, for examples of a shape, its weights drawn from the generator."""
    maker = choose("model", recipe.model.name, MODELS)
    with using(generator):
        model = maker(shape, outputs, recipe.model.options)
    with no_grad():
        try:
            result = model.eval()(ops.zeros((1, *shape)))
        except (ValueError, TypeError) as error:
            raise UserError(f"the model of the recipe cannot take inputs of shape {shape}: {error}") from None
    if result.shape != (1, outputs):
        raise UserError(f"the model gives {result.shape[1:]} for each example, and the task wants {outputs} numbers")
    model.train()
    return model


def _mlp(shape, outputs, options):
    options = options_of(zoo.MLP, options, "model", leave_out=("in_features", "out_features"))
    return zoo.MLP(math.prod(shape), outputs, **options)


def _perceptron(shape, outputs, options):
    options_of(zoo.Perceptron, options, "model", leave_out=("in_features", "generator"))
    return zoo.Perceptron(math.prod(shape))


def _sequential(shape, outputs, options):
    """Layers as the recipe lists them; a Linear's inputs, and the last one's outputs, need not be said."""
    layers = options_of(_layers, options, "model")["layers"]
    last = max((i for i, layer in enumerate(layers) if layer.get("type") == "Linear"), default=-1)
    model = nn.Sequential()
    x = ops.zeros((1, *shape))
    for i, layer in enumerate(layers):
        given = dict(layer)
        where = f"model.layers[{i}]"
        kind = choose(f"{where}.type", given.pop("type", None), LAYERS)
        if kind is nn.Linear:
            given.setdefault("in_features", x.shape[-1])
            if i == last:
                given.setdefault("out_features", outputs)
        made = kind(**options_of(kind, given, where, leave_out=("generator",)))
        with no_grad():
            try:
                x = made.eval()(x)
            except (ValueError, TypeError) as error:
                raise UserError(f"{where} cannot follow what is before it: {error}") from None
        model.append(made.train())
    return model


def _layers(layers: list[dict[str, Any]]):
    """The options of a sequential model."""


MODELS: dict[str, Callable] = {"mlp": _mlp, "perceptron": _perceptron, "sequential": _sequential}


def _made(key, registry, table, first, leave_out):
    """A part of the trainer by its name and options, with the recipe's key in its errors."""
    kind = choose(key, table.name, registry)
    options = options_of(kind, table.options, key, leave_out)
    try:
        return kind(first, **options)
    except (ValueError, TypeError) as error:
        raise UserError(f"{key}: {error}") from None
