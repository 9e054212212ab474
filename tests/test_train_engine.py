"""The engines of a training: replays give the numbers of eager steps, and a resumed run the same bits at every step."""

import io
import random
import signal
import subprocess
import sys
import warnings
from functools import partial
from typing import get_args

import numpy
import pytest
from rich.console import Console

from ichikara import nn, ops, optim, zoo
from ichikara.arrays import Generator, using
from ichikara.data import DataLoader, Dataset
from ichikara.errors import UserError
from ichikara.recipes import Recipe
from ichikara.train import (
    AdversarialTrainer,
    Adversaries,
    Callback,
    DivergedError,
    ExponentialMovingAverage,
    Objective,
    Optimizers,
    Progress,
    Trainer,
    find_learning_rate,
)
from ichikara.train.engine import ENGINES

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
    """A generator and a discriminator, with batch normalisation."""
    root = Generator(seed)
    with using(root.spawn()):
        generator = nn.Sequential(
            nn.Linear(4, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 144), nn.Tanh()
        )
        generator.append(nn.Unflatten(1, (1, 12, 12)))
        discriminator = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Flatten(), nn.Linear(400, 1)
        )
    model = Adversaries(generator, discriminator, latent=4)
    pair = Optimizers(
        *(optim.Adam(part.parameters(), lr=0.002, betas=(0.5, 0.999)) for part in (generator, discriminator))
    )
    squeezed = Dataset(1 / (1 + numpy.exp(-IMAGES.inputs[:72])), IMAGES.targets[:72], classes=CLASSES)
    loader = DataLoader(squeezed, batch_size=BATCH, shuffle=True, generator=root.spawn())
    return AdversarialTrainer(model, pair, callbacks=callbacks, generator=root.spawn(), engine=engine), loader


MAKERS = {**{name: partial(make, name) for name in RUNS}, "gan": against}


def numbers(trainer):
    """The weights, optimiser state and results of a run, apart from its time."""
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
    """Writes down what is told of how the steps are computed, and not what the doctor says of these small networks."""

    def __init__(self):
        self.lines = []

    def on_note(self, trainer, line):
        if line.startswith(("steps are", "the step is")):
            self.lines.append(line)


@pytest.fixture
def is_captured(monkeypatch):
    """How often a step has been captured."""
    from ichikara.fast.replay.staged import Staged

    counted = []
    capture = Staged._capture
    monkeypatch.setattr(Staged, "_capture", lambda *args: counted.append(1) or capture(*args))
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
def test_a_run_that_is_resumed_at_each_step_has_the_same_bits(tmp_path, name):
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


def test_recipes_name_the_engines_that_there_are():
    field = Recipe.model_fields["training"].annotation.model_fields["engine"]
    assert set(get_args(field.annotation)) == set(ENGINES)


def test_an_engine_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(UserError, match=r"engine 'repaly'; did you mean 'replay'\? Allowed: auto, eager, replay"):
        make("mlp", "repaly")


# --- steps that cannot be captured ------------------------------------------------------------------------------------


class Reads:
    """A loss that looks at its number."""

    def __init__(self):
        self.calls = 0

    def __call__(self, output, targets):
        self.calls += 1
        loss = ops.cross_entropy(output, targets)
        return loss * 2 if float(loss) > 1.2 else loss


class Counts:
    """A loss that becomes another one from call to call."""

    def __init__(self):
        self.weight, self.weights = 1.0, []

    def __call__(self, output, targets):
        self.weight *= 0.9
        self.weights.append(self.weight)
        return ops.cross_entropy(output, targets) * self.weight


def counting():
    """The same, by a variable outside of a function."""
    weight = 1.0

    def loss(output, targets):
        nonlocal weight
        weight *= 0.9
        return ops.cross_entropy(output, targets) * weight

    return loss


class Remembers(nn.Module):
    """A layer that keeps its last output in an attribute."""

    def forward(self, x):
        self.last = x * 1.0
        return self.last


class Lucky(nn.Module):
    """A layer that is sometimes left out, by Python's random numbers."""

    def forward(self, x):
        return x if random.random() < 0.5 else 2 * x


class OnNumpy(nn.Module):
    """The same, by NumPy's."""

    def forward(self, x):
        return x * float(numpy.random.random())  # noqa: NPY002 - what is tested


def small(extra=None, loss=None, engine="auto", callbacks=(), optimizer=None):
    """A training of a small network with batch normalisation and dropout, with something added to it."""
    root = Generator(3)
    with using(root.spawn()):
        layers = [nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2, generator=Generator(5))]
        model = nn.Sequential(*layers, *([extra()] if extra else []), nn.Dropout(0.1), nn.Linear(8, 3))
    loader = DataLoader(ROWS, batch_size=16, shuffle=True, generator=root.spawn())
    loss = loss() if loss else Objective("cross_entropy", ROWS)
    made = optimizer(model.parameters()) if optimizer else optim.Adam(model.parameters(), lr=0.02)
    return Trainer(model, loss, made, callbacks=callbacks, generator=root.spawn(), engine=engine), loader


