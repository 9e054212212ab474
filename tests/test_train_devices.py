"""What makes training perform: accumulated gradients, averaged weights, a rate to begin with, folds, a baseline."""

import io
import re
import signal
import subprocess
import sys

import joblib
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ichikara import nn, ops, optim
from ichikara.arrays import Generator, default_generator, using
from ichikara.data import (
    DataLoader,
    Dataset,
    MinMaxScaler,
    StandardScaler,
    TestVault,
    k_folds,
    load_blobs,
    load_cubic,
    load_digits,
    load_moons,
    load_xor,
    split,
    text_dataset,
)
from ichikara.errors import UserError
from ichikara.plot import fold_scores, learning_rate_curve
from ichikara.train import (
    Callback,
    CrossValidation,
    EarlyStopping,
    ExponentialMovingAverage,
    LearningRates,
    Objective,
    Trainer,
    cross_validate,
    find_learning_rate,
    linear_baseline,
)

MOONS = split(load_moons(200, noise=0.2, seed=1), validation=0.25, seed=1)


def make(seed=0, batch_size=16, dropout=0.2, lr=0.02, **options):
    """A run with everything whose state matters: dropout, shuffling, momentum, a schedule."""
    root = Generator(seed)
    with using(root.spawn()):
        model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 2))
    loader = DataLoader(MOONS.train, batch_size, shuffle=True, generator=root.spawn())
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = optim.CosineAnnealingLR(optimizer, 100)
    trainer = Trainer(
        model,
        Objective("cross_entropy", MOONS.train),
        optimizer,
        schedule=schedule,
        schedule_every="batch",
        generator=root.spawn(),
        **options,
    )
    return trainer, loader


def weights(trainer):
    return {name: value.numpy() for name, value in trainer.model.state_dict().items()}


def rows(trainer):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in trainer.history.rows]


def assert_same(a, b):
    assert (a.steps, rows(a)) == (b.steps, rows(b))
    for name, value in weights(a).items():
        numpy.testing.assert_array_equal(value, weights(b)[name])


class InterruptAfter(Callback):
    """Presses Ctrl-C after a number of batches."""

    def __init__(self, batches):
        self.batches = batches

    def on_batch_end(self, trainer, loss):
        self.batches -= 1
        if self.batches == 0:
            signal.raise_signal(signal.SIGINT)


def interrupted(tmp_path, batches, options):
    """A run that was interrupted after some batches, saved, and resumed by another trainer."""
    first, loader = make(callbacks=[InterruptAfter(batches)], **options())
    first.fit(loader, 3, MOONS.validation, tmp_path / "c.safetensors")
    assert first.interrupted
    second, loader = make(seed=5, callbacks=[Callback()], **options())
    second.resume(tmp_path / "c.safetensors", loader)
    second.fit(loader, 3, MOONS.validation)
    return second


