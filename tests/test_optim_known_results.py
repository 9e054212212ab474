"""Published numbers, reproduced: Reddi's counter-example to Adam, and scikit-learn's digits under four optimisers."""

import math
import warnings

import numpy
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import gen_batches, shuffle
from threadpoolctl import threadpool_limits

import ichikara
from ichikara import ops
from ichikara.optim import SGD, Adam, LambdaLR


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small are multiplied fastest by one thread."""
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize(("amsgrad", "end"), [(False, 1.0), (True, -1.0)], ids=["Adam", "AMSGrad"])
def test_adam_walks_to_the_worst_point_and_amsgrad_to_the_best(amsgrad, end):
    """Reddi et al. 2018, section 5: one large gradient in 101 says where to go, and Adam forgets it at once.

    On average the loss falls towards -1, of which f_t(x) = 1010 x in one step out of 101, and -10 x in the others. The
    rate falls with the root of the step, as in the paper's theorems.
    """
    x = ichikara.asarray(0.0, dtype="float64", requires_grad=True)
    optimizer = Adam([x], lr=1.0, betas=(0.9, 0.99), amsgrad=amsgrad)
    schedule = LambdaLR(optimizer, lambda t: 1 / math.sqrt(1 + t))
    for t in range(1, 40_001):
        x.grad = ichikara.asarray(1010.0 if t % 101 == 1 else -10.0, dtype="float64")
        optimizer.step()
        schedule.step()
        x.data = numpy.clip(x.data, -1.0, 1.0)  # the problem's own interval
    assert x.item() == pytest.approx(end, abs=0.05)


# scikit-learn's gallery, "Compare Stochastic learning strategies for MLPClassifier": digits, 15 epochs, training loss.
GALLERY = {
    "SGD": (0.2438, {"momentum": 0.0}, lambda p: SGD(p, lr=0.2)),
    "momentum": (0.0413, {"momentum": 0.9, "nesterovs_momentum": False}, lambda p: SGD(p, lr=0.2, momentum=0.9)),
    "Nesterov": (
        0.0429,
        {"momentum": 0.9, "nesterovs_momentum": True},
        lambda p: SGD(p, lr=0.2, momentum=0.9, nesterov=True),
    ),
    "Adam": (0.0459, {"solver": "adam", "learning_rate_init": 0.01}, lambda p: Adam(p, lr=0.01)),
}
EPOCHS, BATCH, ALPHA = 15, 200, 1e-4


def digits():
    x, y = load_digits(return_X_y=True)
    return MinMaxScaler().fit_transform(x), y


def first_weights(random):
    """What scikit-learn starts from: Glorot's uniform numbers, for weights and biases alike, layer by layer."""
    made = []
    for inputs, outputs in ((64, 100), (100, 10)):
        bound = numpy.sqrt(6 / (inputs + outputs))
        made += [random.uniform(-bound, bound, (inputs, outputs)).T, random.uniform(-bound, bound, outputs)]
    return [ichikara.asarray(array, requires_grad=True) for array in made]


def train(make, before_step=lambda optimizer, t: None):
    """The training loss of each epoch, in scikit-learn's own order of batches: the mean over them as they come."""
    x, y = digits()
    random = numpy.random.RandomState(0)
    w0, b0, w1, b1 = parameters = first_weights(random)
    optimizer = make(parameters)
    order, losses, steps = numpy.arange(len(x)), [], 0
    for _ in range(EPOCHS):
        order, total = shuffle(order, random_state=random), 0.0
        for batch in gen_batches(len(x), BATCH):
            rows = order[batch]
            hidden = ops.relu(ops.linear(ichikara.asarray(x[rows]), w0, b0))
            loss = ops.cross_entropy(ops.linear(hidden, w1, b1), ichikara.asarray(y[rows]))
            loss = loss + 0.5 * ALPHA / len(rows) * ((w0 * w0).sum() + (w1 * w1).sum())
            optimizer.zero_grad()
            loss.backward()
            steps += 1
            before_step(optimizer, steps)
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(x))
    return losses


def epsilon_of_scikit_learn(optimizer, t):
    """Put ε where scikit-learn has it: beside the root of v itself, not of v over 1 - β₂ᵗ.

    It shows here: of the pixels that are white in all images the gradient is the penalty's alone, as small as ε.
    """
    for group in optimizer.param_groups:
        if "betas" in group:
            group["eps"] = 1e-8 / math.sqrt(1 - group["betas"][1] ** t)


@pytest.mark.parametrize(("published", "options", "make"), GALLERY.values(), ids=GALLERY.keys())
def test_digits_losses_are_scikit_learns(published, options, make):
    settings = {"solver": "sgd", "learning_rate_init": 0.2, "random_state": 0, "max_iter": EPOCHS, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 15 epochs are what the gallery runs
        oracle = MLPClassifier(**settings).fit(*digits())
    losses = train(make, epsilon_of_scikit_learn)
    assert losses[-1] == pytest.approx(published, abs=5e-5)
    numpy.testing.assert_allclose(losses, oracle.loss_curve_, rtol=1e-10)


def test_the_place_of_epsilon_hardly_matters():
    published, _, make = GALLERY["Adam"]
    assert train(make)[-1] == pytest.approx(published, abs=1e-3)
