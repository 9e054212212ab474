"""DeepCrime's mutation operators, each on its subject: a convolutional network for MNIST.

Source: N. Humbatova, G. Jahangirova, P. Tonella, "DeepCrime: Mutation Testing of Deep Learning Systems Based on Real
Faults", ISSTA 2021 (dlfaults/deepcrime on GitHub: operators, their parameters, the subject). Here the digits stand for
MNIST, with a quarter of the width, and Adam for Adadelta. The repaired program is always the subject itself.
"""

from dataclasses import dataclass, field
from functools import partial

import numpy

from ichikara import asarray, nn, ops
from ichikara.data import Dataset
from ichikara.optim import SGD, Adam, clip_grad_value_

from .parts import CE, accuracy, digits, of_one_hot
from .program import Program, Run, step

__all__ = ["PROGRAMS", "UNMAPPED"]


@dataclass
class Subject:
    """The subject, of which an operator changes an attribute or two."""

    data: tuple[Dataset, Dataset] = field(default_factory=lambda: digits(images=True))
    hidden: type | None = nn.ReLU
    last: type | None = None
    dropout: float = 0.5
    loss: object = CE
    optimizer: object = partial(Adam, lr=0.002)
    epochs: int = 12
    batch_size: int = 32
    bias: bool = True
    step: object = step
    draws: numpy.random.Generator = field(default_factory=lambda: numpy.random.default_rng(0))
    start: object = None

    def run(self) -> Run:
        """The training."""
        train, test = self.data
        active = [self.hidden] if self.hidden else []
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, bias=self.bias),
            *(make() for make in active),
            nn.Conv2d(8, 16, 3, bias=self.bias),
            *(make() for make in active),
            nn.MaxPool2d(2),
            nn.Dropout(self.dropout / 2),
            nn.Flatten(),
            nn.Linear(64, 32, bias=self.bias),
            *(make() for make in active),
            nn.Dropout(self.dropout),
            nn.Linear(32, 10, bias=self.bias),
            *([self.last()] if self.last else []),
        )
        if self.start:
            for name, parameter in model.named_parameters():
                (self.start if name.endswith("weight") else nn.init.zeros_)(parameter)
        optimizer = self.optimizer(model.parameters())
        return Run(model, self.loss, optimizer, train, test, self.epochs, self.batch_size, accuracy, test, self.step)

    def replace_train(self, inputs, targets) -> None:
        """Other data for training."""
        train, test = self.data
        self.data = Dataset(inputs, targets, classes=train.classes), test


def change_label(subject):
    train = subject.data[0]
    chosen = subject.draws.random(len(train)) < 0.7
    subject.replace_train(train.inputs, numpy.where(chosen, subject.draws.integers(0, 10, len(train)), train.targets))


def delete_training_data(subject):
    train = subject.data[0]
    subject.replace_train(train.inputs[:60], train.targets[:60])


def unbalance_train_data(subject):
    train = subject.data[0]
    kept = (train.targets < 5) | (subject.draws.random(len(train)) < 0.03)
    subject.replace_train(train.inputs[kept], train.targets[kept])


def add_noise(subject):
    train = subject.data[0]
    subject.replace_train(train.inputs + subject.draws.normal(0, 1, train.inputs.shape), train.targets)


def make_output_classes_overlap(subject):
    train = subject.data[0]
    ones = train.inputs[train.targets == 1]
    subject.replace_train(
        numpy.concatenate([train.inputs, ones]), numpy.concatenate([train.targets, numpy.full(len(ones), 7)])
    )


def change_batch_size(subject):
    subject.batch_size = 512


def change_learning_rate(subject):
    subject.optimizer = partial(Adam, lr=0.00002)


def change_epochs(subject):
    subject.epochs = 1


def disable_batching(subject):
    subject.batch_size = len(subject.data[0])


def change_activation(subject):
    subject.hidden = nn.Sigmoid


def remove_activation(subject):
    subject.hidden = None


def add_activation(subject):
    subject.last = partial(nn.Softmax, -1)


def zero_weights(subject):
    subject.start = nn.init.zeros_


def one_weights(subject):
    subject.start = nn.init.ones_


def change_optimisation_function(subject):
    subject.optimizer = partial(SGD, lr=0.01)


def change_gradient_clip(subject):
    def clipped(run, inputs, targets):
        run.optimizer.zero_grad()
        loss = run.loss(run.model(asarray(inputs)), asarray(targets))
        loss.backward()
        clip_grad_value_(run.model.parameters(), 0.0001)
        run.optimizer.step()
        return loss.item()

    subject.optimizer = partial(SGD, lr=0.1, momentum=0.9)
    subject.step = clipped


def add_weights_regularisation(subject):
    subject.optimizer = partial(Adam, lr=0.002, weight_decay=0.1)


def change_dropout_rate(subject):
    subject.dropout = 0.95


def remove_bias(subject):
    subject.bias = False


def change_loss_function(subject):
    subject.last = partial(nn.Softmax, -1)
    subject.loss = of_one_hot(ops.l1_loss)


OPERATORS = {
    change_label: ("70% of the labels are drawn again", ("labels_differ", "wrong_labels")),
    delete_training_data: ("60 examples are left of 1,438", ("overfitting", "stopped_early")),
    unbalance_train_data: ("3% are left of each of five classes", ("imbalance",)),
    add_noise: ("noise of deviation 1 on the training inputs", ("validation_scale",)),
    make_output_classes_overlap: ("the ones are there again as sevens", ("labels_differ", "wrong_labels")),
    change_batch_size: ("batches of 512", ("rate_too_low", "stopped_early")),
    change_learning_rate: ("a hundredth of the rate", ("rate_too_low",)),
    change_epochs: ("1 epoch", ("stopped_early", "rate_too_low")),
    disable_batching: ("all examples in one batch", ("rate_too_low", "stopped_early")),
    change_activation: ("sigmoid for ReLU", ("vanishing_gradients", "saturated")),
    remove_activation: ("no activations", ("no_nonlinearity",)),
    add_activation: ("softmax before the loss", ("softmax_twice",)),
    zero_weights: ("weights start at 0", ("symmetric",)),
    one_weights: ("weights start at 1", ("symmetric", "bad_initialisation", "exploding_gradients")),
    change_optimisation_function: ("SGD at 0.01 for Adam", ("rate_too_low", "stopped_early")),
    change_gradient_clip: ("gradients clipped at 0.0001, SGD at 0.1", ("clipped_too_much", "rate_too_low")),
    add_weights_regularisation: ("a weight decay of 0.1", ("weight_decay_too_large",)),
    change_dropout_rate: ("dropout at 0.95", ("dropout_too_large",)),
    remove_bias: ("no biases", ()),
    change_loss_function: ("absolute error of softmax and one-hot", ()),
}
"""The operators in our parameters: what each does, and the right answers; none where the doctor has no name for it."""


def program(operator) -> Program:
    """An operator as a program."""

    def build(repaired: bool, seed: int) -> Run:
        subject = Subject(draws=numpy.random.default_rng(seed))
        if not repaired:
            operator(subject)
        return subject.run()

    about, causes = OPERATORS[operator]
    return Program(operator.__name__, about, "the subject itself", causes, build, twin="subject")


PROGRAMS = [program(operator) for operator in OPERATORS]

UNMAPPED = {
    "remove_validation_set": "changes no training; the doctor says that overfitting could not be judged",
    "change_earlystopping_patience": "ends a run earlier, as change_epochs does",
    "change_weights_regularisation, remove_weights_regularisation": "the subject has none",
    "add_bias": "the subject has biases everywhere",
}
"""The operators that are not here, and why."""