# --- gradient accumulation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [48, 40, 35])  # the last step of an epoch: whole, of fewer batches, with a smaller one
@pytest.mark.parametrize("clip", [None, 0.05])
def test_accumulated_batches_are_one_large_batch(n, clip):
    data = load_moons(n, noise=0.2)

    def run(batch_size, accumulate):
        with using(Generator(1)):
            model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).to("float64")
        optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        schedule = optim.ExponentialLR(optimizer, 0.95)
        trainer = Trainer(
            model,
            lambda output, targets: ops.cross_entropy(output, targets),
            optimizer,
            schedule=schedule,
            schedule_every="batch",
            accumulate=accumulate,
            clip_grad_norm=clip,
        )
        loader = DataLoader(data, batch_size, shuffle=True, generator=Generator(2))
        trainer.fit(DataInFloat64(loader), 4)
        return trainer

    small, large = run(4, 3), run(12, 1)
    assert small.steps == large.steps == 4 * -(-n // 12)
    assert small.learning_rate == large.learning_rate
    numpy.testing.assert_allclose(small.history["train_loss"], large.history["train_loss"], rtol=1e-10)
    for name, value in weights(small).items():
        numpy.testing.assert_allclose(value, weights(large)[name], rtol=1e-9, atol=1e-12)


class DataInFloat64:
    def __init__(self, loader):
        self.loader = loader

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        return ((inputs.astype("float64"), targets) for inputs, targets in self.loader)


@pytest.mark.parametrize("batches", [1, 4, 8, 9, 10, 13])  # of 10 in an epoch, in steps of 4, 4 and 2
def test_a_run_interrupted_between_the_batches_of_a_step_goes_on_bit_for_bit(tmp_path, batches):
    whole, loader = make(accumulate=4, callbacks=[Callback()])
    whole.fit(loader, 3, MOONS.validation)
    assert whole.steps == 9
    assert_same(whole, interrupted(tmp_path, batches, lambda: {"accumulate": 4}))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_accumulate_is_a_number_of_batches(wrong):
    with pytest.raises(UserError, match="accumulate is a whole number of batches"):
        make(accumulate=wrong)


# --- averaged weights -------------------------------------------------------------------------------------------------


@given(st.floats(0, 0.999), st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_the_average_is_its_formula(decay, values):
    layer, average = nn.Linear(1, 1, bias=False).to("float64"), ExponentialMovingAverage(decay)
    a = 0.0
    for t, w in enumerate(values, 1):
        layer.load_state_dict({"weight": [[w]]})
        average.update(layer)
        a = decay * a + (1 - decay) * w
        expected = a / (1 - decay**t)
        numpy.testing.assert_allclose(average.weights["weight"], [[expected]], rtol=1e-7, atol=1e-7)
        with average.applied(layer):
            assert layer.weight.item() == pytest.approx(expected, rel=1e-7, abs=1e-7)
        assert layer.weight.item() == w


class Watch(Callback):
    """Keeps the network's weights after each step, and those that it has at the end of each epoch."""

    def __init__(self):
        self.steps, self.epochs = [], []

    def on_batch_end(self, trainer, loss):
        self.steps.append(weights(trainer))

    def on_epoch_end(self, trainer, row):
        self.epochs.append(weights(trainer))


def averages(steps, decay):
    """The average of weights after each step, from its definition."""
    result = []
    for t in range(1, len(steps) + 1):
        shares = decay ** numpy.arange(t - 1, -1, -1.0)
        result.append({n: sum(s * w[n] for s, w in zip(shares, steps, strict=False)) / shares.sum() for n in steps[0]})
    return result


def test_a_run_learns_with_the_weights_and_is_judged_and_ends_with_the_average():
    watch, plain_watch = Watch(), Watch()
    trainer, loader = make(averaging=ExponentialMovingAverage(0.9), callbacks=[watch])
    trainer.fit(loader, 4, MOONS.validation)
    plain, plain_loader = make(callbacks=[plain_watch])
    plain.fit(plain_loader, 4, MOONS.validation)
    for one, other in zip(watch.steps, plain_watch.steps, strict=True):  # learning is as it would be without
        for name in one:
            numpy.testing.assert_array_equal(one[name], other[name])
    assert trainer.history["train_loss"] == plain.history["train_loss"]
    expected = averages(watch.steps, 0.9)
    for epoch, seen in enumerate(watch.epochs, 1):
        for name, value in seen.items():
            numpy.testing.assert_allclose(value, expected[10 * epoch - 1][name], atol=1e-6)
        with_average, _ = make()
        with_average.model.load_state_dict(seen)
        loss = with_average.evaluate(MOONS.validation)["loss"]
        assert trainer.history["val_loss"][epoch - 1] == loss
    assert trainer.history["val_loss"] != plain.history["val_loss"]
    for name, value in weights(trainer).items():
        numpy.testing.assert_array_equal(value, watch.epochs[-1][name])


@pytest.mark.parametrize("batches", [1, 9, 10, 17])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_an_averaged_run_goes_on_bit_for_bit(tmp_path, batches, accumulate):
    options = lambda: {"averaging": ExponentialMovingAverage(0.95), "accumulate": accumulate}
    whole, loader = make(callbacks=[Callback()], **options())
    whole.fit(loader, 3, MOONS.validation)
    assert whole.averaging.steps == whole.steps
    assert_same(whole, interrupted(tmp_path, batches, options))


def test_a_finished_run_that_is_taken_up_has_the_average_and_saving_in_an_epochs_end_saves_the_weights(tmp_path):
    class Save(Callback):
        def on_epoch_end(self, trainer, row):
            trainer.save(tmp_path / f"{row['epoch']}.safetensors")

    options = lambda: {"averaging": ExponentialMovingAverage(0.9)}
    whole, loader = make(callbacks=[Save()], **options())
    whole.fit(loader, 3, MOONS.validation, tmp_path / "end.safetensors")
    for name in ("2", "end"):
        again, loader = make(seed=3, callbacks=[Save()], **options())
        again.resume(tmp_path / f"{name}.safetensors", loader)
        again.fit(loader, 3, MOONS.validation)
        assert_same(whole, again)


def test_early_stopping_keeps_the_best_average():
    watch = Watch()
    stopper = EarlyStopping("val_loss", patience=50)
    trainer, loader = make(lr=0.3, averaging=ExponentialMovingAverage(0.5), callbacks=[watch, stopper])
    trainer.fit(loader, 8, MOONS.validation)
    assert trainer.evaluate(MOONS.validation)["loss"] == min(trainer.history["val_loss"])
    for name, value in weights(trainer).items():
        numpy.testing.assert_array_equal(value, watch.epochs[stopper.best_epoch - 1][name])


def test_batch_statistics_are_averaged_with_the_weights_and_counts_are_not():
    model, average = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2)), ExponentialMovingAverage(0.5)
    means = []
    for k in range(1, 4):
        model(Generator(k).normal((8, 1)) + k)
        means.append(model[1].running_mean.numpy())
        average.update(model)
    expected = (0.125 * means[0] + 0.25 * means[1] + 0.5 * means[2]) / (1 - 0.125)
    with average.applied(model):
        numpy.testing.assert_allclose(model[1].running_mean.numpy(), expected, rtol=1e-5)
        assert model[1].num_batches_tracked.item() == 3
    numpy.testing.assert_array_equal(model[1].running_mean.numpy(), means[2])


