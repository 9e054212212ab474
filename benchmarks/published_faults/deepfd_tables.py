"""DeepFD's programs on tables of measurements. Source: see `deepfd`."""

import numpy

from ichikara import nn
from ichikara.optim import SGD, RMSprop

from .deepfd import TOO_LOW, WRONG_OUTPUT, adam, nesterov
from .parts import (
    BCE,
    BCE_OF_LOGITS,
    CE,
    L1,
    MSE,
    above,
    accuracy,
    dense,
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


def iris(seed: int, scaled: bool):
    """Three clusters with the means and deviations of the four measurements of Fisher's irises."""
    draws = numpy.random.default_rng(seed)
    means = numpy.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    deviations = numpy.array([[0.35, 0.38, 0.17, 0.11], [0.52, 0.31, 0.47, 0.20], [0.64, 0.32, 0.55, 0.27]])
    labels = draws.permutation(numpy.repeat(range(3), 50))
    inputs = means[labels] + deviations[labels] * draws.normal(size=(150, 4))
    return split(standard(inputs) if scaled else inputs, labels, 3)


@program(
    "59278771",
    wrong="irises, unscaled, small weights, a sigmoid before the cross entropy",
    repair="standardised inputs, SELU, softmax, SGD",
    causes=("softmax_twice", "unscaled"),
    note="generated with the irises' means and deviations; ELU for SELU, SGD with momentum in the repair",
)
def irises(repaired, seed):
    train, test = iris(seed, repaired)
    model = start(dense([4, 4, 3], nn.ELU if repaired else nn.ReLU, None if repaired else nn.Sigmoid), "normal")
    return Run(model, CE, nesterov(model, 0.01) if repaired else adam(model), train, test, 200, 5, accuracy)


@program(
    "52800582",
    wrong="x⁴ for x from -100 to 100, nothing scaled",
    repair="inputs and targets standardised",
    causes=("unscaled", "unscaled_targets"),
)
def fourth_power(repaired, seed):
    x = numpy.random.default_rng(seed).permutation(numpy.arange(-100, 100, 0.5))[:, None]
    inputs, targets = (standard(x), standard(x**4)) if repaired else (x, x**4)
    train, test = split(inputs, targets, None)
    model = nn.Sequential(nn.Linear(1, 50), nn.Sigmoid(), nn.Linear(50, 50), nn.ELU(), nn.Linear(50, 1))
    return Run(model, MSE, adam(model), train, test, 1000, 400, r_squared)


@program(
    "34673164",
    wrong="tweets' numbers from 1 to 600,000, unscaled, softmax with squared error, SGD at 0.1",
    repair="batch normalisation, sigmoid with binary cross entropy",
    causes=("unscaled", "mixed_units", "saturated", "rate_too_high"),
    note="generated with the scales of the published 16 columns, 200 rows of 13; a rate of 0.01 in the repair",
)
def tweets(repaired, seed):
    draws = numpy.random.default_rng(seed)
    scales = numpy.array([2e5, 37, 37, 15, 15, 15, 1e4, 5e3, 2.5, 53, 18, 22, 7e4, 0.3, 0.3, 0.5])
    rows = draws.normal(size=(200, 16))
    labels = (rows[:, 2] + rows[:, 9] - rows[:, 14] > 0).astype(int)
    train, test = split(scales * (1 + 0.4 * rows), labels, 2)
    model = start(dense([16, 64, 64, 2], nn.Tanh, None if repaired else nn.Softmax, dropout=0.5), "uniform")
    if repaired:
        model = nn.Sequential(nn.BatchNorm1d(16), *model)
    optimizer = nesterov(model, 0.01 if repaired else 0.1)
    return Run(model, CE if repaired else of_one_hot(MSE), optimizer, train, test, 20, 16, accuracy)


@program(
    "48221692",
    wrong="a sigmoid at the end of a regression whose targets go to 100",
    repair="no activation at the end",
    causes=("saturated", "unscaled_targets", "vanishing_gradients"),
    note="generated: a parabola from 3 to 103; Adam at 0.1 in the repair",
)
def sigmoid_at_the_end(repaired, seed):
    draws = numpy.random.default_rng(seed)
    x = draws.permutation(numpy.arange(-10, 10, 0.1))[:, None]
    train, test = split(x, x**2 + 3, None, 0.25)
    model = dense([1, 5, 1], nn.Sigmoid, None if repaired else nn.Sigmoid)
    optimizer = adam(model, 0.1) if repaired else SGD(model.parameters(), lr=0.01)
    return Run(model, MSE, optimizer, train, test, 2500 if repaired else 1000, 150, r_squared)


@program(
    "45337371",
    wrong="a softmax over one output before the binary cross entropy",
    repair="sigmoid",
    causes=WRONG_OUTPUT,
    note="labels that depend on the inputs, in place of random numbers",
)
def softmax_of_one_again(repaired, seed):
    inputs = numpy.random.default_rng(seed).uniform(size=(1000, 5))
    train, test = split(inputs, (inputs @ [1, 1, -1, 1, -1] > 0.5).astype(int), 2)
    model = dense([5, 60, 50, 1], nn.ReLU, nn.Sigmoid if repaired else nn.Softmax)
    return Run(model, BCE, adam(model), train, test, 10, 10, above(0.5))


@program(
    "44066044",
    wrong="network addresses of 3,232,235,778 and other numbers, unscaled",
    repair="standardised inputs",
    causes=("unscaled", "mixed_units"),
    also=("useless_column", "dead_relu"),
    note="generated likewise; addresses less their common part; the ReLU before the binary cross entropy is a sigmoid",
)
def packets(repaired, seed):
    draws = numpy.random.default_rng(seed)
    scales = numpy.array([2e7, 2e7, 10, 100, 5e5, 6e4, 10, 60, 6, 10, 200])
    rows = draws.random((400, 11))
    inputs = numpy.floor(scales * rows)
    train, test = split(standard(inputs) if repaired else inputs, (rows[:, 5] + rows[:, 10] > 1).astype(int), 2)
    model = start(dense([11, 12, 12, 1], nn.ReLU, nn.Sigmoid), "normal")
    return Run(model, BCE, adam(model), train, test, 60, 5, above(0.5))


@program(
    "45442843",
    wrong="one column near 20,000, a softmax over one output, absolute error",
    repair="squared error, Adam",
    causes=WRONG_OUTPUT,
    also=("unscaled",),
    note="generated; the repair as published changes nothing, so it has a sigmoid and scaled inputs, too",
)
def one_column(repaired, seed):
    draws = numpy.random.default_rng(seed)
    values = draws.normal(20_000, 4000, (600, 1))
    labels = (values[:, 0] > 20_000).astype("float32")[:, None]
    train, validation = split(standard(values) if repaired else values, labels, None)
    model = dense([1, 1, 1], nn.Sigmoid, nn.Sigmoid if repaired else nn.Softmax)
    optimizer = adam(model, 0.01) if repaired else RMSprop(model.parameters(), lr=0.001)
    return Run(model, MSE if repaired else L1, optimizer, train, validation, 100, 20, above(0.5), validation)


@program(
    "31627380",
    wrong="the passengers of the Titanic with tickets to 900 and fares to 500, Adam",
    repair="sigmoid, SGD",
    causes=(),
    also=("unscaled", "mixed_units"),
    note="generated with the scales of the published ten columns; the repair is scaled, too",
)
def titanic(repaired, seed):
    draws = numpy.random.default_rng(seed)
    rows = draws.normal(size=(890, 10))
    scales = numpy.array([1, 400, 1, 14, 1, 1, 300, 50, 80, 1])
    labels = (rows[:, [0, 2, 7]].sum(axis=1) + draws.normal(size=890) > 0.5).astype(int)
    train, validation = split(rows if repaired else numpy.abs(scales * (1.5 + rows)), labels, 2)
    model = dense([10, 512, 2], nn.ReLU, dropout=0.5)
    optimizer = SGD(model.parameters(), lr=0.01) if repaired else adam(model)
    return Run(model, CE, optimizer, train, validation, 10, 4, accuracy, validation)


@program(
    "58609115",
    wrong="one of 69 classes by sigmoids and the categorical cross entropy",
    repair="binary cross entropy",
    causes=("softmax_twice", "unscaled"),
    note="generated: a number to 100, of which the class is a band; 10 of 69 classes, 40 epochs of 1; inputs scaled in "
    "the repair, ReLU and Adam at 0.01, without which it learns nothing",
)
def bands(repaired, seed):
    values = numpy.random.default_rng(seed).integers(0, 100, (1700, 1)).astype("float64")
    train, test = split(standard(values) if repaired else values, values[:, 0].astype(int) // 10, 10)
    model = dense([1, 69, 69, 10], nn.ReLU if repaired else nn.Sigmoid, None if repaired else nn.Sigmoid)
    loss = of_one_hot(BCE_OF_LOGITS) if repaired else CE
    return Run(model, loss, adam(model, 0.01 if repaired else 0.001), train, test, 40, 50, accuracy)


@program(
    "44998910",
    wrong="a polynomial of degree four, SGD at 0.01 for 20 epochs",
    repair="rate 0.03 and more epochs",
    causes=TOO_LOW,
    note="3,000 points of 9,900 between 0 and 1; 60 epochs in the repair",
)
def polynomial(repaired, seed):
    x = numpy.random.default_rng(seed).random((3000, 1))
    train, test = split(x, x**4 + x**3 - x, None)
    model = dense([1, 200, 45, 1], nn.ReLU)
    rate, epochs = (0.03, 60) if repaired else (0.01, 20)
    return Run(model, MSE, SGD(model.parameters(), lr=rate), train, test, epochs, 50, r_squared)
