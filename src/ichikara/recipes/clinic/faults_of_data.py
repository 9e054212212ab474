"""Faults of the data: scales, labels, order, and how it was split."""

from dataclasses import replace

import numpy

from ...arrays import Generator
from ...data import Dataset
from .fault import after, fault
from .training import Training


def _change_inputs(training: Training, change, parts=("train", "validation", "test")) -> None:
    """Change the inputs of parts of the data after they were scaled."""

    def apply() -> None:
        for part in parts:
            data = getattr(training, part)
            setattr(training, part, replace(data, inputs=change(data.inputs, data.targets)))

    after(training, "scale", apply)


def _change_training(training: Training, change) -> None:
    """Change the training data after it was loaded."""

    def apply() -> None:
        training.train = change(training.train)

    after(training, "load", apply)


def _joined(first: Dataset, second: Dataset) -> Dataset:
    return replace(
        first,
        inputs=numpy.concatenate([first.inputs, second.inputs]),
        targets=numpy.concatenate([first.targets, second.targets]),
    )


@fault("data", accepts="unscaled rate_too_high", subjects="mlp resnet lstm")
def inputs_times_255(training: Training) -> None:
    """All inputs are 255 times as large as they should be."""
    _change_inputs(training, lambda inputs, targets: inputs * 255)


@fault("data", accepts="unscaled", subjects="mlp resnet lstm")
def inputs_by_1000(training: Training) -> None:
    """All inputs are a thousandth of what they should be."""
    _change_inputs(training, lambda inputs, targets: inputs / 1000)


@fault("data", accepts="validation_scale", subjects="mlp resnet lstm")
def validation_times_16(training: Training) -> None:
    """The validation inputs are 16 times as large as the training inputs."""
    _change_inputs(training, lambda inputs, targets: inputs * 16, ["validation"])


@fault("data", accepts="mixed_units unscaled", subjects="mlp")
def mixed_units(training: Training) -> None:
    """Every other column is in units that make its numbers a thousand times as large."""
    factor = numpy.ones(64, "float32")
    factor[::2] = 1000
    _change_inputs(training, lambda inputs, targets: inputs * factor)


@fault("data", accepts="useless_column unscaled mixed_units", subjects="mlp")
def useless_column(training: Training) -> None:
    """A column is 1,000 in every row."""

    def change(inputs, targets):
        inputs = inputs.copy()
        inputs[:, 20] = 1000
        return inputs

    _change_inputs(training, change)


@fault("data", accepts="duplicate_columns", subjects="mlp")
def duplicate_columns(training: Training) -> None:
    """The right half of each image is a copy of its left half."""

    def change(inputs, targets):
        images = inputs.reshape(-1, 8, 8).copy()
        images[:, :, 4:] = images[:, :, :4]
        return images.reshape(inputs.shape)

    _change_inputs(training, change)


@fault("data", accepts="wrong_labels")
def shuffled_labels(training: Training) -> None:
    """The training labels stand in another order than the inputs."""
    order = lambda data: Generator(training.recipe.seed).fold_in("labels").permutation(len(data))
    _change_training(training, lambda data: replace(data, targets=data.targets[order(data)]))


@fault("data", accepts="labels_differ wrong_labels", subjects="mlp resnet")
def labels_off_by_one(training: Training) -> None:
    """The classes of the training data are counted from 1, those of the validation data from 0."""
    _change_training(training, lambda data: replace(data, targets=(data.targets + 1) % len(data.classes)))


@fault("data", accepts="sorted_batches", subjects="mlp resnet lstm")
def sorted_batches(training: Training) -> None:
    """The training data is sorted by its targets, and not shuffled."""
    training.recipe.training.shuffle = False
    _change_training(training, lambda data: data[numpy.argsort(data.targets.reshape(-1), kind="stable")])


@fault("data", accepts="imbalance", subjects="mlp resnet")
def imbalance(training: Training) -> None:
    """Nearly all training examples are of one class; of each other class there are three."""

    def thin(data: Dataset) -> Dataset:
        kept = [numpy.flatnonzero(data.targets == k)[: None if k == 0 else 3] for k in range(10)]
        training.recipe.training.epochs *= 5
        training.recipe.schedule = None  # which counts epochs
        return data[numpy.concatenate(kept)]

    _change_training(training, thin)


@fault("data", accepts="both_sides")
def rows_on_both_sides(training: Training) -> None:
    """The validation rows are in the training data, too."""
    _change_training(training, lambda data: _joined(data, training.validation))


@fault("data", accepts="leaking", subjects="mlp lstm")
def label_among_the_inputs(training: Training) -> None:
    """Inputs of the training and validation data tell the answer, which later inputs will not have."""

    def change(inputs, targets):
        inputs = inputs.copy()
        if inputs.ndim == 2:
            inputs[:, :10] = numpy.eye(10, dtype="float32")[targets]
        else:
            inputs[:, -1, 1] = targets[:, 0]
        return inputs

    _change_inputs(training, change, ["train", "validation"])


@fault("data", accepts="leaking", subjects="gpt")
def target_is_input(training: Training) -> None:
    """The network is to predict the character that it is given, not the next one."""

    def apply() -> None:
        training.train = replace(training.train, targets=training.train.inputs)
        training.validation = replace(training.validation, targets=training.validation.inputs)

    after(training, "load", apply)