def test_an_average_of_another_network_or_decay_is_refused(tmp_path):
    for wrong in (1, -0.1, "0.9", True):
        with pytest.raises(UserError, match="0 to below 1"):
            ExponentialMovingAverage(wrong)
    average = ExponentialMovingAverage(0.9)
    average.update(nn.Linear(2, 1))
    for call in (average.update, average.apply):
        with pytest.raises(UserError, match="not the weights that were averaged"):
            call(nn.Linear(3, 1))
    averaged, loader = make(averaging=ExponentialMovingAverage(0.9))
    averaged.fit(loader, 1, checkpoint=tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"another run.*averages its weights"):
        make()[0].resume(tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"another run.*decay of 0\.9"):
        make(averaging=ExponentialMovingAverage(0.99))[0].resume(tmp_path / "a.safetensors")


# --- the learning-rate finder -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
def test_the_search_leaves_no_trace(begun):
    """Also in the middle of training: the run continues as without it."""
    options = lambda: {"averaging": ExponentialMovingAverage(0.9), "accumulate": 2}
    plain, plain_loader = make(**options())
    trainer, loader = make(**options())
    if begun:
        plain.fit(plain_loader, 1)
        trainer.fit(loader, 1)
    trainer.model.eval()
    found = find_learning_rate(trainer, loader, steps=30, high=100.0)
    assert len(found.rates) > 5
    assert not trainer.model.training
    assert trainer.steps == plain.steps
    plain.fit(plain_loader, 2)
    trainer.fit(loader, 2)
    assert_same(plain, trainer)


def test_the_search_raises_the_rate_exponentially_and_smooths_the_loss():
    trainer, loader = make()
    found = find_learning_rate(trainer, loader, low=1e-5, high=1e-2, steps=7, smoothing=0.8)
    numpy.testing.assert_allclose(found.rates, 10.0 ** numpy.linspace(-5, -2, 7), rtol=1e-12)
    for i in range(7):
        shares = 0.8 ** numpy.arange(i, -1, -1.0)
        assert found.smoothed[i] == pytest.approx((shares * found.losses[: i + 1]).sum() / shares.sum())