UNCAPTURED = {
    "a loss that looks at a number": (None, Reads, "number of a traced tensor"),
    "a loss that changes itself": (None, Counts, "the step itself changes Counts.weight"),
    "a loss that changes a variable": (None, counting, "the step itself changes loss.weight"),
    "a layer whose value outlives the step": (Remembers, None, "outlives"),
    "random numbers of Python": (Lucky, None, "random numbers"),
    "random numbers of NumPy": (OnNumpy, None, "random numbers"),
}


@pytest.mark.parametrize("name", UNCAPTURED)
def test_what_cannot_be_captured_is_computed_eagerly_and_was_from_the_beginning(name):
    extra, loss, why = UNCAPTURED[name]
    runs, notes = [], Notes()
    for engine, callbacks in (("eager", []), ("auto", [notes])):
        random.seed(1)
        numpy.random.seed(1)  # noqa: NPY002
        trainer, loader = small(extra, loss, engine, callbacks)
        trainer.fit(loader, 2)
        runs.append(trainer)
    assert_same(*map(numbers, runs))
    assert len(notes.lines) == 1
    assert why in notes.lines[0]
    assert runs[1].eager_because in notes.lines[0]
    if loss in (Reads, Counts):
        assert vars(runs[0].loss) == vars(runs[1].loss)  # every call was counted once


def test_progress_prints_the_line():
    console = Console(file=io.StringIO(), width=200)
    trainer, loader = small(None, Counts, callbacks=[Progress(console)])
    trainer.fit(loader, 1)
    assert console.file.getvalue().count("\n") == 2  # the other one is about the epoch
    assert "steps are computed eagerly, not replayed: the step itself changes Counts.weight" in console.file.getvalue()


@pytest.mark.parametrize("name", UNCAPTURED)
def test_what_cannot_be_captured_is_an_error_where_replays_are_asked_for(name):
    extra, loss, why = UNCAPTURED[name]
    trainer, loader = small(extra, loss, "replay")
    before = numbers(trainer)
    with pytest.raises(UserError, match=rf"cannot be captured: .*{why}.*engine='auto'"):
        trainer.fit(loader, 1)
    assert_same(before, numbers(trainer))


def test_the_line_says_where_in_the_users_file_a_number_was_looked_at():
    notes = Notes()
    trainer, loader = small(None, Reads, callbacks=[notes])
    trainer.fit(loader, 1)
    assert "test_train_engine.py, line" in notes.lines[0]


def test_a_custom_loss_of_tensors_alone_is_replayed(is_captured):
    runs = []
    for engine in ("eager", "auto"):
        trainer, loader = small(None, lambda: lambda output, targets: 3 * ops.cross_entropy(output, targets), engine)
        trainer.fit(loader, 2)
        runs.append(trainer)
    assert runs[1].eager_because == ""
    assert is_captured
    assert_close(*map(numbers, runs))


def test_a_run_that_went_on_eagerly_does_so_when_it_is_resumed(tmp_path):
    """The last batch of an epoch, which is smaller, cannot be captured, and those before it can."""

    def loss(output, targets):
        loss = ops.cross_entropy(output, targets)
        return loss * (float(loss) > 0) if len(output) < 16 else loss

    def run(*callbacks):
        trainer, loader = small(None, lambda: loss, callbacks=[*callbacks])
        trainer.model[3].generator = None  # whose state is not the run's
        return trainer, loader

    whole, loader = run()
    whole.fit(loader, 3)
    assert "number of a traced tensor" in whole.eager_because
    for batch in range(1, 15):
        first, loader = run(InterruptAt(batch))
        first.fit(loader, 3, checkpoint=tmp_path / "c.safetensors")
        second, loader = run(Callback())
        second.resume(tmp_path / "c.safetensors", loader)
        second.fit(loader, 3)
        assert_same(numbers(whole), numbers(second))


def test_replays_are_asked_for_also_of_a_run_that_went_on_eagerly(tmp_path):
    first, loader = small(None, Reads)
    first.fit(loader, 1, checkpoint=tmp_path / "c.safetensors")
    assert first.eager_because
    second, loader = small(None, Reads, "replay")
    second.resume(tmp_path / "c.safetensors", loader)
    assert second.eager_because == ""
    with pytest.raises(UserError, match="cannot be captured"):
        second.fit(loader, 2)


# --- what is changed while a run goes on ------------------------------------------------------------------------------


class Between(Callback):
    """Changes something before each epoch."""

    def __init__(self, change):
        self.change = change

    def on_epoch_start(self, trainer, epoch):
        self.change(trainer, epoch)


class Weighted:
    """A loss with a setting."""

    weight = 1.0

    def __call__(self, output, targets):
        return ops.cross_entropy(output, targets) * self.weight


def set_weight(trainer, epoch):
    trainer.loss.weight = 1 / epoch


def set_rate(trainer, epoch):
    trainer.model[3].p = 0.1 * epoch


def set_clip(trainer, epoch):
    trainer.clip_grad_norm = 0.01 * epoch


def freeze(trainer, epoch):
    trainer.model[0].requires_grad_(epoch % 2 == 0)


def still(trainer, epoch):
    trainer.model[1].eval()


