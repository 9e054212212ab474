"""Questions of Stack Overflow about programs in Keras, and their repairs: the benchmark of DeepFD.

Source: J. Cao et al., "DeepFD: Automated Fault Diagnosis and Localization for Deep Learning Programs", ICSE 2022
(ArabelaTso/DeepFD on GitHub, Benchmark-with-patches.xlsx: number, patch, true faults); the programs that it took from
M. Wardat et al., "DeepLocalize", ICSE 2021 (Wardat-ISU/DeepLocalize: networks, data, settings).

A softmax or sigmoid that Keras wants before a loss is part of the loss here, and left out; a wrong one stays.
"""

import numpy

from ichikara import nn
from ichikara.ops import binary_cross_entropy_with_logits
from ichikara.optim import SGD, Adam, RMSprop

from .parts import (
    BCE,
    CE,
    L1,
    MSE,
    above,
    accuracy,
    dense,
    digits,
    of_one_hot,
    r_squared,
    split,
    standard,
    start,
)
from .program import Program, Run, into

__all__ = ["PROGRAMS"]

PROGRAMS: list[Program] = []
program = into(PROGRAMS)

TOO_LOW = ("rate_too_low", "stopped_early")
WRONG_OUTPUT = ("softmax_axis", "softmax_twice", "no_gradient")
"""What names a softmax over a single number: it is always 1, and passes no gradient."""


def nesterov(model, lr, momentum=0.9):
    return SGD(model.parameters(), lr=lr, momentum=momentum, nesterov=True)


def adam(model, lr=1e-3):
    return Adam(model.parameters(), lr=lr)


@program(
    "48385830",
    wrong="no activations, squared error on one-hot targets, rate 3",
    repair="sigmoid in between, cross entropy, a lower rate",
    causes=("no_nonlinearity", "rate_too_high"),
    note="digits in place of MNIST; the rate of the repair is 0.3",
)
def nielsen(repaired, seed):
    train, test = digits()
    model = dense([64, 30, 10], nn.Sigmoid if repaired else None)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    loss, rate = (CE, 0.3) if repaired else (of_one_hot(MSE), 3.0)
    return Run(model, loss, SGD(model.parameters(), lr=rate), train, test, 15, 10, accuracy)


@program(
    "44164749",
    wrong="rate 0.01 and 5 epochs for batches of a thirtieth of the data",
    repair="rate 0.05, 10 epochs",
    causes=TOO_LOW,
    note="digits in place of MNIST, a tenth of the width",
)
def large_batches(repaired, seed):
    train, test = digits()
    model = dense([64, 500, 60, 10], nn.ReLU, dropout=0.1)
    return Run(model, CE, nesterov(model, 0.05 if repaired else 0.01), train, test, 10 if repaired else 5, 48, accuracy)


@program(
    "31556268",
    wrong="exclusive or by absolute error, rate 0.05, 1,000 epochs",
    repair="squared error, Adam, 50,000 epochs",
    causes=TOO_LOW,
    note="Adam's rate is 0.01 in the repair, and 3,000 epochs are enough",
)
def exclusive_or(repaired, seed):
    inputs, targets = numpy.array([[1, 1], [1, 0], [0, 0], [0, 1]]), numpy.array([[0.0], [1], [0], [1]])
    train, test = split(inputs, targets, None, 0)
    model = dense([2, 4, 1], nn.Sigmoid, nn.Sigmoid)
    optimizer = adam(model, 0.01) if repaired else nesterov(model, 0.05, 0.11)
    return Run(model, MSE if repaired else L1, optimizer, train, test, 3000 if repaired else 1000, 4, above(0.5))


@program(
    "50306988",
    wrong="two separable classes, two hidden sigmoids, Adam at 0.001 for 5 epochs of 7 steps",
    repair="rate 0.01, 10 epochs",
    causes=TOO_LOW,
    note="as published the repair still learns nothing; here it has 100 epochs",
)
def two_squares(repaired, seed):
    draws = numpy.random.default_rng(seed)
    inputs = numpy.concatenate([draws.uniform(0.2, 0.4, (125, 2)), draws.uniform(0.5, 0.7, (125, 2))])
    order = draws.permutation(250)
    train, test = split(inputs[order], numpy.repeat([0, 1], 125)[order], 2)
    model = dense([2, 2, 2], nn.Sigmoid)
    return Run(model, CE, adam(model, 0.01 if repaired else 0.001), train, test, 100 if repaired else 5, 32, accuracy)