def test_the_search_on_a_parabola_finds_what_theory_says():
    """L = h w² / 2 is multiplied by (1 - η h)² in each step, so while η rises by e^r in each it is about
    exp(-2 h η / r), which is steepest against log η where η = r / 2 h; beyond η = 2 / h it diverges."""
    h = 4.0
    model = nn.Linear(1, 1, bias=False)
    model.load_state_dict({"weight": [[3.0]]})
    batch = [(numpy.ones((1, 1), "float32"), numpy.zeros((1, 1), "float32"))]
    trainer = Trainer(model, lambda y, t: 0.5 * h * (y * y).mean(), optim.SGD(model.parameters(), lr=1.0))
    found = find_learning_rate(trainer, batch, low=1e-4, high=100, smoothing=0.0)
    assert found.losses[0] == 18
    assert found.suggestion == pytest.approx(numpy.log(100 / 1e-4) / 99 / (2 * h), rel=0.15)
    assert 1 / h < found.rates[-1] < 10  # it ended where it diverged, long before 100
    assert model.weight.item() == 3.0
    assert trainer.learning_rate == 1.0
    find_learning_rate(trainer, batch, high=1e30, steps=20, diverged=1e300)  # not finite in the end


def test_rates_of_groups_keep_their_proportions():
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
    groups = [{"params": list(model[0].parameters())}, {"params": list(model[1].parameters()), "lr": 0.03}]
    optimizer = optim.SGD(groups, lr=0.1)
    seen = io.StringIO()  # not a list, which would be restored after the search
    loss = lambda y, t: (print(*[g["lr"] for g in optimizer.param_groups], file=seen), ops.cross_entropy(y, t))[1]
    trainer = Trainer(model, loss, optimizer, engine="eager")
    find_learning_rate(trainer, DataLoader(load_xor(), 2), low=1e-4, high=1e-2, steps=5)
    rates = numpy.loadtxt(seen.getvalue().splitlines())
    numpy.testing.assert_allclose(rates[:, 1] / rates[:, 0], 0.3)
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.03]


def test_what_cannot_be_searched_is_answered():
    trainer, loader = make()
    for options, words in (
        ({"low": 0}, "0 < low < high"),
        ({"low": 1, "high": 0.1}, "0 < low < high"),
        ({"steps": 1}, "at least 2"),
        ({"smoothing": 1}, "from 0 to below 1"),
        ({"diverged": 1}, "diverged above 1"),
    ):
        with pytest.raises(UserError, match=words):
            find_learning_rate(trainer, loader, **options)
    with pytest.raises(UserError, match="no batches"):
        find_learning_rate(trainer, [])
    wrong = Trainer(trainer.model, lambda y, t: y.sum() * float("nan"), trainer.optimizer)
    with pytest.raises(UserError, match="not finite before the first step"):
        find_learning_rate(wrong, loader)
    rising = Trainer(trainer.model, lambda y, t: -y.sum(), trainer.optimizer)
    assert isinstance(find_learning_rate(rising, loader), LearningRates)


def test_a_loss_that_never_falls_has_no_suggestion_and_a_figure_all_the_same():
    losses = numpy.array([1.0, 2.0, 3.0])
    found = LearningRates(numpy.array([0.1, 1, 10]), losses, losses, None)
    assert learning_rate_curve(found, "none").axes[0].get_xscale() == "log"
    model = nn.Linear(1, 1)
    constant = Trainer(model, lambda y, t: (y * 0).sum() + 1, optim.SGD(model.parameters(), lr=0.1))
    batch = [(numpy.ones((1, 1), "float32"),) * 2]
    assert find_learning_rate(constant, batch).suggestion is None


# --- folds ------------------------------------------------------------------------------------------------------------


def labelled(labels, classes=None):
    """A set whose inputs are all different."""
    labels = numpy.asarray(labels)
    names = tuple("abcdefgh"[: classes or int(labels.max()) + 1])
    return Dataset(numpy.arange(len(labels))[:, None], labels, name="letters", classes=names)


