"""The engines of a training: replays give the numbers of eager steps, and a resumed run the same bits at every step."""

import random
import signal
import warnings

import numpy
import pytest

from ichikara import nn, ops, optim, zoo
from ichikara.arrays import Generator, using
from ichikara.data import DataLoader, Dataset
from ichikara.errors import UserError
from ichikara.train import (
    AdversarialTrainer,
    Adversaries,
    Callback,
    DivergedError,
    ExponentialMovingAverage,
    Objective,
    Optimizers,
    Trainer,
    find_learning_rate,
)

RANDOM = numpy.random.default_rng(0)
CLASSES = ("a", "b", "c")


def images(count, side=12):
    x = RANDOM.normal(size=(count, 1, side, side)).astype("float32")
    return Dataset(x, (x.sum(axis=(1, 2, 3)) > 0).astype("int64") + (x[:, 0, 0, 0] > 1), classes=CLASSES)


ROWS = Dataset(RANDOM.normal(size=(72, 6)).astype("float32"), RANDOM.integers(0, 3, 72), classes=CLASSES)
WIDE = Dataset(RANDOM.normal(size=(144, 300)).astype("float32"), RANDOM.integers(0, 3, 144), classes=CLASSES)
IMAGES = images(144)
SERIES = Dataset(RANDOM.normal(size=(72, 9, 2)).astype("float32"), RANDOM.normal(size=(72, 1)).astype("float32"))


