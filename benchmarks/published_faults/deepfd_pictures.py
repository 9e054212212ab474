"""DeepFD's programs on pictures and sequences, and those that it took from repositories. Source: see `deepfd`."""

import numpy

from ichikara import nn
from ichikara.data import load_digits
from ichikara.optim import SGD, Adam, RMSprop

from .parts import BCE, CE, MSE, above, accuracy, dense, digits, r_squared, split
from .program import Program, Run, into

__all__ = ["PROGRAMS", "UNMAPPED"]

PROGRAMS: list[Program] = []
program = into(PROGRAMS)


@program(
    "47352366",
    wrong="a ReLU before the cross entropy",
    repair="softmax",
    causes=("softmax_twice", "dead_relu"),
    note="digits in place of MNIST, a quarter of the width",
)
def relu_before_the_loss(repaired, seed):
    train, test = digits(images=True)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(256, 10),
        *([] if repaired else [nn.ReLU()]),
    )
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.constant_(parameter, 0.1)
    return Run(model, CE, Adam(model.parameters(), lr=0.001), train, test, 8, 50, accuracy)


@program(
    "50079585",
    wrong="three classes by one sigmoid and the binary cross entropy",
    repair="three outputs, softmax",
    causes=("no_softmax", "unscaled_targets"),
    note="the digits 0, 1 and 2 in place of photographs; a smaller network",
)
def three_classes_in_one(repaired, seed):
    data = load_digits(as_images=True)
    chosen = numpy.random.default_rng(0).permutation(numpy.flatnonzero(data.targets < 3))
    train, validation = split(data.inputs[chosen] / 16, data.targets[chosen], 3)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(72, 64),
        nn.ReLU(),
        nn.Dropout(0.5),
        *([nn.Linear(64, 3)] if repaired else [nn.Linear(64, 1), nn.Sigmoid()]),
    )
    optimizer = RMSprop(model.parameters(), lr=0.001)
    score = accuracy if repaired else lambda outputs, targets: float((outputs.round()[:, 0] == targets).mean())
    return Run(model, CE if repaired else BCE, optimizer, train, validation, 10, 16, score, validation)