def assert_folds(folds, n):
    """The parts are disjoint, and contain all examples."""
    numpy.testing.assert_array_equal(numpy.sort(numpy.concatenate([f.validation_rows for f in folds])), numpy.arange(n))
    for fold in folds:
        rows = numpy.concatenate([fold.train_rows, fold.validation_rows])
        numpy.testing.assert_array_equal(numpy.sort(rows), numpy.arange(n))


@given(st.integers(2, 60), st.integers(2, 8), st.integers(0, 1000))
def test_folds_are_disjoint_and_cover_everything(n, k, seed):
    data = Dataset(numpy.arange(n)[:, None], numpy.arange(n))
    if n < k:
        with pytest.raises(UserError, match=f"{n} examples, too few for {k} folds"):
            k_folds(data, k)
        return
    folds = k_folds(data, k, seed=seed)
    assert [fold.number for fold in folds] == list(range(1, k + 1))
    assert_folds(folds, n)
    sizes = [len(fold.validation_rows) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    assert len({fold.seed for fold in folds}) == k
    for one, same in zip(folds, k_folds(data, k, seed=seed), strict=True):
        numpy.testing.assert_array_equal(one.train_rows, same.train_rows)
        assert one.seed == same.seed
    for fold in folds:
        assert (fold.train.part, fold.validation.part) == ("train", "validation")
        assert fold.validation.inputs[:, 0].tolist() == fold.validation_rows.tolist()


@given(st.lists(st.integers(5, 30), min_size=2, max_size=5), st.integers(2, 5), st.integers(0, 1000))
def test_stratified_folds_hold_each_class_in_proportion(members, k, seed):
    labels = numpy.random.default_rng(seed).permutation(numpy.repeat(numpy.arange(len(members)), members))
    folds = k_folds(labelled(labels), k, seed=seed)
    assert_folds(folds, len(labels))
    for fold in folds:
        counts = numpy.bincount(labels[fold.validation_rows], minlength=len(members))
        assert (abs(counts - numpy.array(members) / k) < 1.01).all()


@given(st.integers(3, 12), st.integers(2, 3), st.booleans(), st.integers(0, 1000))
def test_a_group_is_never_on_both_sides(count, k, stratify, seed):
    rng = numpy.random.default_rng(seed)
    groups = rng.permutation(numpy.repeat(numpy.arange(count), rng.integers(2, 6, size=count)))
    labels = rng.integers(2, size=len(groups))
    for group in range(count):  # both classes in each group, so that none can be absent
        labels[numpy.flatnonzero(groups == group)[:2]] = [0, 1]
    folds = k_folds(labelled(labels, 2), k, groups=[f"patient {g}" for g in groups], stratify=stratify, seed=seed)
    assert_folds(folds, len(groups))
    for fold in folds:
        assert not set(groups[fold.train_rows]) & set(groups[fold.validation_rows])


def test_a_seed_has_its_own_folds():
    rows = lambda seed: k_folds(load_digits(), seed=seed)[0].validation_rows.tolist()
    assert rows(0) == rows(0) != rows(1)


# --- leakage ----------------------------------------------------------------------------------------------------------


def never(train, validation):
    raise AssertionError("nothing is trained where something leaks")


@pytest.mark.parametrize("scaler", [StandardScaler, MinMaxScaler])
def test_data_scaled_before_the_split_is_refused(scaler):
    data = load_digits()
    scaled = scaler().fit(data).transform(data)
    for given_ in (scaled, scaled[:500]):
        with pytest.raises(UserError, match=r"digits was scaled before the folds are made.*scaler=StandardScaler\(\)"):
            cross_validate(never, given_)
    with pytest.raises(UserError, match=f"this {scaler.__name__} was fitted before the split"):
        cross_validate(never, data, scaler=scaler().fit(data))
    assert len(k_folds(scaler().fit(data).inverse_transform(scaled), duplicates=True)) == 5


def test_the_same_row_on_both_sides_is_refused_and_can_be_allowed_or_kept_together():
    data = load_moons(60, noise=0.1)
    twice = Dataset(
        numpy.concatenate([data.inputs, data.inputs[:7]]),
        numpy.concatenate([data.targets, 1 - data.targets[:7]]),  # whatever their targets are
        name="copied",
        classes=data.classes,
    )
    pairs = 0
    for fold in k_folds(twice, 4, duplicates=True):
        here = set(fold.validation_rows.tolist())
        pairs += sum((i in here) != (60 + i in here) for i in range(7))
    assert pairs  # otherwise there was nothing to find
    with pytest.raises(UserError, match=r"copied: in fold \d, \d+ of \d+ validation rows are in the training part"):
        cross_validate(never, twice, 4)
    groups = [*range(60), *range(7)]
    assert_folds(k_folds(twice, 4, groups=groups), 67)


def test_the_error_counts_the_leaked_rows_and_names_two():
    inputs = numpy.arange(12.0)[:, None]
    inputs[3] = -0.0
    inputs[0] = 0.0  # equal, though its bytes are not
    data = Dataset(inputs, numpy.arange(12), name="zeros")
    with pytest.raises(UserError, match=r"in fold \d+, 1 of 1 validation rows") as caught:
        k_folds(data, 12)
    a, b = map(int, re.search(r"row (\d+) equals row (\d+)", str(caught.value)).groups())
    assert {a, b} == {0, 3}


def test_a_fold_opens_no_vault():
    parts = split(load_moons(120, noise=0.2), validation=0.2, test=0.2)
    vault = TestVault(parts.test)

    def peek(train, validation):
        model = nn.Linear(2, 2)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        return trainer.evaluate(vault)

    with pytest.raises(UserError, match="a fold may not open the test set"):
        cross_validate(peek, parts.train, 3)
    assert vault.openings == []
    with pytest.raises(UserError, match=r"folds are made of a Dataset, not TestVault; a vault stays closed"):
        cross_validate(never, vault)
    with pytest.raises(UserError, match="this is the test part of moons"):
        cross_validate(never, parts.test)
    assert peek(None, None)  # outside of the folds it opens, once
    assert len(vault.openings) == 1


def test_a_class_absent_from_a_fold_is_refused_by_its_name():
    data = labelled([0] * 20 + [1] * 20 + [2] * 3)
    with pytest.raises(UserError, match=r"class 'c' has 3 examples.*absent from 2 of 5 folds; use at most 3 folds"):
        cross_validate(never, data, 5)
    with pytest.raises(UserError, match=r"class 'c' is absent from the validation part of fold \d"):
        cross_validate(never, data, 5, stratify=False)
    with pytest.raises(UserError, match=r"class 'c' has 1 group, so it would be absent from 1 of 2"):
        cross_validate(never, data, 2, groups=[*range(20), *range(20), 1, 1, 1])
    with pytest.raises(UserError, match=r"class 'c' is absent from the (validation|training) part"):
        cross_validate(never, data, 2, groups=[*range(20), *range(20), 1, 1, 1], stratify=False)
    assert len(k_folds(labelled([0] * 5 + [1] * 5, classes=3), 5)) == 5  # a class that the set itself does not have


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cross_validate(never, load_moons(), 1), "folds is a whole number of at least 2"),
        (lambda: cross_validate(never, load_moons(), seed=-1), "seed is a whole number"),
        (lambda: cross_validate(never, text_dataset("abcabc")), "is a text, whose neighbouring examples overlap"),
        (lambda: cross_validate(never, load_cubic(), stratify=True), "one class for each example can be stratified"),
        (lambda: cross_validate(never, load_moons(20), groups=[1, 2]), r"each of the 20 examples.*\(2,\)"),
        (lambda: cross_validate(never, load_moons(20), groups=[1, 2] * 10), "2 groups cannot be divided over 5 folds"),
        (lambda: cross_validate(never, load_moons(), n_jobs=0), "n_jobs is how many folds"),
        (lambda: cross_validate(None, load_moons()), "train_fold is a function"),
        (lambda: cross_validate(never, load_moons(), scaler=StandardScaler), "unfitted scaler such as"),
        (lambda: cross_validate(lambda *_: 3, load_moons()), "returns the fitted Trainer, or measures by name, not 3"),
        (lambda: cross_validate(lambda *_: {"a": "b"}, load_moons()), "are numbers by name"),
        (
            lambda: cross_validate(lambda t, v: {str(v.inputs[0]): 1}, load_moons()),
            "every fold gives the same measures",
        ),
    ],
)
def test_each_misuse_of_folds_is_answered(call, words):
    with pytest.raises(UserError, match=words):
        call()


