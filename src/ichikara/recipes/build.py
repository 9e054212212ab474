"""From a recipe to the parts of a training run: data, network, loss, optimiser, trainer."""

import inspect
import math
from dataclasses import dataclass, field
from typing import Any

import numpy

from .. import nn, ops, optim
from ..arrays import Generator
from ..autodiff import no_grad
from ..data import (
    Compose,
    CutOut,
    DataLoader,
    Dataset,
    Elastic,
    Flip,
    MinMaxScaler,
    MixUpLoader,
    Noise,
    Rotate,
    Scale,
    Shift,
    StandardScaler,
    TextLoader,
    load,
    split,
)
from ..data.registry import datasets
from ..errors import UserError, choose, listed, speaking
from ..train import (
    AdversarialTrainer,
    Adversaries,
    EarlyStopping,
    ExponentialMovingAverage,
    Objective,
    Optimizers,
    Trainer,
)
from ..train.objective import LOSSES, PLACES
from .memory import explained
from .models import GANS, MODELS, build_model, example_shape
from .schema import Recipe, options_of

__all__ = [
    "Parts",
    "assemble",
    "build",
    "build_loader",
    "build_objective",
    "build_optimizer",
    "build_scaler",
    "build_schedule",
    "load_parts",
]

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

AUGMENTATIONS = {a.__name__: a for a in (Rotate, Shift, Scale, Flip, Elastic, Noise, CutOut)}

# Settings of a training run that has one network and one loss.
_OF_ONE_LOSS = ("accumulate", "average", "mix_up", "clip_grad_norm", "clip_grad_value")

_SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler}


