"""The first NaN or infinity: what is named is where it arose, whatever happened to it afterwards."""

import string

import needs
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ichikara
from ichikara import nn, ops, optim
from ichikara.arrays import Generator
from ichikara.data import DataLoader, Dataset
from ichikara.glass.nonfinite import NonFiniteError, detect_nonfinite
from ichikara.strict_json import dumps
from ichikara.train import DivergedError, ExponentialMovingAverage, Trainer
from ichikara.words.catalogue import texts

ENGINES = ["replay", "eager"] if needs.registry() else ["eager"]


@pytest.fixture(autouse=True)
def in_english(monkeypatch):
    monkeypatch.setenv("ICHIKARA_LANG", "en")


def tensor(*numbers, dtype="float32"):
    return ichikara.asarray(numpy.array(numbers, dtype), requires_grad=True)


def origin(function):
    with pytest.raises(NonFiniteError) as caught, detect_nonfinite():
        function()
    return caught.value.origin


# --- where it arose ---------------------------------------------------------------------------------------------------

FORWARD = {
    "log of 0": (lambda x: ops.log(x), (1.0, 0.0), "log", "-inf"),
    "log below 0": (lambda x: ops.log(x), (1.0, -1.0), "log", "nan"),
    "division by 0": (lambda x: 1 / x, (1.0, 0.0), "divide", "inf"),
    "exp overflow": (lambda x: ops.exp(x), (1.0, 100.0), "exp", "inf"),
    "power": (lambda x: x**-0.5, (1.0, -2.0), "pow", "nan"),
    "softmax by hand": (lambda x: ops.exp(x) / ops.exp(x).sum(), (1.0, 100.0), "exp", "inf"),
    "a difference of infinities": (lambda x: ops.exp(x) - ops.exp(x), (1.0, 100.0), "exp", "inf"),
    "0 times infinity": (lambda x: (x - x) * ops.log(x), (1.0, 0.0), "log", "-inf"),
}


@pytest.mark.parametrize("name", FORWARD)
def test_the_operation_that_made_it_is_named_with_line_and_operands(name):
    function, numbers, operation, made = FORWARD[name]
    x = tensor(*numbers)
    found = origin(lambda: (function(x) * 2 + 1).sum().item())
    assert (found.kind, found.operation, found.made) == ("forward", operation, made)
    assert found.line.split(":")[0].endswith("test_nonfinite.py")
    assert all(operand.nonfinite == 0 for operand in found.operands)
    assert found.result.nonfinite >= 1
    assert (min(numbers), max(numbers)) in [(operand.low, operand.high) for operand in found.operands]


BACKWARD = {
    "the root of 0": (lambda x: ops.sqrt(x), "sqrt"),
    "the norm of 0": (lambda x: ops.sqrt((x[1:] * x[1:]).sum()), "sqrt"),
    "log behind where": (lambda x: ops.where(x > 0, ops.log(x), 0.0), "log"),
    "division behind where": (lambda x: ops.where(x > 0, 1 / x, 0.0), "divide"),
}


@pytest.mark.parametrize("name", BACKWARD)
def test_a_gradient_that_is_not_finite_is_named_though_the_loss_is_finite(name):
    function, operation = BACKWARD[name]
    x = tensor(1.0, 0.0)
    losses = []

    def step():
        loss = (function(x) * 3).sum()
        losses.append(loss.item())
        loss.backward()

    found = origin(step)
    assert numpy.isfinite(losses).all()
    assert (found.kind, found.operation) == ("backward", operation)
    assert found.of in ("x", "b")
    assert "line" in found.to_dict()
    assert found.code == "loss = (function(x) * 3).sum()" or "lambda x" in found.code


def test_half_precision_that_overflows():
    h = tensor(*[[300.0] * 8] * 8, dtype="float16")
    found = origin(lambda: (h @ h).sum().item())
    assert found.made == "inf"
    assert found.result.dtype == "float16"
    assert "65504" in found.text("en")
    assert "65504" in found.text("ja")


# --- infinities that are meant ----------------------------------------------------------------------------------------


def mask():
    return ops.asarray(numpy.tril(numpy.ones((4, 4), bool)))