# --- cross-validation -------------------------------------------------------------------------------------------------


def trained(train, validation):
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 2))
    trainer = Trainer(model, Objective("cross_entropy", train), optim.Adam(model.parameters(), lr=0.05))
    trainer.generator = default_generator()
    trainer.fit(DataLoader(train, 32, shuffle=True), 4)
    return trainer


def without_seconds(result):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in result.rows]


def test_means_and_spreads_are_those_of_the_rows():
    result = cross_validate(trained, load_moons(150, noise=0.2), 4, scaler=StandardScaler(), seed=3)
    assert result["fold"] == [1, 2, 3, 4]
    assert [row["train"] + row["validation"] for row in result.rows] == [150] * 4
    assert result.measures == ["val_loss", "val_accuracy"]
    for measure in result.measures:
        assert result.means[measure] == pytest.approx(numpy.mean(result[measure]))
        assert result.spreads[measure] == pytest.approx(numpy.std(result[measure], ddof=1))
    assert result.csv().splitlines()[0] == "fold,train,validation,val_loss,val_accuracy,seconds"
    assert "4 folds: val_loss" in repr(result)


def test_each_fold_is_scaled_by_its_own_training_part():
    data = load_blobs(90, seed=2)
    seen = []

    def look(train, validation):
        assert train.scaled
        assert validation.scaled
        seen.append(validation.inputs)
        return {"mean": abs(train.inputs.mean(0)).max(), "deviation": train.inputs.std()}

    scaler = StandardScaler()
    result = cross_validate(look, data, 3, scaler=scaler)
    assert not scaler.fitted  # what was given stays as it was
    assert result.means["mean"] == pytest.approx(0, abs=1e-5)
    assert result.means["deviation"] == pytest.approx(1, abs=1e-5)
    for fold, inputs in zip(k_folds(data, 3), seen, strict=True):
        expected = StandardScaler().fit(fold.train).transform(fold.validation)
        numpy.testing.assert_array_equal(inputs, expected.inputs)


