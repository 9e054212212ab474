"""Faults of the training: rates, sizes, initial weights, and how long."""

import numpy

from ... import nn
from .fault import after, fault, options
from .training import Training


@fault("training", accepts="rate_too_high")
def rate_times_100(training: Training) -> None:
    """The learning rate is a hundred times too high."""
    options(training, "optimizer")["lr"] *= 100


@fault("training", accepts="rate_too_low")
def rate_by_1000(training: Training) -> None:
    """The learning rate is a thousandth of what it should be."""
    options(training, "optimizer")["lr"] /= 1000


@fault("training", accepts="rate_too_high momentum_too_large", subjects="mlp resnet")
def momentum_999(training: Training) -> None:
    """The momentum is 0.999, so that old gradients never fade."""
    options(training, "optimizer")["momentum"] = 0.999


@fault("training", accepts="clipped_too_much rate_too_low", subjects="mlp resnet")
def clip_too_small(training: Training) -> None:
    """Gradients are clipped to a norm of 0.0001."""
    training.recipe.training.clip_grad_norm = 0.0001


@fault("training", accepts="weight_decay_too_large")
def weight_decay_too_large(training: Training) -> None:
    """The weight decay is so large that it wins over the gradient."""
    kind, given = training.recipe.optimizer.name, options(training, "optimizer")
    given["weight_decay"] = 20.0 if kind == "AdamW" else 1.0


@fault("training", accepts="dropout_too_large", subjects="mlp resnet gpt")
def dropout_95(training: Training) -> None:
    """Dropout leaves one of twenty neurons."""
    options(training, "model")["dropout"] = 0.95


@fault("training", accepts="stopped_early rate_too_low")
def stopped_early(training: Training) -> None:
    """The training stops after a tenth of its epochs."""
    training.recipe.training.epochs = max(training.recipe.training.epochs // 10, 1)


@fault("training", accepts="overfitting")
def few_examples(training: Training) -> None:
    """There are 30 examples, or 300 characters, and as many steps as for all."""

    def cut() -> None:
        count = 300 if training.train.task == "text" else 30
        steps = training.recipe.training.batches or len(training.train) / training.recipe.training.batch_size
        training.train = training.train[:count]
        if training.train.task != "text":
            training.recipe.training.epochs = round(training.recipe.training.epochs * steps)
            training.recipe.schedule = None  # which counts epochs

    after(training, "load", cut)


@fault("training", accepts="vanishing_gradients saturated", subjects="mlp")
def twenty_sigmoids(training: Training) -> None:
    """The network has twenty layers of sigmoids."""
    options(training, "model").update(hidden=[64] * 20, activation="sigmoid")


@fault("training", accepts="recurrent_reach vanishing_gradients", subjects="lstm")
def plain_recurrence(training: Training) -> None:
    """A plain recurrent network reads sequences of length 100, over which its gradient vanishes."""
    options(training, "model")["cell"] = "rnn"
    options(training, "data").update(length=100, n_samples=2000)


@fault("training", accepts="exploding_gradients bad_initialisation", subjects="lstm")
def recurrent_weights_too_large(training: Training) -> None:
    """A plain recurrent network begins with weights that multiply its state by 1.5, and nothing clips."""
    options(training, "model")["cell"] = "rnn"
    options(training, "data").update(length=50, n_samples=2000)
    training.recipe.training.clip_grad_norm = None
    training.recipe.optimizer.name = "SGD"
    options(training, "optimizer")["lr"] = 0.05

    def enlarge() -> None:
        for name, parameter in training.model.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(parameter, gain=1.5)

    after(training, "build", enlarge)


def _multiply_weights(training: Training, factor: float) -> None:
    def multiply() -> None:
        for parameter in training.model.parameters():
            if parameter.ndim > 1:
                parameter.data = parameter.data * factor

    after(training, "build", multiply)


@fault("training", accepts="bad_initialisation exploding_gradients saturated")
def initial_weights_too_large(training: Training) -> None:
    """The initial weights are twenty times too large."""
    _multiply_weights(training, 20)


@fault("training", accepts="bad_initialisation vanishing_gradients")
def initial_weights_too_small(training: Training) -> None:
    """The initial weights are a hundredth of what they should be."""
    _multiply_weights(training, 0.01)


@fault("training", accepts="symmetric")
def initial_weights_equal(training: Training) -> None:
    """All weights begin with the same number."""

    def fill() -> None:
        for parameter in training.model.parameters():
            if parameter.ndim > 1:
                nn.init.constant_(parameter, 0.05)

    after(training, "build", fill)


@fault("training", accepts="dead_relu bad_initialisation", subjects="mlp resnet")
def dead_relus(training: Training) -> None:
    """The biases begin at -5, so that hardly a ReLU is ever active."""

    def lower() -> None:
        biases = [p for name, p in training.model.named_parameters() if name.endswith("bias")]
        for bias in biases[:-1]:
            nn.init.constant_(bias, -5.0)

    after(training, "build", lower)


@fault("training", accepts="attention_collapsed saturated bad_initialisation", subjects="gpt")
def attention_saturated(training: Training) -> None:
    """Queries and keys begin so large that each position looks at a single other one."""

    def enlarge() -> None:
        for name, parameter in training.model.named_parameters():
            if name.endswith("qkv.weight"):
                width = parameter.shape[1]
                factor = numpy.ones((3 * width, 1), "float32")
                factor[: 2 * width] = 100
                parameter.data = parameter.data * factor

    after(training, "build", enlarge)


@fault("training", accepts="batch_too_small_for_batch_norm", subjects="mlp")
def batch_norm_of_two(training: Training) -> None:
    """Batch normalisation with batches of two, in which every number becomes 1 or -1."""
    training.recipe.training.batch_size = 2
    training.recipe.training.epochs = 3

    def make_even() -> None:
        training.train = training.train[: len(training.train) // 2 * 2]

    def normalise() -> None:
        layers = []
        for layer in training.model:
            layers.append(layer)
            if isinstance(layer, nn.Linear) and len(layers) < 6:
                layers.append(nn.BatchNorm1d(layer.out_features))
        training.model = nn.Sequential(*layers)

    after(training, "load", make_even)
    after(training, "build", normalise)
