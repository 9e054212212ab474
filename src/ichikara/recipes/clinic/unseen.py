"""Faults that are written without knowledge of the doctor's rules, after these were frozen. Their score stands apart.

Each is declared as in `fault`, with the kind "unseen". Of the doctor, its author may look up the names of the findings,
which are the keys of `ichikara.glass.doctor.RULES`, and nothing else. A fault to which none of them fits accepts none,
and the best answer to it is that the cause is not known. The file stays as it was published; the page has its checksum.
"""

from dataclasses import replace
from typing import Any

import numpy

from ... import nn
from ...train.objective import Objective
from ..build import build_optimizer, build_schedule
from ..schema import Recipe
from .fault import after, fault, options

# --- the data and the loader ------------------------------------------------------------------------------------------


@fault("unseen", accepts="labels_differ wrong_labels", subjects="mlp resnet gpt")
def labels_numbered_by_appearance(training):
    """The classes are numbered in the order in which they appear, in the training and validation data separately."""

    def numbered(data):
        first = list(dict.fromkeys(data.targets.tolist()))
        order = first + [label for label in range(len(data.classes)) if label not in first]
        number = numpy.argsort(order)  # of each class
        inputs = number[data.inputs] if data.task == "text" else data.inputs
        return replace(data, inputs=inputs, targets=number[data.targets])

    def change():
        training.train, training.validation = numbered(training.train), numbered(training.validation)

    after(training, "load", change)


@fault("unseen", accepts="wrong_labels", subjects="mlp resnet lstm")
def inputs_mixed_without_targets(training):
    """Mix-up blends the inputs of two examples, and the target stays that of the first."""

    def mixed(inputs, generator):
        part = generator.uniform((len(inputs),)).reshape(-1, *[1] * (inputs.ndim - 1))
        return part * inputs + (1 - part) * inputs[generator.permutation(len(inputs))]

    after(training, "order", lambda: setattr(training.loader, "transform", mixed))


@fault("unseen", accepts="validation_scale unscaled", subjects="mlp resnet lstm")
def normalised_in_place(training):
    """Each epoch normalises the stored training data in place, and so does it again to what was normalised before."""
    epoch = training.epoch

    def normalise_first():
        inputs = training.train.inputs
        inputs -= 0.5
        inputs /= 0.5
        epoch()

    training.epoch = normalise_first


@fault("unseen", accepts="overfitting")
def same_batch_in_each_step(training):
    """The loop asks a new iterator with the same seed for its first batch, so every step gets the same examples."""

    def change():
        training.loader = [next(iter(training.loader))] * len(training.loader)

    after(training, "order", change)


@fault("unseen", accepts="recurrent_reach", subjects="lstm")
def padding_read_to_the_end(training):
    """Sequences are padded with zeros at their end, and the network answers after it has read the padding."""

    def padded(data):
        return replace(data, inputs=numpy.pad(data.inputs, ((0, 0), (0, 48), (0, 0))))

    def change():
        training.train, training.validation = padded(training.train), padded(training.validation)

    after(training, "load", change)


# --- the optimiser ----------------------------------------------------------------------------------------------------


@fault("unseen", accepts="", subjects="lstm gpt")
def optimizer_made_in_each_step(training):
    """The optimiser is made inside the loop, so it remembers nothing of the steps before."""
    after(training, "clear", lambda: training.optimizer.state.clear())


@fault("unseen", accepts="rate_too_low")
def schedule_counts_batches(training):
    """A schedule that lowers the rate by a tenth in each epoch is stepped after each batch."""
    schedule = {"name": "ExponentialLR", "gamma": 0.9, "every": "batch"}
    training.recipe = Recipe.model_validate({**training.recipe.model_dump(), "schedule": schedule})


@fault("unseen", accepts="rate_too_low frozen")
def rates_left_from_fine_tuning(training):
    """The optimiser has groups for fine-tuning: all layers but the last learn with a thousandth of the rate."""

    def optimise():
        *body, weight, bias = training.model.parameters()
        slow = {"params": body, "lr": options(training, "optimizer")["lr"] / 1000}
        training.optimizer = build_optimizer(training.recipe, [slow, {"params": [weight, bias]}])
        training.schedule = build_schedule(training.recipe, training.optimizer)

    training.optimise = optimise


@fault("unseen", accepts="")
def weights_in_bfloat16(training):
    """The weights are kept with the eight significant bits of bfloat16, so small changes of them are lost."""

    def rounded():
        for parameter in training.model.parameters():
            bits = parameter.numpy().view("uint32")
            bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000  # to the nearest, halves to even
            parameter.data = bits.astype("uint32").view("float32")

    after(training, "build", rounded)
    after(training, "update", rounded)


# --- the network, the loss and the evaluation -------------------------------------------------------------------------


@fault("unseen", accepts="random_evaluation outside_optimiser")
def layer_made_in_forward(training):
    """A linear layer is made inside the forward pass, so its weights are drawn again each time and never learnt."""

    def change():
        layer: Any = [part for part in training.model.modules() if isinstance(part, nn.Linear)][-1]
        layer.forward = lambda x: nn.Linear(layer.in_features, layer.out_features)(x)

    after(training, "build", change)


@fault("unseen", accepts="", subjects="mlp resnet gpt")
def class_0_taken_for_padding(training):
    """The loss ignores the label 0, which is a class here and not padding."""

    def change():
        loss = training.loss
        training.loss = Objective(loss.name, training.train, **{**loss.options, "ignore_index": 0})

    after(training, "build", change)


@fault("unseen", accepts="")
def averaged_weights_too_slow(training):
    """The evaluation takes moving averages of the weights that began with the first ones and hardly move."""
    averages: dict[Any, Any] = {}
    evaluate = training.evaluate

    def begin():
        averages.update((parameter, parameter.numpy().copy()) for parameter in training.model.parameters())

    def follow():
        for parameter, average in averages.items():
            averages[parameter] = 0.9999 * average + 0.0001 * parameter.numpy()

    def evaluate_averages(data):
        learnt = {parameter: parameter.numpy().copy() for parameter in averages}
        for parameter, average in averages.items():
            parameter.data = average
        loss = evaluate(data)
        for parameter, numbers in learnt.items():
            parameter.data = numbers
        return loss

    after(training, "build", begin)
    after(training, "update", follow)
    training.evaluate = evaluate_averages