class Tagger(nn.Module):
    """A class for every step of a sequence."""

    def __init__(self, classes, last=None):
        super().__init__()
        self.lstm = nn.LSTM(5, 20, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(40, classes)
        self.last = last

    def forward(self, x):
        made = self.linear(self.dropout(self.lstm(x)[0]))
        return (made if self.last is None else self.last(made)).mT


@program(
    "59282996",
    wrong="ten padded sequences, 10 epochs at 0.01, a class for the padding, sigmoid before the cross entropy",
    repair="two classes, 30 epochs",
    causes=("rate_too_low", "stopped_early", "softmax_twice"),
    note="200 sequences in the repair, generated as in the question, with Adam at 0.01; the padding is not masked",
)
def padded_sequences(repaired, seed):
    draws = numpy.random.default_rng(seed)
    count = 200 if repaired else 10
    inputs = draws.normal(0.5, 1, (count + 20, 20, 5))
    labels = draws.integers(0, 2, (count + 20, 20))
    inputs += labels[:, :, None]
    if not repaired:
        padded = numpy.arange(20) >= draws.integers(5, 21, (count + 20, 1))
        inputs[padded], labels = 0, numpy.where(padded, 0, labels + 1)
    train, test = split(inputs, labels, 2 if repaired else 3, 20 / (count + 20))
    model = Tagger(2 if repaired else 3, None if repaired else nn.Sigmoid())
    optimizer = Adam(model.parameters(), lr=0.01)
    if not repaired:
        optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    score = lambda outputs, targets: accuracy(numpy.moveaxis(outputs, 1, -1), targets)
    return Run(model, CE, optimizer, train, test, 30 if repaired else 10, 20, score)


@program(
    "FacialKeypointsDetection",
    wrong="Adam at 0.1, no activations",
    repair="SGD, 400 epochs",
    causes=("rate_too_high", "no_nonlinearity"),
    note="generated: the place of a spot, bright or dim, in 16 × 16 pixels; 60 epochs in the repair, with ReLU",
)
def keypoints(repaired, seed):
    draws = numpy.random.default_rng(seed)
    places = draws.uniform(-0.8, 0.8, (1000, 2))
    grid = numpy.linspace(-1, 1, 16)
    near = lambda place: numpy.exp(-((grid - place[:, None]) ** 2) / 0.05)
    pictures = near(places[:, 0])[:, :, None] * near(places[:, 1])[:, None, :]
    pictures = pictures.reshape(1000, 256) * draws.uniform(0.3, 1, (1000, 1))
    train, validation = split(pictures + 0.05 * draws.random((1000, 256)), places, None)
    model = dense([256, 50, 100, 2], nn.ReLU if repaired else None)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    if not repaired:
        optimizer = Adam(model.parameters(), lr=0.1)
    return Run(model, MSE, optimizer, train, validation, 60 if repaired else 30, 32, r_squared, validation)


@program(
    "gol_nn",
    wrong="the game of life, 2 epochs of Adam at 0.001",
    repair="squared error, 10 epochs, rate 0.01",
    causes=("stopped_early", "rate_too_low"),
    note="1,000 worlds of 10 × 10 cells; 40 epochs in the repair",
)
def game_of_life(repaired, seed):
    cells = numpy.random.default_rng(seed).integers(0, 2, (1000, 12, 12))
    around = sum(numpy.roll(cells, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) - cells
    after = ((around == 3) | ((around == 2) & (cells == 1)))[:, 1:-1, 1:-1]
    train, validation = split(cells[:, None].astype("float32"), after[:, None].astype("float32"), None)
    model = nn.Sequential(
        nn.Conv2d(1, 24, 3), nn.ReLU(), nn.Conv2d(24, 16, 1), nn.ReLU(), nn.Conv2d(16, 1, 1), nn.Sigmoid()
    )
    optimizer = Adam(model.parameters(), lr=0.01 if repaired else 0.001)
    loss = MSE if repaired else BCE
    return Run(model, loss, optimizer, train, validation, 40 if repaired else 2, 32, above(0.5), validation)


@program(
    "MovieReviews_Keras",
    wrong="10,000 columns of words, no dropout",
    repair="dropout, 7 epochs",
    causes=("overfitting",),
    note="generated: 500 columns, 400 texts for training, 20 epochs of 32 texts",
)
def reviews(repaired, seed):
    draws = numpy.random.default_rng(seed)
    weights = draws.normal(size=500) * (draws.random(500) < 0.1)
    inputs = (draws.random((2400, 500)) < 0.1).astype("float64")
    labels = (inputs @ weights + draws.normal(size=2400) > 0).astype(int)
    train, validation = split(inputs, labels, 2, 2000 / 2400)
    model = dense([500, 16, 16, 1], nn.ReLU, nn.Sigmoid, dropout=0.5 if repaired else 0.0)
    optimizer = RMSprop(model.parameters(), lr=0.001)
    return Run(model, BCE, optimizer, train, validation, 12 if repaired else 40, 32, above(0.5), validation)


@program(
    "kaggle-melbourne_properties",
    wrong="prices of 1,000,000 as they are, by 20 tanh units",
    repair="other layers, and regularisation",
    causes=("unscaled_targets", "saturated"),
    also=("unscaled", "mixed_units"),
    note="generated with such columns; the repair is scaled, without which it learns nothing",
)
def houses(repaired, seed):
    draws = numpy.random.default_rng(seed)
    rows = draws.normal(size=(1000, 6))
    prices = 1e6 + 3e5 * (rows @ [0.5, 0.8, 0.3, 0.0, 0.4, -0.3])[:, None]
    columns = numpy.array([3, 2, 500, 1970, 150, 10]) + rows * numpy.array([1, 0.7, 300, 37, 60, 6])
    train, validation = split(rows if repaired else columns, (prices - 1e6) / 3e5 if repaired else prices, None)
    model = dense([6, 20, 20, 1], nn.Tanh)
    return Run(model, MSE, Adam(model.parameters(), lr=0.001), train, validation, 40, 32, r_squared, validation)


UNMAPPED = {
    "41372874, 50481178, 51930566, 41327601": "no fault: the source says that the program as published is as good",
    "39810655": "the loss is another spelling of the same; the repair changes little",
    "48594888, 37213388": "5 epochs of CIFAR-10, or 2 of a text: nothing is wrong with them at a size of ten seconds",
    "58237726": "needs convolutions in three dimensions",
    "54, 55 (keras_catsdogs, keras-super-resolution)": "a batch size, and too few photographs, which are not here",
    "53, 56, 57, 58 (GitHub)": "a layer more or less, whose harm is within the noise of other data",
    "37624102, 41600519, 41947039, 41977498, 42514960, 42800203, 46642627, 46995209, 47932589, 51181393, "
    "56380303, Traffic-Sign-Classifier": "patches without the program, or without its data, in what is published",
}
"""The programs of DeepFD that are not here, and why."""
