"""The training loop: it learns, stops, saves, and goes on as if nothing had happened."""

import errno
import json
import signal
import threading

import numpy
import pytest

from ichikara import nn, ops, optim
from ichikara.arrays import Generator, using
from ichikara.data import DataLoader, Dataset, TestVault, load_cubic, load_moons, load_xor, split
from ichikara.errors import UserError, VaultOpenedError
from ichikara.train import Callback, DivergedError, EarlyStopping, History, Objective, Trainer, accuracy
from ichikara.train import checkpoint as checkpoints

MOONS = split(load_moons(200, noise=0.2, seed=1), validation=0.25, seed=1)


def make(seed=0, callbacks=(), lr=0.02, schedule="cosine", **options):
    """A run with everything whose state matters: dropout, shuffling, momentum, a schedule."""
    root = Generator(seed)
    with using(root.spawn()):
        model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 2))
    loader = DataLoader(MOONS.train, batch_size=16, shuffle=True, generator=root.spawn())
    optimizer = optim.Adam(model.parameters(), lr=lr)
    if schedule == "cosine":
        options["schedule"] = optim.CosineAnnealingLR(optimizer, 10)
    elif schedule == "plateau":
        options["schedule"] = optim.ReduceLROnPlateau(optimizer, patience=1, threshold=0.5)
    trainer = Trainer(
        model,
        Objective("cross_entropy", MOONS.train),
        optimizer,
        callbacks=callbacks,
        generator=root.spawn(),
        **options,
    )
    return trainer, loader


def numbers(trainer):
    """The weights and results of a run, apart from its time."""
    weights = {name: value.numpy() for name, value in trainer.model.state_dict().items()}
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in trainer.history.rows]
    return weights, rows, trainer.steps


def assert_same(a, b):
    (weights_a, rows_a, steps_a), (weights_b, rows_b, steps_b) = a, b
    assert steps_a == steps_b
    assert rows_a == rows_b
    for name in weights_a:
        numpy.testing.assert_array_equal(weights_a[name], weights_b[name])


def test_a_network_learns_what_one_line_cannot_separate():
    trainer, loader = make(lr=0.05)
    history = trainer.fit(loader, 30, MOONS.validation)
    assert len(history) == 30
    assert history.last["val_accuracy"] > 0.9
    assert history["train_loss"][-1] < 0.6 * history["train_loss"][0]
    assert trainer.evaluate(MOONS.validation)["loss"] == pytest.approx(history.last["val_loss"])


def test_training_loss_is_the_mean_over_examples_also_with_a_short_last_batch():
    data = load_cubic(n_samples=7)
    model = nn.Linear(1, 1)
    trainer = Trainer(model, Objective("mse", data), optim.SGD(model.parameters(), lr=0.0))
    trainer.fit(DataLoader(data, batch_size=3), 1, data)
    assert trainer.history.last["train_loss"] == pytest.approx(trainer.history.last["val_loss"], rel=1e-6)


@pytest.mark.parametrize("schedule", ["cosine", "plateau", None])
@pytest.mark.parametrize("cut", [1, 4])
def test_a_resumed_run_goes_on_bit_for_bit(tmp_path, cut, schedule):
    whole, loader = make(callbacks=[EarlyStopping(patience=4)], schedule=schedule)
    whole.fit(loader, 8, MOONS.validation)

    first, loader = make(callbacks=[EarlyStopping(patience=4)], schedule=schedule)
    first.fit(loader, cut, MOONS.validation, tmp_path / "c.safetensors")
    second, loader = make(seed=99, callbacks=[EarlyStopping(patience=4)], schedule=schedule)
    second.resume(tmp_path / "c.safetensors", loader)
    second.fit(loader, 8, MOONS.validation)
    assert_same(numbers(whole), numbers(second))
    assert whole.stopped == second.stopped