@dataclass
class Parts:
    """The parts of a training run, built from a recipe and ready to train."""

    recipe: Recipe
    train: Dataset
    validation: Dataset | None
    test: Dataset | None  # unscaled, for the vault
    scaler: Any
    objective: Objective
    model: nn.Module
    trainer: Trainer
    loader: Any
    watched: Any  # the validation data, or a loader of it, for the evaluation after each epoch
    stopper: EarlyStopping | None
    checksums: dict[str, Any] = field(default_factory=dict)  # of each part, how many examples, and their checksum
    baseline: dict[str, Any] | None = None  # the measures of the linear baseline, once it is fitted

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example as the network gets it."""
        return example_shape(self.recipe, self.train)


def load_parts(recipe: Recipe) -> tuple[Dataset, Dataset | None, Dataset | None]:
    """The training, validation and test data of a recipe, unscaled. A published test set stays whole."""
    loader = choose("data set", recipe.data.name, datasets)
    said = speaking({name: f"data.{name}" for name in inspect.signature(loader).parameters})
    with explained("data", recipe.data.options), said:
        loaded: Any = load(recipe.data.name, **options_of(loader, recipe.data.options, "data"))
    fields = getattr(loaded, "_fields", ())
    test = loaded.test if "test" in fields else None
    whole = loaded.train if fields else loaded
    if "validation" in fields:
        if recipe.split.test:
            raise UserError(
                f"split.test is {recipe.split.test}, and {recipe.data.name} has two parts, for training and validation"
            )
        return whole, loaded.validation, test
    if test is not None and recipe.split.test:
        raise UserError(f"split.test is {recipe.split.test}, and {recipe.data.name} is published with a test set")
    if not recipe.split.validation and not recipe.split.test:
        return whole, None, test
    settings = recipe.split.model_dump()
    with speaking({name: f"split.{name}" for name in settings}):
        parts = split(whole, **settings)
    return parts.train, parts.validation, test if test is not None else parts.test


def build(recipe: Recipe) -> Parts:
    """Build everything that a recipe names.

    Raises UserError for names, options and sizes that do not fit, with the key of the recipe.
    """
    loaded = load_parts(recipe)
    parts = assemble(recipe, *loaded)
    for name, data in zip(("train", "validation", "test"), loaded, strict=True):
        parts.checksums[name] = None if data is None else [len(data), data.checksum]  # before it is scaled
    return parts


def assemble(recipe: Recipe, train: Dataset, validation: Dataset | None, test: Dataset | None) -> Parts:
    """Build everything that a recipe names for data that is loaded already and not scaled; see `build`."""
    if train.task == "classification" and recipe.loss.name != "adversarial" and len(numpy.unique(train.targets)) == 1:
        only = (train.classes or ("one",))[int(train.targets.flat[0])]
        raise UserError(
            f"all {len(train)} training examples of {train.name} are of one class, {only!r}, so there is nothing to "
            "learn; is the column of the labels another one (data.target)?"
        )
    scaler = build_scaler(recipe)
    if scaler is not None:
        train = scaler.fit(train).transform(train)
        validation = None if validation is None else scaler.transform(validation)
    uses = "initialisation", "order", "dropout"
    initial, orders, masks = [Generator(recipe.seed).fold_in(use) for use in uses]
    objective: Any = None if recipe.loss.name == "adversarial" else build_objective(recipe, train)
    outputs = 0 if objective is None else objective.outputs
    whole = train.inputs.dtype.kind == "i"
    if recipe.model.name in MODELS and (recipe.model.name in GANS) != (objective is None):
        raise UserError(
            "the models gan and dcgan and the loss 'adversarial' belong together: set both model.name and loss.name"
        )
    batch = min(recipe.training.batch_size, len(train))
    loader = build_loader(recipe, train, orders)  # before the network, since a text may be shorter than a window
    model = build_model(recipe, example_shape(recipe, train), outputs, initial, whole, batch)
    if isinstance(model, Adversaries):
        return _adversarial_parts(recipe, train, test, scaler, objective, model, loader, masks)
    optimizer = build_optimizer(recipe, model.parameters())
    schedule = build_schedule(recipe, optimizer)
    stopper = None
    if recipe.early_stopping is not None:
        stopper = EarlyStopping(**recipe.early_stopping.model_dump())
        if validation is None and stopper.monitor.startswith("val_"):
            raise UserError(
                f"early_stopping.monitor is '{stopper.monitor}', and split.validation is 0: there is no validation data"
            )
    training = recipe.training
    trainer = Trainer(
        model,
        objective,
        optimizer,
        accumulate=training.accumulate,
        averaging=None if training.average is None else ExponentialMovingAverage(training.average),
        schedule=schedule,
        schedule_every=recipe.schedule.every if recipe.schedule else "epoch",
        callbacks=[stopper] if stopper else [],
        clip_grad_norm=training.clip_grad_norm,
        clip_grad_value=training.clip_grad_value,
        generator=masks,
        engine=training.engine,
    )
    _check_cycle(recipe, schedule, len(loader))
    watched: Any = validation
    if validation is not None and validation.task == "text":
        watched = TextLoader(validation, recipe.training.batch_size, recipe.training.context, shuffle=False)
    return Parts(recipe, train, validation, test, scaler, objective, model, trainer, loader, watched, stopper)


def _check_cycle(recipe: Recipe, schedule: Any, batches: int) -> None:
    """Refuse, before the training starts, a schedule that ends before the training does."""
    length = getattr(schedule, "total_steps", None)
    if recipe.schedule is None or length is None:
        return
    steps = recipe.training.epochs
    if recipe.schedule.every == "batch":
        steps *= math.ceil(batches / recipe.training.accumulate)
    if steps > length:
        raise UserError(
            f"schedule: {recipe.schedule.name} is made for {length} steps, and {recipe.training.epochs} epochs are "
            f"{steps}: set schedule.total_steps={steps}"
        )


def _adversarial_parts(recipe, train, test, scaler, objective, model, loader, masks) -> Parts:
    """The parts of a run that trains a GAN; it has no validation."""
    training, plain = recipe.training, type(recipe.training)(epochs=1)
    unused = [f"training.{name}" for name in _OF_ONE_LOSS if getattr(training, name) != getattr(plain, name)]
    unused += [name for name in ("schedule", "early_stopping") if getattr(recipe, name) is not None]
    if unused:
        raise UserError(f"a GAN is trained without {', '.join(unused)}; leave it out of the recipe")
    pair = [build_optimizer(recipe, part.parameters()) for part in (model.generator, model.discriminator)]
    lowest, highest = float(train.inputs.min()), float(train.inputs.max())
    if lowest < 0 or highest > 1:
        raise UserError(
            f"generated images have values from 0 to 1, and those of the data go from {lowest:g} to {highest:g}; "
            'scale them: scale.name = "minmax", scale.per = "all"'
        )
    options = options_of(_adversarial, recipe.loss.options, "loss")
    trainer = AdversarialTrainer(model, Optimizers(*pair), generator=masks, engine=training.engine, **options)
    return Parts(recipe, train, None, test, scaler, objective, model, trainer, loader, None, None)


def _adversarial(smooth: float = 0.9):
    """The options of the adversarial loss."""


def build_loader(recipe: Recipe, train: Dataset, orders: Generator) -> Any:
    """The training data in batches: examples in a new order each epoch, or windows of a text."""
    training = recipe.training
    if training.mix_up is not None and train.task != "classification":
        raise UserError(f"training.mix_up mixes classes, and {train.name} is a {train.task}")
    if train.task == "text":
        _augmentation(recipe, train)  # raises if the recipe asks for one
        return TextLoader(train, training.batch_size, training.context, training.batches, generator=orders)
    if training.batches is not None:
        raise UserError("training.batches says how many windows of a text make an epoch, and this data is no text")
    loader = DataLoader(
        train, training.batch_size, training.shuffle, generator=orders, transform=_augmentation(recipe, train)
    )
    return loader if training.mix_up is None else MixUpLoader(loader, training.mix_up)


def _augmentation(recipe: Recipe, train: Dataset) -> Compose | None:
    """The augmentation of each batch; None if the recipe has none."""
    if not recipe.augment:
        return None
    shape = train.inputs.shape[1:]
    side = math.isqrt(math.prod(shape))
    flat = len(shape) == 1 and side * side == shape[0]
    if train.inputs.dtype.kind != "f" or not (flat or len(shape) == 3):
        raise UserError(f"augment changes images, and {train.name} has examples of shape {shape}")
    steps = []
    for i, table in enumerate(recipe.augment):
        kind = choose(f"augment[{i}].name", table.name, AUGMENTATIONS)
        try:
            steps.append(kind(**options_of(kind, table.options, f"augment[{i}]")))
        except ValueError as error:
            raise UserError(f"augment[{i}]: {error}") from None
    return Compose(steps, shape=(side, side) if flat else None, background=float(train.inputs.min()))


def build_scaler(recipe: Recipe) -> Any:
    """The scaler of a recipe, not fitted yet; None if the recipe has none."""
    return None if recipe.scale.name == "none" else _SCALERS[recipe.scale.name](per=recipe.scale.per)


def build_optimizer(recipe: Recipe, parameters: Any) -> Any:
    """The optimiser of a recipe for these parameters."""
    return _made("optimizer", OPTIMIZERS, recipe.optimizer, parameters, leave_out=("params",))


def build_schedule(recipe: Recipe, optimizer: Any) -> Any:
    """The learning-rate schedule of a recipe; None if the recipe has none."""
    if recipe.schedule is None:
        return None
    return _made("schedule", SCHEDULES, recipe.schedule, optimizer, leave_out=("optimizer",))


def build_objective(recipe: Recipe, data: Dataset) -> Objective:
    """The loss of a recipe, for the task of the data."""
    loss, form = choose("loss", recipe.loss.name, LOSSES)
    if form == "indices" and data.task == "regression":
        raise UserError(_quantities(recipe, data))
    options = options_of(loss, recipe.loss.options, "loss", leave_out=("input", "target", "reduction"))
    objective = Objective(recipe.loss.name, data, **options)
    at = (1,) if data.task in PLACES else ()  # the loss is tried, with a network that gives zeros
    targets = numpy.zeros((2, *at), "int64") if at else data.targets[:2]
    try:
        with no_grad():
            objective(ops.zeros((len(targets), *at, objective.outputs)), ops.asarray(targets))
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f"loss: {error}") from None
    return objective


def _quantities(recipe: Recipe, data: Dataset) -> str:
    """Why a loss of classes does not fit these targets, and what may be meant instead."""
    of_numbers = ", ".join(
        name for name, (_, form) in LOSSES.items() if form == "numbers" and name not in ("bce", "perceptron")
    )
    ways = [f"to predict quantities, set loss.name to one of {of_numbers}"]
    if "task" in inspect.signature(datasets[recipe.data.name]).parameters:
        ways.insert(0, 'if they are classes, set data.task = "classification"')
    name = "the targets"
    if data.table is not None:
        name = f"the target, column '{data.table.target}',"
        others = listed([column.name for column in data.table.inputs], 6)
        ways.insert(1, f"to predict another column, name it by data.target ({others})")
    return (
        f"{recipe.loss.name} compares classes, and {name} of {data.name} "
        f"{'was' if data.table else 'were'} taken for quantities (from {data.targets.min():g} to "
        f"{data.targets.max():g}); {'; '.join(ways)}"
    )


def _made(key, registry, table, first, leave_out):
    """Make an optimiser or a schedule by its name and options. Errors name the recipe's key."""
    kind = choose(key, table.name, registry)
    options = options_of(kind, table.options, key, leave_out)
    try:
        return kind(first, **options)
    except (ValueError, TypeError) as error:
        raise UserError(f"{key}: {error}") from None