HARMLESS = {
    "a mask of -inf": lambda x: ops.softmax(ops.where(mask(), x, -numpy.inf), axis=-1),
    "an added mask": lambda x: ops.softmax(x + ops.log(mask().astype("float32")), axis=-1),
    "attention with a mask": lambda x: ops.scaled_dot_product_attention(
        x, x, x, ops.where(mask(), ops.zeros((4, 4)), -numpy.inf)
    ),
    "a maximum with -inf": lambda x: ops.maximum(x, -numpy.inf),
    "a clipped infinity": lambda x: ops.clip(ops.log(ops.relu(x)), -5.0, 5.0).detach() + x,
    "infinity below a fraction": lambda x: x + 1 / ops.exp(ops.abs(x) * 1000 + 1000).detach(),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_infinities_that_do_no_harm_are_no_error(name):
    x = tensor(*numpy.random.default_rng(0).standard_normal((4, 4)))
    with detect_nonfinite():
        loss = (HARMLESS[name](x) ** 2).sum()
        loss.backward()
        assert numpy.isfinite(loss.item())
    assert numpy.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", [name for name in HARMLESS if "mask" in name])
def test_beside_a_harmless_mask_the_harmful_operation_is_named(name):
    x = tensor(*numpy.eye(4) * 100)
    found = origin(lambda: HARMLESS[name](ops.exp(x)).sum().item())
    assert (found.operation, found.made) == ("exp", "inf")


def test_a_row_without_any_unmasked_place_is_the_fault_of_the_softmax():
    x = tensor(*numpy.ones((2, 2)))
    masked = lambda: ops.where(ops.asarray([[False, False], [True, True]]), x, -numpy.inf)
    found = origin(lambda: ops.softmax(masked(), axis=-1).sum().item())
    assert (found.operation, found.made) == ("softmax", "nan")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["tanh", "relu", "sigmoid", "exp", "mask", "branch", "reshape", "mean"]), max_size=8),
    st.lists(st.sampled_from(["double", "branch", "softplus", "reshape"]), max_size=8),
)
def test_whatever_comes_before_and_after_it_the_log_of_0_is_named(before, after):
    steps = {
        "tanh": ops.tanh,
        "relu": ops.relu,
        "sigmoid": ops.sigmoid,
        "exp": lambda x: ops.exp(-ops.abs(x)),
        "mask": lambda x: ops.maximum(ops.where(x > 0.5, x, -numpy.inf), 0.0),
        "branch": lambda x: x + ops.tanh(x),
        "reshape": lambda x: ops.reshape(ops.reshape(x, (-1,)), x.shape),
        "mean": lambda x: x - x.mean(),
        "double": lambda x: 2 * x,
        "softplus": lambda x: ops.softplus(x) + x,
    }
    x = tensor(0.3, 0.9, -0.4)

    def loss():
        y = x
        for name in before:
            y = steps[name](y)
        y = ops.log(y * 0.0)  # the fault
        for name in after:
            y = steps[name](y)
        return (y * y).sum()

    found = origin(lambda: loss().item())
    assert (found.operation, found.made) == ("log", "-inf")
    assert found.code == "y = ops.log(y * 0.0)  # the fault"


# --- networks ---------------------------------------------------------------------------------------------------------


class Head(nn.Module):
    def forward(self, x):
        p = ops.softmax(x, axis=-1)
        return ops.log(p)


class Root(nn.Module):
    """A root of 0 in a layer of one's own: finite forward, infinite backward."""

    def forward(self, x):
        zero = x - x
        return x + ops.sqrt((zero * zero).sum(axis=1, keepdims=True))


def test_the_layer_is_named_by_its_path_and_class():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Tanh(), Head()))
    model[0].weight.data = numpy.eye(2) * 1e4
    model[1][0] = nn.Identity()
    found = origin(lambda: model(ops.asarray([[1.0, -1.0]])).sum().item())
    assert (found.operation, found.layer, found.layer_kind) == ("log", "1.1", "Head")
    assert found.code == "return ops.log(p)"
    model = nn.Sequential(nn.Linear(2, 2), Root())
    found = origin(lambda: model(ops.ones((3, 2))).sum().backward())
    assert (found.kind, found.operation, found.layer) == ("backward", "sqrt", "1")
    assert found.code.startswith("return x + ops.sqrt(")