class Reader(nn.Module):
    """An LSTM whose last output is read."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 20, num_layers=2, dropout=0.2, batch_first=True), nn.Linear(20, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 3))


def convolutional():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(128, 3)),
    )


def windows():
    text = RANDOM.integers(0, 11, (72, 17))
    return Dataset(text[:, :-1], text[:, 1:], classes=tuple("abcdefghijk"), task="sequence")


WINDOWS = windows()

# A network, data, the loss, how the optimiser is made, and settings of the trainer.
RUNS = {
    "mlp": (mlp, ROWS, "cross_entropy", lambda p: optim.Adam(p, lr=0.02), {}),
    "wide": (
        lambda: nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Dropout(0.2), nn.Linear(200, 3)),
        *(WIDE, "cross_entropy", lambda p: optim.AdamW(p, lr=0.002), {"clip_grad_value": 0.01}),
    ),
    "accumulated": (mlp, ROWS, "cross_entropy", lambda p: optim.SGD(p, lr=0.1, momentum=0.9), {"accumulate": 2}),
    "averaged": (
        *(mlp, ROWS, "cross_entropy", lambda p: optim.RMSprop(p, lr=0.01)),
        {"averaging": lambda: ExponentialMovingAverage(0.8), "clip_grad_norm": 0.5},
    ),
    "convolutional": (convolutional, IMAGES, "cross_entropy", lambda p: optim.Adam(p, lr=0.01), {}),
    "lstm": (Reader, SERIES, "mse", lambda p: optim.Adam(p, lr=0.01), {"clip_grad_norm": 1.0}),
    "gpt": (
        lambda: zoo.GPT(11, context=16, width=32, layers=2, heads=2, dropout=0.1),
        *(WINDOWS, "cross_entropy", lambda p: optim.AdamW(p, lr=0.01, eps=1e-4), {"clip_grad_norm": 1.0}),
    ),
}
EPOCHS, BATCH = 2, 16  # of 72 examples: five batches to an epoch, the last one smaller


def make(name, engine="auto", seed=0, callbacks=()):
    network, data, loss, optimizer, settings = RUNS[name]
    root = Generator(seed)
    with using(root.spawn()):
        model = network()
    batch = BATCH * len(data) // 72
    loader = DataLoader(data, batch_size=batch, shuffle=True, generator=root.spawn())
    made = optimizer(model.parameters())
    settings = {key: value() if callable(value) else value for key, value in settings.items()}
    trainer = Trainer(
        *(model, Objective(loss, data), made),
        schedule=optim.OneCycleLR(made, max_lr=0.02, total_steps=20),
        schedule_every="batch",
        callbacks=callbacks,
        generator=root.spawn(),
        engine=engine,
        **settings,
    )
    return trainer, loader


def against(engine="auto", seed=0, callbacks=()):
    """A forger and a detector, with batch normalisation."""
    root = Generator(seed)
    with using(root.spawn()):
        forger = nn.Sequential(nn.Linear(4, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 144), nn.Tanh())
        forger.append(nn.Unflatten(1, (1, 12, 12)))
        detector = nn.Sequential(nn.Conv2d(1, 4, 3), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Flatten(), nn.Linear(400, 1))
    model = Adversaries(forger, detector, latent=4)
    pair = Optimizers(*(optim.Adam(part.parameters(), lr=0.002, betas=(0.5, 0.999)) for part in (forger, detector)))
    squeezed = Dataset(1 / (1 + numpy.exp(-IMAGES.inputs[:72])), IMAGES.targets[:72], classes=CLASSES)
    loader = DataLoader(squeezed, batch_size=BATCH, shuffle=True, generator=root.spawn())
    return AdversarialTrainer(model, pair, callbacks=callbacks, generator=root.spawn(), engine=engine), loader


MAKERS = {**{name: (lambda name: lambda *a, **k: make(name, *a, **k))(name) for name in RUNS}, "gan": against}


def numbers(trainer):
    """All that a run has learnt, remembers and noted, but for the time it took."""
    state = trainer.optimizer.state_dict()
    memories = [part["state"] for part in state.get("optimizers", [state])]
    arrays = {name: value.numpy() for name, value in trainer.model.state_dict().items()}
    for k, memory in enumerate(memories):
        arrays |= {f"{k}.{i}.{key}": value for i, of in memory.items() for key, value in of.items()}
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in trainer.history.rows]
    return arrays, rows, trainer.steps, trainer.generator.state


def assert_same(a, b):
    assert a[1:] == b[1:]
    assert a[0].keys() == b[0].keys()
    for name in a[0]:
        numpy.testing.assert_array_equal(a[0][name], b[0][name], err_msg=name)


def assert_close(a, b):
    assert a[2:] == b[2:]
    for one, other in zip(a[1], b[1], strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5)
    for name in a[0]:
        numpy.testing.assert_allclose(a[0][name], b[0][name], rtol=2e-3, atol=2e-4, err_msg=name)


class InterruptAt(Callback):
    """Presses Ctrl-C after a number of batches."""

    def __init__(self, batch):
        self.batch = batch

    def on_batch_end(self, trainer, loss):
        if trainer.batches == self.batch:
            signal.raise_signal(signal.SIGINT)


class Notes(Callback):
    """Writes down what is told."""

    def __init__(self):
        self.lines = []

    def on_note(self, trainer, line):
        self.lines.append(line)


@pytest.fixture
def is_captured(monkeypatch):
    """How often a step has been captured."""
    from ichikara.stage import Staged

    counted = []
    record = Staged._record
    monkeypatch.setattr(Staged, "_record", lambda *args: counted.append(1) or record(*args))
    return counted


@pytest.mark.parametrize("name", MAKERS)
def test_replayed_steps_are_the_eager_ones(name):
    runs = {}
    for engine in ("eager", "replay"):
        trainer, loader = MAKERS[name](engine)
        trainer.fit(loader, EPOCHS)
        runs[engine] = numbers(trainer)
    assert_close(runs["eager"], runs["replay"])


@pytest.mark.parametrize("name", MAKERS)
def test_a_run_that_is_resumed_after_any_step_has_the_same_bits(tmp_path, name):
    whole, loader = MAKERS[name]("replay")
    whole.fit(loader, EPOCHS)
    wanted = numbers(whole)
    batches = EPOCHS * len(loader)
    assert batches == 10
    for batch in range(1, batches):
        first, loader = MAKERS[name]("replay", callbacks=[InterruptAt(batch)])
        first.fit(loader, EPOCHS, checkpoint=tmp_path / "c.safetensors")
        assert first.interrupted
        second, loader = MAKERS[name]("replay", seed=7, callbacks=[Callback()])
        second.resume(tmp_path / "c.safetensors", loader)
        second.fit(loader, EPOCHS)
        assert_same(wanted, numbers(second))


@pytest.mark.parametrize("name", MAKERS)
def test_a_run_that_is_resumed_at_each_step_anew_has_the_same_bits(tmp_path, name):
    whole, loader = MAKERS[name]("replay")
    whole.fit(loader, EPOCHS)
    path = tmp_path / "c.safetensors"
    for batch in range(1, EPOCHS * len(loader)):
        part, loader = MAKERS[name]("replay", seed=batch - 1, callbacks=[InterruptAt(batch)])
        if path.exists():
            part.resume(path, loader)
        part.fit(loader, EPOCHS, checkpoint=path)
    last, loader = MAKERS[name]("replay", callbacks=[Callback()])
    last.resume(path, loader)
    last.fit(loader, EPOCHS)
    assert_same(numbers(whole), numbers(last))


@pytest.mark.parametrize("name", MAKERS)
def test_auto_replays_the_networks_of_the_library(name, is_captured):
    notes = Notes()
    trainer, loader = MAKERS[name]("auto", callbacks=[notes])
    trainer.fit(loader, EPOCHS)
    other, loader = MAKERS[name]("replay")
    other.fit(loader, EPOCHS)
    assert trainer.eager_because == ""
    assert notes.lines == []
    assert 2 <= len(is_captured) <= 12
    assert_same(numbers(trainer), numbers(other))


def test_eager_captures_nothing(is_captured):
    trainer, loader = make("mlp", "eager")
    trainer.fit(loader, 1)
    assert not is_captured


def test_an_engine_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(UserError, match=r"unknown engine 'repaly'; did you mean 'replay'\? Allowed: auto, eager, replay"):
        make("mlp", "repaly")