@program(
    "48251943",
    wrong="a ReLU at the end of a regression whose targets are negative, too",
    repair="tanh at the end",
    causes=("dead_relu",),
    note="generated data; ten times the rows",
)
def relu_at_the_end(repaired, seed):
    draws = numpy.random.default_rng(seed)
    inputs = draws.normal(size=(500, 2))
    targets = numpy.tanh(inputs @ [[0.8], [-0.6]] - 0.2) + 0.05 * draws.normal(size=(500, 1))
    train, test = split(inputs, targets, None)
    model = dense([2, 4, 1], nn.ReLU, nn.Tanh if repaired else nn.ReLU)
    return Run(model, MSE, SGD(model.parameters(), lr=0.01), train, test, 50, 10, r_squared)


@program(
    "38648195",
    wrong="several labels at once, by a softmax and squared error",
    repair="sigmoid, binary cross entropy",
    causes=("softmax_twice",),
    also=("unscaled",),
    note="generated likewise, 3,000 examples of 60,000",
)
def several_labels(repaired, seed):
    draws = numpy.random.default_rng(seed)
    labels = draws.integers(0, 2, (3000, 3))
    rates = draws.gamma(1.0, 2.0, (3, 20))
    inputs = draws.poisson(labels @ rates + 0.5)
    train, test = split(inputs.astype("float32"), labels.astype("float32"), None)
    model = dense([20, 20, 20, 3], nn.ReLU, None if repaired else nn.Softmax, dropout=0.5)
    optimizer = SGD(model.parameters(), lr=0.01)
    loss = binary_cross_entropy_with_logits if repaired else MSE
    return Run(model, loss, optimizer, train, test, 20, 20, above(0.0 if repaired else 0.5))


@program(
    "33969059",
    wrong="a softmax over the single output of a regression",
    repair="no activation at the end; no repair helps, says the source",
    causes=WRONG_OUTPUT,
    also=("unscaled", "unscaled_targets"),
    note="5,000 examples of 100,000; the repair scales, too, and has no dropout",
)
def softmax_of_one(repaired, seed):
    draws = numpy.random.default_rng(seed)
    inputs = 10_000 * draws.random((5000, 3))
    targets = inputs @ [[2.0], [1.0], [0.5]] + 2.2
    if repaired:
        inputs, targets = standard(inputs), standard(targets)
    train, test = split(inputs, targets, None)
    model = start(
        dense([3, 3, 2, 1], nn.Tanh, None if repaired else nn.Softmax, dropout=0.0 if repaired else 0.5), "uniform"
    )
    return Run(model, MSE, nesterov(model, 0.1), train, test, 10, 32, r_squared)


@program(
    "55328966",
    wrong="pixels from 0 to 255, sigmoid before the cross entropy, none after the first layer, SGD at 0.0001",
    repair="pixels from 0 to 1, softmax, Adam",
    causes=("unscaled", "softmax_twice", "no_nonlinearity", "rate_too_low"),
    note="digits in place of MNIST",
)
def raw_pixels(repaired, seed):
    train, test = digits(scale=1 / 16 if repaired else 255 / 16)
    model = nn.Sequential(
        nn.Linear(64, 64), nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10), *([] if repaired else [nn.Sigmoid()])
    )
    optimizer = adam(model) if repaired else SGD(model.parameters(), lr=0.0001)
    return Run(model, CE, optimizer, train, test, 10, 32, accuracy)


@program(
    "34311586",
    wrong="exclusive or with a softmax over one output, rate 0.001, 20 epochs",
    repair="sigmoid, Adam, more epochs",
    causes=(*TOO_LOW, *WRONG_OUTPUT),
    note="the repair has the rate 0.05, 1,000 epochs, and eight hidden units, without which it mostly gets stuck",
)
def softmax_of_one_and_slow(repaired, seed):
    inputs = numpy.array([[1, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0]])
    train, test = split(inputs, numpy.array([[0.0], [0], [1], [1], [0], [0]]), None, 0)
    model = dense([2, 8, 1], nn.Sigmoid, nn.Sigmoid)
    if not repaired:
        model = start(dense([2, 2, 3, 1], nn.Sigmoid, nn.Softmax), "uniform")
    optimizer = adam(model, 0.05) if repaired else nesterov(model, 0.001)
    return Run(model, MSE, optimizer, train, test, 1000 if repaired else 20, 32, above(0.5))


