"""A second set of faults written without knowledge of the doctor's rules, after these were frozen a second time.

The terms are those of `unseen`, and its score stands apart from that of the first set, too. The faults are such as are
reported in questions, bug trackers and studies of faults in deep learning programs; the strength of each is the one in
which people make it, and was not fitted to anything. The file stays as it was published; the page has its checksum.

Sources: N. Humbatova et al., "Taxonomy of Real Faults in Deep Learning Systems" (2020), and "DeepCrime" (2021);
Y. Jiang et al., "Training with Confidence: Catching Silent Errors in Deep Learning Training" (2025).
"""

import copy
import itertools
from dataclasses import replace

import numpy

from ... import nn, ops
from .fault import after, fault, options

UNSEEN = "unseen_second"


# --- the data and the loader ------------------------------------------------------------------------------------------


@fault(UNSEEN, accepts="wrong_labels")
def target_lost_on_the_way(training):
    """One target of the training data is left out and its input is not, so each later input has the next target."""

    def change():
        data = training.train
        lost = len(data) // 4
        training.train = replace(data, inputs=data.inputs[:-1], targets=numpy.delete(data.targets, lost, axis=0))

    after(training, "load", change)


@fault(UNSEEN, accepts="validation_inputs", subjects="mlp resnet lstm")
def validation_columns_reversed(training):
    """The validation inputs come from another file, which has the columns in the reverse order."""

    def change():
        data = training.validation
        training.validation = replace(data, inputs=numpy.ascontiguousarray(data.inputs[..., ::-1]))

    after(training, "load", change)


@fault(UNSEEN, accepts="validation_inputs validation_scale unscaled", subjects="mlp resnet lstm")
def noise_meant_for_pixels(training):
    """Noise with a deviation of 25, meant for pixels from 0 to 255, is added to training inputs that are scaled."""

    def noisy(inputs, generator):
        return (inputs + 25 * generator.normal(inputs.shape)).astype("float32")

    after(training, "order", lambda: setattr(training.loader, "transform", noisy))


# --- the optimiser and the loop ---------------------------------------------------------------------------------------


@fault(UNSEEN, accepts="momentum_too_large", subjects="lstm gpt")
def betas_swapped(training):
    """Adam's two betas are swapped: the gradients are remembered by 0.999, their squares by 0.9."""
    options(training, "optimizer")["betas"] = [0.999, 0.9]


@fault(UNSEEN, accepts="no_update rate_too_low stopped_early")
def update_only_when_logging(training):
    """The optimiser's step stands in the block that prints the loss, which is run for each twentieth batch."""
    update, batches = training.update, itertools.count()

    def update_sometimes():
        if next(batches) % 20 == 0:
            update()

    training.update = update_sometimes


@fault(UNSEEN, accepts="")
def weights_clipped_as_in_a_gan(training):
    """A line from a Wasserstein GAN was left: after each step all weights are clipped to between -0.01 and 0.01."""

    def clip():
        for parameter in training.model.parameters():
            parameter.data = numpy.clip(parameter.numpy(), -0.01, 0.01)

    after(training, "update", clip)


@fault(UNSEEN, accepts="")
def penalty_subtracted(training):
    """The penalty on large weights, a hundredth of the sum of their squares, is subtracted and not added."""
    backward = training.backward

    def backward_with_penalty(loss):
        for parameter in training.model.parameters():
            loss = loss - 0.01 * (parameter * parameter).sum()
        backward(loss)

    training.backward = backward_with_penalty


@fault(UNSEEN, accepts="stopped_early")
def stopped_when_not_growing(training):
    """Early stopping takes the largest validation loss for the best: it stops, and brings the worst weights back."""
    epoch, planned = training.epoch, training.recipe.training.epochs
    worst, weights, waited = -numpy.inf, {}, 0

    def epoch_then_compare():
        nonlocal worst, weights, waited
        epoch()
        loss = training.history[-1]["val_loss"]
        if loss > worst:
            worst, weights, waited = loss, copy.deepcopy(dict(training.model.state_dict())), 0
            return
        waited += 1
        if waited == 2 and not training.diverged:
            training.model.load_state_dict(weights)
            training.recipe.training.epochs = len(training.history)

    training.epoch = epoch_then_compare
    after(training, "fit", lambda: setattr(training.recipe.training, "epochs", planned))  # the recipe is as it was


# --- the network and the loss -----------------------------------------------------------------------------------------


@fault(UNSEEN, accepts="recurrent_reach", subjects="lstm gpt")
def batch_taken_for_time(training):
    """A layer for sequences takes the first axis for the time, and it is the batch: it mixes the examples instead."""

    def swapped(attend):
        return lambda x: ops.permute_dims(attend(ops.permute_dims(x, (1, 0, 2))), (1, 0, 2))

    def change():
        if hasattr(training.model, "cell"):
            training.model.cell.batch_first = False
            return
        for block in training.model.blocks:
            block._attend = swapped(block._attend)

    after(training, "build", change)


@fault(UNSEEN, accepts="dropout_too_large")
def dropout_on_the_output(training):
    """Dropout of one half comes after the last layer, and so strikes the answers themselves."""

    def change():
        training.model = nn.Sequential(training.model, nn.Dropout(0.5))

    after(training, "build", change)


@fault(UNSEEN, accepts="no_softmax", subjects="mlp resnet gpt")
def likelihood_of_raw_scores(training):
    """The loss is for logarithms of probabilities, and the network gives scores: it has no log-softmax at its end."""

    def loss(output, targets):
        return -(output * ops.one_hot(targets, output.shape[-1], dtype=output.dtype)).sum(axis=-1).mean()

    after(training, "build", lambda: setattr(training, "loss", loss))


@fault(UNSEEN, accepts="", subjects="mlp resnet")
def running_statistics_stay(training):
    """The running statistics of batch normalisation are never updated: they stay at mean 0 and variance 1."""

    def change():
        if not any(isinstance(part, nn.BatchNorm2d) for part in training.model.modules()):  # the MLP has none
            layers = []
            for layer in training.model:
                hidden = isinstance(layer, nn.Linear) and layer is not training.model[-1]
                layers += [layer, nn.BatchNorm1d(layer.out_features)] if hidden else [layer]
            training.model = nn.Sequential(*layers)
        for part in training.model.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                part.momentum = 0.0

    after(training, "build", change)