def other_loss(trainer, epoch):
    if epoch == 2:
        trainer.loss = lambda output, targets: 2 * ops.cross_entropy(output, targets)


def other_numbers(trainer, epoch):
    trainer.model[0].weight.data = trainer.model[0].weight.numpy() * 0.5


def add(trainer, epoch):
    if epoch == 2:
        trainer.accumulate = 2


@pytest.mark.parametrize(
    "change", [set_weight, set_rate, set_clip, freeze, still, other_loss, other_numbers, add], ids=lambda f: f.__name__
)
def test_what_a_callback_changes_counts(change):
    runs = []
    for engine in ("eager", "auto"):
        trainer, loader = small(None, Weighted, engine, [Between(change)])
        trainer.fit(loader, 4)
        runs.append(trainer)
    assert runs[1].eager_because == ""
    assert_close(*map(numbers, runs))


def test_hooks_are_called_in_each_step_also_one_that_comes_later():
    seen = {"eager": [], "auto": []}
    for engine, calls in seen.items():
        trainer, loader = small(None, None, engine)
        trainer.fit(loader, 1)
        assert trainer.eager_because == ""
        handle = trainer.model[0].register_forward_hook(lambda module, args, output, calls=calls: calls.append(1))
        trainer.fit(loader, 2)
        handle.remove()
    assert len(seen["auto"]) == len(seen["eager"]) == len(loader)
    assert "hook" in trainer.eager_because


def test_an_optimiser_with_a_step_of_its_own_is_called():
    class Own(optim.SGD):
        taken = 0

        def step(self, closure=None):
            self.taken += 1
            return super().step(closure)

    trainer, loader = small(optimizer=lambda parameters: Own(parameters, lr=0.1))
    trainer.fit(loader, 1)
    assert trainer.optimizer.taken == len(loader)
    assert "Own" in trainer.eager_because


def test_batches_of_many_shapes_are_not_captured_for_ever():
    trainer, _ = small()
    batches = [(ROWS.inputs[:n], ROWS.targets[:n]) for n in range(2, 30)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer.fit(batches, 1)
    assert "more than 16 shapes" in trainer.eager_because


def test_what_changes_again_and_again_is_told_once():
    class Anneal(Notes):
        def on_batch_end(self, trainer, loss):
            trainer.loss.weight *= 0.95

    notes = Anneal()
    trainer, loader = small(None, Weighted, "auto", [notes])
    trainer.fit(loader, 5)
    other, loader = small(None, Weighted, "eager", [Anneal()])
    other.fit(loader, 5)
    assert len(notes.lines) == 1
    assert "Weighted.weight" in notes.lines[0]
    assert_close(numbers(trainer), numbers(other))


def test_without_what_captures_a_training_is_eager_and_no_more_is_said():
    program = """if True:
        import sys
        sys.modules["ichikara.fast"] = None
        from ichikara import nn, optim
        from ichikara.data import DataLoader, load_xor
        from ichikara.errors import UserError
        from ichikara.train import Trainer

        def trainer(engine):
            model = nn.Linear(2, 2)
            return Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), engine=engine)

        auto = trainer("auto")
        auto.fit(DataLoader(load_xor(), batch_size=4), 2)
        print(auto.steps, repr(auto.eager_because))
        try:
            trainer("replay").fit(DataLoader(load_xor(), batch_size=4), 1)
        except UserError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "2 ''"
    assert "ichikara.fast cannot be imported" in done.stdout.splitlines()[1]


# --- errors, and other uses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["eager", "auto", "replay"])
@pytest.mark.parametrize("at", [1, 4])
def test_a_run_that_diverges_keeps_the_weights_of_the_step_before(engine, at):
    trainer, _ = small(engine=engine)
    batches = [(ROWS.inputs[:16], ROWS.targets[:16])] * 5
    batches[at - 1] = (batches[0][0] * numpy.inf, batches[0][1])
    with pytest.raises(DivergedError, match=f"epoch 1, batch {at}"):
        trainer.fit(batches, 1)
    other, _ = small(engine=engine)
    if at > 1:
        other.fit(batches[: at - 1], 1)
    for weight, wanted in zip(trainer.model.parameters(), other.model.parameters(), strict=True):
        numpy.testing.assert_array_equal(weight.numpy(), wanted.numpy())
    assert trainer.steps == at - 1


@pytest.mark.parametrize("engine", ["auto", "replay"])
def test_a_mistake_is_the_same_error_as_eagerly(engine):
    def error(engine):
        trainer, _ = small(engine=engine)
        with pytest.raises((UserError, ValueError, IndexError)) as caught:
            trainer.fit([(ROWS.inputs[:16], ROWS.targets[:16] + 5)], 1)
        return caught

    assert str(error(engine).value) == str(error("eager").value)
    assert error(engine).type is error("eager").type


def test_the_search_for_a_learning_rate_leaves_the_run_as_it_was():
    trainer, loader = small()
    before = numbers(trainer)
    found = find_learning_rate(trainer, loader, steps=20)
    assert len(found.losses) > 5
    assert_same(before, numbers(trainer))