def test_an_lstm_with_an_infinite_weight_or_input():
    lstm = nn.LSTM(3, 4)
    x = numpy.zeros((5, 2, 3), "float32")
    x[3, 1, 0] = numpy.nan
    found = origin(lambda: lstm(x)[0].sum().item())
    assert (found.kind, found.source, found.made) == ("given", "input", "nan")
    lstm.weight_hh_l0.data = numpy.full((16, 4), numpy.inf)
    found = origin(lambda: lstm(x[:3])[0].sum().item())
    assert (found.kind, found.source, found.of) == ("given", "parameter", "weight_hh_l0")


def test_weights_that_an_update_made_infinite():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=1e38)

    def training():
        for _ in range(3):
            optimizer.zero_grad()
            (model(ops.ones((4, 2))) * 1e3).sum().backward()
            optimizer.step()

    found = origin(training)
    assert (found.kind, found.operation, found.of) == ("update", "SGD", "weight")
    assert dict(found.numbers) == {"rate": pytest.approx(1e38)}
    assert [operand.nonfinite for operand in found.operands] == [0, 0]
    assert found.code == "optimizer.step()"


def test_a_loop_without_an_optimiser():
    w = tensor(1.0)

    def training():
        for _ in range(5):
            w.grad = None
            (w * w).sum().backward()
            w.data = w.data - 1e30 * w.grad.data

    found = origin(training)
    assert (found.kind, found.code) == ("assigned", "w.data = w.data - 1e30 * w.grad.data")


def test_a_gradient_that_was_not_cleared_is_said_to_be_from_before():
    x = tensor(1.0, 0.0)
    with numpy.errstate(all="ignore"):
        ops.sqrt(x).sum().backward()
    found = origin(lambda: (x * x).sum().backward())
    assert (found.kind, found.source) == ("given", "gradient")


def test_healthy_training_in_the_block_is_no_error_and_has_equal_bits():
    def trained(block):
        ichikara.seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        x, labels = ops.asarray(numpy.random.default_rng(0).standard_normal((16, 4), "float32")), numpy.arange(16) % 3
        with block():
            for _ in range(5):
                optimizer.zero_grad()
                loss = nn.CrossEntropyLoss()(model(x), ops.asarray(labels))
                loss.backward()
                optim.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                loss.item()
        return [array.data.tobytes() for array in model.state_dict().values()]

    from contextlib import nullcontext

    assert trained(detect_nonfinite) == trained(nullcontext)


def test_an_error_of_the_users_passes_the_block():
    def mine():
        ops.log(tensor(0.0))
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), detect_nonfinite():
        mine()


def test_what_is_kept_goes_with_the_arrays():
    x = tensor(1.0, 2.0)
    with detect_nonfinite() as search:
        for _ in range(50):
            x.grad = None
            ops.tanh(ops.maximum(x * 2, -numpy.inf)).sum().backward()
        assert len(search._table) < 20
        assert len(search._uses) < 20


# --- the trainer ------------------------------------------------------------------------------------------------------


def examples(count=96):
    random = numpy.random.default_rng(0)
    return Dataset(
        random.standard_normal((count, 6)).astype("float32"), numpy.arange(count) % 3, "examples", classes=list("abc")
    )


def trainer_of(*layers, lr=0.01, engine="auto", optimizer=optim.Adam, **options):
    ichikara.seed(0)
    model = nn.Sequential(nn.Linear(6, 8), *layers, nn.Linear(8, 3))
    made = optimizer(model.parameters(), lr=lr)
    schedule = optim.StepLR(made, step_size=2, gamma=0.9)
    return Trainer(
        model,
        nn.CrossEntropyLoss(),
        made,
        generator=Generator(0),
        engine=engine,
        schedule=schedule,
        schedule_every="batch",
        **options,
    )


def diverged(trainer, epochs=3):
    with pytest.raises(DivergedError) as caught:
        trainer.fit(DataLoader(examples(), 16, generator=Generator(1)), epochs)
    return caught.value