@program(
    "31880720",
    wrong="a softmax over one output before the binary cross entropy",
    repair="sigmoid",
    causes=WRONG_OUTPUT,
    also=("leaking", "duplicate_columns", "both_sides"),
    note="2,000 rows of 20,000, all of them ones or zeros as published; batches of 20",
)
def ones_and_zeros(repaired, seed):
    inputs = numpy.concatenate([numpy.ones((1000, 128)), numpy.zeros((1000, 128))])
    labels = numpy.repeat([1, 0], 1000)
    order = numpy.random.default_rng(seed).permutation(2000)
    train, validation = split(inputs[order], labels[order], 2, 0.1)
    model = dense([128, 50, 50, 1], nn.ReLU, nn.Sigmoid if repaired else nn.Softmax, dropout=0.2)
    optimizer = RMSprop(model.parameters(), lr=0.001)
    return Run(model, BCE, optimizer, train, validation, 3, 20, above(0.5), validation)


@program(
    "39525358",
    wrong="inputs from 65 to 70, Adam at 0.001",
    repair="standardised inputs, rate 0.1",
    causes=("unscaled", "rate_too_low"),
    note="generated likewise: three codes, and whether they are sorted; rate 0.01 in the repair",
)
def letters(repaired, seed):
    inputs = numpy.random.default_rng(seed).integers(65, 71, (400, 3)).astype("float64")
    labels = ((numpy.diff(inputs, axis=1) >= 0).all(axis=1)).astype(int)
    train, test = split(standard(inputs) if repaired else inputs, labels, 2, 0.33)
    model = start(dense([3, 12, 3, 1], nn.ReLU, nn.Sigmoid), "uniform")
    return Run(model, BCE, adam(model, 0.01 if repaired else 0.001), train, test, 60, 10, above(0.5))


@program(
    "39217567",
    wrong="three layers of sigmoids, small weights, SGD at 0.01",
    repair="ReLU in between",
    causes=("vanishing_gradients", "bad_initialisation", "rate_too_low"),
    note="each bit's majority with its neighbours in place of a random permutation; the repair has Adam at 0.01, too",
)
def bits(repaired, seed):
    inputs = (numpy.arange(256)[:, None] >> numpy.arange(8) & 1).astype("float64")
    targets = (inputs + numpy.roll(inputs, 1, 1) + numpy.roll(inputs, -1, 1) >= 2).astype("float64")
    train, test = split(inputs, targets, None, 0)
    model = dense([8, 8, 8, 8], nn.ReLU if repaired else nn.Sigmoid, nn.Sigmoid)
    if not repaired:
        start(model, "normal")
    optimizer = adam(model, 0.01) if repaired else SGD(model.parameters(), lr=0.01)
    return Run(model, MSE, optimizer, train, test, 300, 50, above(0.5))


@program(
    "48934338",
    wrong="a parabola, unscaled, with SGD at 0.1",
    repair="rate 0.0001",
    causes=("rate_too_high",),
    also=("unscaled_targets",),
)
def parabola(repaired, seed):
    draws = numpy.random.default_rng(seed)
    x = numpy.arange(0, 5, 0.1)[:, None]
    order = draws.permutation(50)
    train, test = split(x[order], (5 * x**2 + draws.normal(size=(50, 1)) ** 3)[order], None)
    model = dense([1, 50, 30, 1], nn.ReLU)
    return Run(model, MSE, SGD(model.parameters(), lr=0.0001 if repaired else 0.1), train, test, 1000, 32, r_squared)


@program(
    "47724077",
    wrong="a census with columns from 1 to 1,000,000, unscaled",
    repair="standardised inputs, Adam at 0.01",
    causes=("mixed_units", "unscaled"),
    note="generated likewise: 14 columns with the scales of the published ones; 10 epochs",
)
def census(repaired, seed):
    draws = numpy.random.default_rng(seed)
    scales = numpy.array([14, 2, 100_000, 4, 3, 2, 4, 2, 1, 1, 7000, 400, 12, 8])
    inputs = draws.normal(size=(4000, 14))
    labels = (inputs[:, [0, 4, 10, 12]].sum(axis=1) + 0.5 * draws.normal(size=4000) > 1).astype(int)
    if not repaired:
        inputs = numpy.abs(inputs * scales + 2 * scales)
    train, test = split(inputs, labels, 2)
    model = dense([14, 21, 2], nn.ReLU)
    return Run(model, CE, adam(model, 0.01 if repaired else 0.001), train, test, 10, 100, accuracy)


@program(
    "59325381",
    wrong="the labels are divided by 255, so that all become class 0",
    repair="the labels stay what they are",
    causes=("imbalance", "wrong_labels"),
    note="digits in place of MNIST",
)
def divided_labels(repaired, seed):
    train, test = digits(images=True)
    if not repaired:
        train = type(train)(train.inputs, train.targets // 255, classes=train.classes)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 8, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    return Run(model, CE, adam(model), train, test, 8, 32, accuracy)