def test_in_parallel_the_numbers_are_the_same():
    data = load_moons(150, noise=0.2)

    def by_value(train, validation):  # sent to other processes as a whole
        return trained(train, validation)

    serial = cross_validate(by_value, data, 3, scaler=StandardScaler(), seed=1)
    with joblib.parallel_config(backend="threading"):
        threads = cross_validate(by_value, data, 3, scaler=StandardScaler(), seed=1, n_jobs=3)
    processes = cross_validate(by_value, data, 3, scaler=StandardScaler(), seed=1, n_jobs=2)
    other = cross_validate(by_value, data, 3, scaler=StandardScaler(), seed=2)
    assert without_seconds(serial) == without_seconds(threads)
    for one, far in zip(without_seconds(serial), without_seconds(processes), strict=True):
        assert one == pytest.approx(far, rel=1e-6)
    assert without_seconds(serial) != without_seconds(other)


def test_errors_of_a_fold_arrive_from_another_process():
    def wrong(train, validation):
        raise UserError("the network is too small")

    with pytest.raises(UserError, match="the network is too small"):
        cross_validate(wrong, load_moons(50), 2, n_jobs=2)


def test_scores_are_drawn_by_fold():
    result = CrossValidation([{"fold": i, "val_loss": 1.0 / i, "val_accuracy": 0.9} for i in (1, 2, 3)])
    figure = fold_scores(result, "three")
    assert [ax.get_ylabel() for ax in figure.axes] == ["val_loss", "val_accuracy"]
    points = [places for places in figure.axes[0].collections if len(places.get_offsets()) == 3]
    assert points[0].get_offsets()[:, 1].tolist() == result["val_loss"]