class Late(nn.Module):
    """Takes the root of 0 where an input is large, which happens in some batches only."""

    def forward(self, x):
        room = 2.0 - ops.abs(x).max(axis=1, keepdims=True)
        return x + 1e-3 * ops.sqrt(room * (room > 0))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_trainer_names_the_gradient_that_was_not_finite(engine, accumulate):
    trainer = trainer_of(
        nn.BatchNorm1d(8),
        Late(),
        nn.Dropout(0.3),
        engine=engine,
        accumulate=accumulate,
        averaging=ExponentialMovingAverage(0.9),
    )
    error = diverged(trainer)
    found = error.origin
    assert (found.kind, found.operation, found.layer, found.layer_kind) == ("backward", "sqrt", "2", "Late")
    assert found.code == "return x + 1e-3 * ops.sqrt(room * (room > 0))"
    lines = str(error).splitlines()
    assert lines[0].startswith("the loss became nan in epoch 1, batch ")
    assert "ops.sqrt(room" in lines[1]
    assert "The loss of the batch before was" in lines[-1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_trainer_names_the_operation_of_a_loss_that_is_not_finite(engine):
    trainer = trainer_of(nn.ReLU(), engine=engine, lr=30.0)
    trainer.loss = lambda output, targets: -(ops.log(ops.softmax(output)) * ops.one_hot(targets, 3)).sum()
    found = diverged(trainer).origin
    assert (found.kind, found.operation, found.made) == ("forward", "log", "-inf")
    assert found.layer is None
    assert "ops.log(ops.softmax(output))" in found.code


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
def test_a_trainer_names_the_update_that_was_too_large(engine, optimizer):
    error = diverged(trainer_of(nn.ReLU(), engine=engine, optimizer=optimizer, lr=3e38))
    assert error.origin.kind in ("update", "forward")
    if error.origin.kind == "update":
        assert error.origin.operation == optimizer.__name__
    else:  # the weights are at the end of what float32 holds
        assert max(abs(operand.high) for operand in error.origin.operands) > 1e30


def test_the_search_leaves_everything_as_it_was(monkeypatch):
    def state(search):
        trainer = trainer_of(nn.BatchNorm1d(8), Late(), nn.Dropout(0.3), averaging=ExponentialMovingAverage(0.9))
        if not search:
            monkeypatch.setattr("ichikara.train.divergence.RecentSteps.explain", lambda *_: None)
        diverged(trainer)
        arrays = [
            *trainer.model.state_dict().values(),
            *(a for s in trainer.optimizer.state_dict()["state"].values() for a in s.values()),
            *trainer.averaging.weights.values(),
        ]
        numbers = [trainer.steps, trainer._batch, trainer._totals.sums, trainer.learning_rate, trainer.generator.state]
        return [numpy.asarray(a).tobytes() for a in arrays], numbers, trainer.schedule.state_dict()

    assert state(search=True) == state(search=False)


def test_copies_of_the_state_do_not_change_the_training(monkeypatch):
    def trained(share):
        monkeypatch.setattr("ichikara.train.divergence.SHARE", share)
        trainer = trainer_of(nn.BatchNorm1d(8), nn.Dropout(0.3))
        trainer.fit(DataLoader(examples(), 16, generator=Generator(1)), 3)
        return [a.data.tobytes() for a in trainer.model.state_dict().values()], trainer.history.last["train_loss"]

    assert trained(1e9) == trained(1e-9)


def test_what_cannot_be_reproduced_is_not_guessed():
    trainer = trainer_of(nn.ReLU(), engine="eager")
    batches = []

    def loss(output, targets):
        batches.append(1)
        return nn.CrossEntropyLoss()(output, targets) * (numpy.nan if len(batches) == 4 else 1.0)

    trainer.loss = loss
    error = diverged(trainer)
    assert error.origin is None
    assert "could not be found" in str(error)


def test_the_message_in_japanese(monkeypatch):
    monkeypatch.setenv("ICHIKARA_LANG", "ja")
    text = str(diverged(trainer_of(Late())))
    assert "エポック 1" in text
    assert "逆伝播" in text
    assert "The" not in text


def test_every_text_is_there_in_both_languages():
    for name, of_languages in texts("nonfinite").items():
        assert set(of_languages) == {"en", "ja"}, name
        places = [{part[1] for part in string.Formatter().parse(text) if part[1]} for text in of_languages.values()]
        assert places[0] == places[1], name


def test_an_origin_can_be_written_as_json():
    found = origin(lambda: ops.log(tensor(1.0, 0.0)).sum().item())
    assert '"operation": "log"' in dumps(found.to_dict(), indent=2)