class InterruptAt(Callback):
    """Presses Ctrl-C after a number of batches."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer, loss):
        if trainer.steps == self.step:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", [1, 5, 10, 13])  # an epoch has 10 batches
def test_ctrl_c_saves_what_was_learnt_and_the_epoch_is_taken_up_in_its_middle(tmp_path, step):
    whole, loader = make(callbacks=[EarlyStopping()])
    whole.fit(loader, 3, MOONS.validation)

    first, loader = make(callbacks=[EarlyStopping(), InterruptAt(step)])
    first.fit(loader, 3, MOONS.validation, tmp_path / "c.safetensors")
    assert first.interrupted
    assert first.steps == step
    second, loader = make(seed=5, callbacks=[EarlyStopping(), Callback()])
    second.resume(tmp_path / "c.safetensors", loader)
    second.fit(loader, 3, MOONS.validation)
    assert_same(numbers(whole), numbers(second))


def test_a_second_ctrl_c_ends_at_once_and_the_handler_is_given_back():
    class Twice(Callback):
        def on_batch_end(self, trainer, loss):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    trainer, loader = make(callbacks=[Twice()])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(loader, 1)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_works_in_threads_with_streams_of_their_own():
    alone = []
    for seed in (0, 1):
        trainer, loader = make(seed)
        trainer.fit(loader, 2)
        alone.append(numbers(trainer))
    runs = [make(0), make(1)]
    threads = [threading.Thread(target=trainer.fit, args=(loader, 2)) for trainer, loader in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (trainer, _), expected in zip(runs, alone, strict=True):
        assert_same(numbers(trainer), expected)


def test_early_stopping_stops_and_restores_the_best_weights():
    class Script(EarlyStopping):
        """Judges epochs by numbers written down beforehand."""

        def on_epoch_end(self, trainer, row):
            super().on_epoch_end(trainer, row | {"score": [3.0, 1.0, 2.0, 1.5, 0.0][row["epoch"] - 1]})

    stopper = Script(monitor="score", patience=2)
    trainer, loader = make(callbacks=[stopper])
    kept = {}

    class Keep(Callback):
        def on_epoch_end(self, trainer, row):
            kept[row["epoch"]] = trainer.model.state_dict()

    trainer.callbacks.append(Keep())
    trainer.fit(loader, 5)
    assert trainer.epoch == 4
    assert "epoch 2" in trainer.stopped
    for name, value in trainer.model.state_dict().items():
        numpy.testing.assert_array_equal(value.numpy(), kept[2][name].numpy())


def test_a_run_that_was_stopped_stays_so_when_it_is_taken_up_again(tmp_path):
    first, loader = make(callbacks=[EarlyStopping(patience=1, min_delta=10.0)])
    first.fit(loader, 8, MOONS.validation, tmp_path / "c.safetensors")
    assert first.epoch == 2
    second, loader = make(callbacks=[EarlyStopping(patience=1, min_delta=10.0)])
    second.resume(tmp_path / "c.safetensors", loader)
    second.fit(loader, 8, MOONS.validation)
    assert_same(numbers(first), numbers(second))


def test_early_stopping_of_an_accuracy_looks_for_the_highest():
    assert EarlyStopping("val_accuracy").sign == -1
    assert EarlyStopping("val_loss").sign == 1
    trainer, loader = make(callbacks=[EarlyStopping("val_los")])
    with pytest.raises(UserError, match="watches 'val_los'"):
        trainer.fit(loader, 1)


def test_a_loss_that_is_not_finite_ends_the_run_in_words():
    trainer, loader = make(lr=0.1)
    trainer.fit(loader, 1)
    first = next(iter(trainer.model.parameters()))
    first.data = numpy.full(first.shape, numpy.nan)
    with pytest.raises(DivergedError, match=r"epoch 2, batch 1.\nNaN was already in the parameter '0.weight'"):
        trainer.fit(loader, 2)


def test_the_gradient_is_clipped():
    trainer, loader = make(clip_grad_norm=1e-3, schedule=None)
    inputs, targets = next(iter(loader))
    trainer.model.train()
    trainer.step(inputs, targets)
    norm = sum((p.grad.numpy() ** 2).sum() for p in trainer.model.parameters()) ** 0.5
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_evaluation_leaves_the_mode_and_the_stream_alone():
    trainer, _ = make()
    trainer.model.train()
    before = trainer.generator.state
    trainer.evaluate(MOONS.validation)
    trainer.predict(MOONS.validation.inputs)
    assert trainer.model.training
    assert trainer.generator.state == before


def test_predict_gives_what_the_network_gives_in_batches_of_any_size():
    trainer, _ = make()
    whole = trainer.predict(MOONS.train.inputs)
    numpy.testing.assert_allclose(trainer.predict(MOONS.train.inputs, batch_size=7), whole, rtol=1e-6)
    assert trainer.predict(MOONS.train.inputs[:0]).shape == (0, 2)


def test_the_vault_opens_once_for_evaluate_and_again_by_name():
    trainer, _ = make()
    vault = TestVault(MOONS.validation)
    first = trainer.evaluate(vault)
    with pytest.raises(VaultOpenedError):
        trainer.evaluate(vault)
    assert trainer.evaluate(vault, again=True, by="a second look") == first
    assert [opening.by for opening in vault.openings] == ["evaluate", "a second look"]


@pytest.mark.parametrize(
    "number",
    [numpy.float32, numpy.float64, numpy.array, numpy.int64, int, ops.asarray, lambda value: numpy.array([value])],
    ids=["float32", "float64", "0-d", "int64", "int", "tensor", "of one"],
)
def test_a_metric_may_be_a_number_of_any_kind(tmp_path, number):
    trainer, loader = make(metrics=lambda output, targets: {"half": number(1)}, callbacks=[EarlyStopping("val_half")])
    trainer.fit(loader, 2, MOONS.validation, tmp_path / "c.safetensors")
    assert trainer.history["train_half"] == trainer.history["val_half"] == [1.0, 1.0]
    assert {type(value) for row in trainer.history.rows for value in row.values()} == {int, float}
    fresh, loader = make(callbacks=[EarlyStopping("val_half")])
    fresh.resume(tmp_path / "c.safetensors", loader)
    assert fresh.history.rows == trainer.history.rows


@pytest.mark.parametrize("wrong", [None, "high", numpy.ones(3), ops.zeros((2, 2))])
def test_a_metric_that_is_no_single_number_is_named(wrong):
    trainer, loader = make(metrics=lambda output, targets: {"odd": wrong})
    with pytest.raises(UserError, match="metric 'odd'"):
        trainer.fit(loader, 1)


@pytest.mark.parametrize("used_up", [iter, lambda batches: (batch for batch in batches), lambda b: map(tuple, b)])
def test_an_iterator_is_refused_for_more_than_one_epoch(used_up):
    trainer, loader = make()
    with pytest.raises(UserError, match=r"used up after one epoch.*DataLoader"):
        trainer.fit(used_up(list(loader)), 2, MOONS.validation)
    assert trainer.steps == 0
    assert len(trainer.fit(used_up(list(loader)), 1)) == 1


def test_a_loader_that_is_its_own_iterator_begins_anew():
    class Again:
        def __init__(self, batches):
            self.batches = batches

        def __iter__(self):
            self.left = list(self.batches)
            return self

        def __next__(self):
            if not self.left:
                raise StopIteration
            return self.left.pop(0)

    trainer, loader = make()
    assert len(trainer.fit(Again(list(loader)), 3)) == 3


def test_a_loader_that_gives_nothing_any_more_ends_the_run_in_words():
    class Once:
        def __init__(self, batches):
            self.batches = iter(batches)

        def __iter__(self):
            return self.batches

    trainer, loader = make(callbacks=[EarlyStopping(patience=1)])
    with pytest.raises(UserError, match="no batch in epoch 2"):
        trainer.fit(Once(list(loader)), 3, MOONS.validation)
    assert trainer.stopped is None
    assert trainer.epoch == 1


def test_a_single_class_is_refused_before_the_training():
    data = Dataset(numpy.ones((4, 2)), [0, 0, 0, 0], name="mine", classes=("yes",))
    for loss in ("cross_entropy", "bce", "mse"):
        with pytest.raises(UserError, match="mine has a single class, 'yes'"):
            Objective(loss, data)


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    """The last step of an epoch made them so: no loss has seen them yet."""

    class Break(Callback):
        def on_batch_end(self, trainer, loss):
            if trainer.epoch == 1 and trainer.steps == 20:
                parameter = next(iter(trainer.model.parameters()))
                parameter.data = numpy.full(parameter.shape, numpy.inf, "float32")

    path = tmp_path / "c.safetensors"
    for extra in ([], [InterruptAt(20)]):
        trainer, loader = make(callbacks=[Break(), *extra])
        with pytest.raises(DivergedError, match="a weight became infinite or not a number in epoch 2"):
            trainer.fit(loader, 2, MOONS.validation, path)
        assert trainer.diverged == 2
        assert all(numpy.isfinite(array).all() for array in checkpoints.load_arrays(path)[0].values())
        assert trainer.best[1] == 1


# --- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_truncated_checkpoint_is_one_clear_error(tmp_path, keep):
    path = tmp_path / "c.safetensors"
    trainer, loader = make()
    trainer.fit(loader, 1, checkpoint=path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    fresh, loader = make()
    with pytest.raises(UserError, match="damaged"):
        fresh.resume(path, loader)


def test_a_checkpoint_of_another_network_is_refused_and_nothing_is_changed(tmp_path):
    path = tmp_path / "c.safetensors"
    model = nn.Linear(3, 1)
    other = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    other.fit([(numpy.ones((2, 3), "float32"), numpy.ones((2, 1), "float32"))], 1, checkpoint=path)
    trainer, _ = make()
    before = numbers(trainer)
    with pytest.raises(UserError, match="another run"):
        trainer.resume(path)
    assert_same(before, numbers(trainer))
    with pytest.raises(UserError, match="no file"):
        trainer.resume(tmp_path / "none")


def test_a_full_disk_is_one_clear_error_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    trainer, loader = make()
    trainer.fit(loader, 1, checkpoint=path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"No space left on device.*untouched"):
        trainer.fit(loader, 2, checkpoint=path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_states_of_any_form_are_packed_and_unpacked(tmp_path):
    state = {"a": [1, 2.5, None, True, "x"], 3: {"b": numpy.arange(4), "c": (1, {})}, "d": numpy.float32(1.5), "e": []}
    arrays = {}
    packed = json.loads(json.dumps(checkpoints.pack(state, arrays, "s")))
    back = checkpoints.unpack(packed, arrays)
    numpy.testing.assert_array_equal(back[3].pop("b"), state[3].pop("b"))
    assert back == state


# --- history, objectives ----------------------------------------------------------------------------------------------


def test_history_has_columns_rows_and_a_table():
    history = History([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "extra": 5}])
    assert history.csv() == "epoch,loss,extra\n1,2.0,\n2,1.0,5\n"
    assert history.best("loss") == {"epoch": 2, "loss": 1.0, "extra": 5}
    assert history.best("loss", highest=True)["epoch"] == 1
    assert history.best("none") == {}
    assert History().last == {}


@pytest.mark.parametrize(
    ("loss", "outputs", "expected"),
    [
        ("cross_entropy", [[0.0, 0.0], [0.0, 0.0]], numpy.log(2)),
        ("mse", [[0.5, 0.5], [0.5, 0.5]], 0.25),
        ("quadratic", [[0.5, 0.5], [0.5, 0.5]], 0.25),
        ("l1", [[0.5, 0.5], [0.5, 0.5]], 0.5),
        ("bce", [[0.0], [0.0]], numpy.log(2)),
        ("perceptron", [[2.0], [-3.0]], (2.0 + 3.0) / 2),  # targets 0, 1: both are wrong
        ("perceptron", [[-2.0], [3.0]], 0.0),
    ],
)
def test_an_objective_gives_the_targets_the_form_that_its_loss_wants(loss, outputs, expected):
    objective = Objective(loss, load_xor())
    assert objective(ops.asarray(outputs), ops.asarray([0, 1])).item() == pytest.approx(expected, rel=1e-6)


def test_objectives_refuse_tasks_that_they_cannot_judge():
    with pytest.raises(UserError, match="compares classes"):
        Objective("cross_entropy", load_cubic())
    with pytest.raises(UserError, match="two classes"):
        Objective("perceptron", Dataset([[0.0]], [2], classes=("a", "b", "c")))
    with pytest.raises(UserError, match="did you mean 'huber'"):
        Objective("hubert", load_cubic())


def test_accuracy_and_decisions():
    assert accuracy(ops.asarray([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), ops.asarray([0, 1, 1])) == pytest.approx(2 / 3)
    assert accuracy(ops.asarray([[1.0], [-1.0]]), ops.asarray([1, 1])) == 0.5
    chosen, probability = Objective("bce", load_xor()).decide(ops.asarray([[2.0], [-2.0]]))
    assert chosen.tolist() == [1, 0]
    assert probability == pytest.approx([0.8807970, 0.8807970])
    chosen, probability = Objective("cross_entropy", load_xor()).decide(ops.asarray([[0.0, 1.0]]))
    assert chosen.tolist() == [1]
    assert probability == pytest.approx([0.7310586])