# --- the baseline -----------------------------------------------------------------------------------------------------


def test_the_baseline_of_classes_is_a_logistic_regression():
    parts = split(load_digits(as_images=True), validation=0.3)
    result = linear_baseline(parts.train, parts.validation)
    assert list(result) == ["name", "val_accuracy", "examples", "available", "seconds"]
    assert result["name"] == "logistic regression"
    assert 0.93 < result["val_accuracy"] < 0.98
    scaler = MinMaxScaler().fit(parts.train)
    assert linear_baseline(scaler.transform(parts.train), scaler.transform(parts.validation))["val_accuracy"] > 0.93


def test_a_large_set_is_sampled_and_the_result_says_so():
    parts = split(load_digits(), validation=0.3)
    result = linear_baseline(parts.train, parts.validation, limit=200)
    assert (result["examples"], result["available"]) == (200, len(parts.train))
    again = linear_baseline(parts.train, parts.validation, limit=200)
    assert again["val_accuracy"] == result["val_accuracy"] > 0.8


def test_the_baseline_of_numbers_is_a_ridge_regression():
    x = numpy.random.default_rng(0).normal(size=(200, 3, 2))
    y = 2 * x[:, :, 0] - x[:, :, 1]
    train, validation = Dataset(x[:150], y[:150]), Dataset(x[150:], y[150:])
    result = linear_baseline(train, validation)
    assert result["name"] == "ridge regression"
    assert result["val_loss"] < 1e-3
    noise = Dataset(x[150:], y[150:] + 1)
    assert linear_baseline(train, noise)["val_loss"] == pytest.approx(1, abs=0.05)


def test_the_baseline_of_a_text_is_a_table_of_pairs():
    train, validation = text_dataset("ab" * 200), text_dataset("ba" * 20, vocabulary=None)
    result = linear_baseline(train, validation)
    assert result["val_accuracy"] == 1
    assert result["val_loss"] == pytest.approx(-numpy.log(200.1 / 200.2), rel=0.01)


def test_a_baseline_gives_no_warnings_and_clear_errors():
    x = numpy.random.default_rng(0).normal(size=(50, 30)) * 1e4
    nearly = Dataset(numpy.concatenate([x, x], 1), numpy.arange(50) % 2, classes=("a", "b"))
    linear_baseline(nearly, nearly)  # warnings are errors here
    linear_baseline(Dataset(numpy.concatenate([x, x], 1), numpy.arange(50)), Dataset(numpy.tile(x, 2), numpy.ones(50)))
    one = Dataset(x, numpy.zeros(50), classes=("a", "b"))
    assert linear_baseline(one, one)["val_accuracy"] == 1
    with pytest.raises(UserError, match="validation set is empty"):
        linear_baseline(nearly, nearly[:0])
    sequences = Dataset(numpy.zeros((4, 3)), numpy.zeros((4, 3)), classes=("a", "b"))
    with pytest.raises(UserError, match="maps sequences to sequences"):
        linear_baseline(sequences, sequences)


def test_importing_the_devices_loads_nothing_heavy():
    code = (
        "import sys, ichikara.train, ichikara.plot\n"
        "print([m for m in ('scipy', 'sklearn', 'joblib', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 40))
def test_every_example_counts_once_however_batches_are_accumulated(accumulate, n):
    """The gradient of a whole epoch in one step is the mean over all examples, also of the smaller last batch."""
    x = numpy.arange(1.0, n + 1, dtype="float32")[:, None]
    model = nn.Linear(1, 1, bias=False)
    model.load_state_dict({"weight": [[1.0]]})
    trainer = Trainer(model, lambda y, t: y.mean(), optim.SGD(model.parameters(), lr=0.0), accumulate=accumulate)
    size = -(-n // accumulate)
    trainer.fit(DataLoader(Dataset(x, x), batch_size=size), 1)
    assert trainer.steps == 1
    assert model.weight.grad.item() == pytest.approx(x.mean(), rel=1e-5)
