"""The doctor's rules: each on a small training with the fault in it, and on the same training without it."""

from functools import cache
from pathlib import Path

import needs
import numpy
import pytest

from ichikara import nn, ops, optim, zoo
from ichikara.arrays import Generator, default_generator, using
from ichikara.autodiff import asarray, no_grad
from ichikara.data import DataLoader, Dataset, load_digits, split
from ichikara.glass.case import Case
from ichikara.glass.doctor import CAUSE_UNKNOWN, diagnose, resolve
from ichikara.glass.finding import Finding
from ichikara.glass.rules.rule import RULES
from ichikara.glass.watcher import watch
from ichikara.train import AdversarialTrainer, Adversaries, Optimizers

# --- a training, by hand ----------------------------------------------------------------------------------------------


@cache
def digits():
    """Training and validation data of handwritten digits, from 0 to 1."""
    whole = load_digits()
    parts = split(whole[:900], validation=0.3, test=0.0, seed=0)
    of = lambda data: Dataset(data.inputs / 16, data.targets, "digits", data.classes)
    return of(parts.train), of(parts.validation)


def mlp(*between, hidden=32):
    between = between or (nn.ReLU(),)
    return nn.Sequential(nn.Linear(64, hidden), *between, nn.Linear(hidden, 10))


def changed(data, inputs=None, targets=None):
    return Dataset(
        data.inputs if inputs is None else inputs, data.targets if targets is None else targets, "digits", data.classes
    )


def trained(
    model=None, loss=None, make=None, train=None, validation=None, steps=80, size=32, start=None, clear=True, step=True,
    evaluation=True, training=True, sign=1.0, clip=None, shuffle=True, reported=1.0, schedule=None, **settings,
):  # fmt: skip
    """A training with a loop written out, watched; as a case."""
    train, validation = train or digits()[0], validation or digits()[1]
    draws, losses, batches, history = Generator(0), [], [], []
    with using(Generator(1)):
        model = model() if model else mlp()
        if start:
            with no_grad():
                start(model)
        loss = loss or nn.CrossEntropyLoss()
        optimizer = make(model) if make else optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        with watch(model) as record, numpy.errstate(all="ignore"):
            for number in range(steps):
                rows = (
                    draws.permutation(len(train))[:size]
                    if shuffle
                    else numpy.arange(number * size, (number + 1) * size)
                )
                inputs, targets = train.inputs[rows % len(train)], train.targets[rows % len(train)]
                batches.append((inputs, targets))
                if clear:
                    optimizer.zero_grad()
                value = loss(model(asarray(inputs)), asarray(targets))
                (value * sign if sign != 1 else value).backward()
                if clip:
                    optim.clip_grad_norm_(model.parameters(), clip)
                if step:
                    optimizer.step()
                if schedule:
                    optimizer.param_groups[0]["lr"] *= schedule
                losses.append(value.item())
                if not numpy.isfinite(losses[-1]):
                    break
                if number % 20 == 19:
                    if evaluation:
                        model.eval()
                    with no_grad():
                        judged = loss(model(asarray(validation.inputs)), asarray(validation.targets)).item()
                    if training:
                        model.train()
                    history.append(
                        {
                            "epoch": number // 20 + 1,
                            "train_loss": numpy.mean(losses[-20:]),
                            "val_loss": judged * reported,
                        }
                    )
    return Case(
        record=record, history=history, losses=losses, model=model, loss=loss, optimizer=optimizer, train=train,
        validation=validation, batches=batches[:20], batch_size=size, settings={"shuffle": shuffle, **settings},
        diverged=not numpy.isfinite(losses[-1]),
    )  # fmt: skip


@cache
def healthy(name="mlp"):
    """A training in which nothing is wrong."""
    return trained(**{"mlp": {}, **HEALTHY}[name])


def dropped():
    return mlp(nn.ReLU(), nn.Dropout(0.3))


def normed():
    return nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))


def he(model):
    for part in model:
        if isinstance(part, nn.Linear):
            nn.init.kaiming_normal_(part.weight)


HEALTHY = {
    "dropout": {"model": dropped},
    "batch norm": {"model": normed},
    "deep": {"model": lambda: deep(nn.ReLU, 3), "start": he},
    "adam": {"make": lambda model: optim.Adam(model.parameters(), lr=0.01)},
}


def deep(kind, layers=8):
    inner = [part for _ in range(layers) for part in (nn.Linear(32, 32), kind())]
    return nn.Sequential(nn.Linear(64, 32), kind(), *inner, nn.Linear(32, 10))


# --- faults -----------------------------------------------------------------------------------------------------------


class Never(nn.Module):
    """Has a layer that it does not call."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x):
        return self.last(ops.relu(self.first(x)))


class Between(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def always_dropping(x):
    return x * (default_generator().bernoulli(0.5, x.shape) * 2).astype("float32")


def filled(value):
    def start(model):
        for parameter in model.parameters():
            if parameter.ndim > 1:
                nn.init.constant_(parameter, value)

    return start


def multiplied(factor):
    def start(model):
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.data = parameter.numpy() * factor

    return start


def lowered(model):
    nn.init.constant_(model[0].bias, -20.0)


def lifted(model):
    nn.init.constant_(model[0].bias, 20.0)


def frozen(model):
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)


def sgd(**options):
    return lambda model: optim.SGD(model.parameters(), **options)


def by_class():
    data = digits()[0]
    return data[numpy.argsort(data.targets, kind="stable")]


def column(value):
    inputs = digits()[0].inputs.copy()
    inputs[:, 20] = value
    return inputs


def thinned():
    data = digits()[0]
    rows = [numpy.flatnonzero(data.targets == k)[: None if k == 0 else 2] for k in range(10)]
    return data[numpy.concatenate(rows)]


def with_answer(data):
    inputs = data.inputs.copy()
    inputs[:, 0] = data.targets
    return changed(data, inputs)


def doubled():
    data = digits()[0]
    images = data.inputs.reshape(-1, 8, 8).copy()
    images[:, :, 4:] = images[:, :, :4]
    return changed(data, images.reshape(-1, 64))


def mixed():
    factor = numpy.ones(64, "float32")
    factor[::2] = 1000
    return changed(digits()[0], digits()[0].inputs * factor)


def joined():
    return changed(*[digits()[0]], *(numpy.concatenate(parts) for parts in zip(
        *((data.inputs, data.targets) for data in digits()), strict=True)))  # fmt: skip


def few():
    return digits()[0][:40]


def shuffled(data):
    return changed(data, None, data.targets[Generator(0).permutation(len(data))])


TRAIN, VALIDATION = (lambda: digits()[0]), (lambda: digits()[1])

FAULTS = {
    "never_called": lambda: {"model": Never},
    "outside_optimiser": lambda: {"make": lambda model: optim.SGD(model[2].parameters(), lr=0.1)},
    "frozen": lambda: {"start": frozen, "make": sgd(lr=0.02)},
    "detached": lambda: {"model": lambda: mlp(nn.ReLU(), Between(lambda x: x.detach()))},
    "no_derivative": lambda: {"model": lambda: mlp(Between(ops.sign))},
    "softmax_twice": lambda: {"model": lambda: nn.Sequential(mlp(), nn.Softmax(-1))},
    "no_softmax": lambda: {"loss": nn.NLLLoss()},
    "softmax_axis": lambda: {"model": lambda: nn.Sequential(mlp(), nn.LogSoftmax(0))},
    "no_nonlinearity": lambda: {"model": lambda: mlp(nn.Identity())},
    "symmetric": lambda: {"start": filled(0.05)},
    "random_evaluation": lambda: {"model": lambda: mlp(nn.ReLU(), Between(always_dropping))},
    "forgotten_zero_grad": lambda: {"clear": False},
    "no_update": lambda: {"step": False},
    "ascent": lambda: {"sign": -1.0, "make": sgd(lr=0.1)},
    "forgotten_eval": lambda: {"model": dropped, "evaluation": False},
    "forgotten_train": lambda: {"model": dropped, "training": False},
    "useless_column": lambda: {"train": changed(TRAIN(), column(1000.0))},
    "duplicate_columns": lambda: {"train": doubled()},
    "mixed_units": lambda: {"train": mixed()},
    "unscaled": lambda: {"train": changed(TRAIN(), TRAIN().inputs * 255)},
    "validation_scale": lambda: {"validation": changed(VALIDATION(), VALIDATION().inputs * 16)},
    "leaking": lambda: {"train": with_answer(TRAIN()), "validation": with_answer(VALIDATION())},
    "labels_differ": lambda: {"train": changed(TRAIN(), None, (TRAIN().targets + 1) % 10)},
    "wrong_labels": lambda: {"train": shuffled(TRAIN())},
    "validation_inputs": lambda: {"validation": changed(VALIDATION(), VALIDATION().inputs[:, ::-1].copy() ** 2)},
    "wrong_validation_labels": lambda: {"validation": shuffled(VALIDATION())},
    "reported_loss": lambda: {"reported": 10.0},
    "imbalance": lambda: {"train": thinned()},
    "both_sides": lambda: {"train": joined()},
    "sorted_batches": lambda: {"train": by_class(), "shuffle": False},
    "vault_opened": lambda: {"openings": 2},
    "clipped_too_much": lambda: {"clip": 1e-4},
    "momentum_too_large": lambda: {"make": sgd(lr=0.3, momentum=0.999)},
    "weight_decay_too_large": lambda: {"make": sgd(lr=0.1, momentum=0.9, weight_decay=1.0)},
    "dropout_too_large": lambda: {"model": lambda: mlp(nn.ReLU(), nn.Dropout(0.95))},
    "batch_too_small_for_batch_norm": lambda: {"model": normed, "size": 2},
    "rate_too_high": lambda: {"make": sgd(lr=30.0)},
    "rate_too_low": lambda: {"make": sgd(lr=1e-4)},
    "stopped_early": lambda: {"steps": 25, "make": sgd(lr=0.1)},
    "overfitting": lambda: {"train": few(), "steps": 400, "make": lambda m: optim.Adam(m.parameters(), lr=0.03)},
    "bad_initialisation": lambda: {"start": multiplied(50)},
    "dead_relu": lambda: {"start": lowered},
    "saturated": lambda: {"model": lambda: mlp(nn.Sigmoid()), "start": lifted},
    "vanishing_gradients": lambda: {"model": lambda: deep(nn.Sigmoid, 12), "steps": 200},
}


@cache
def checked(name="mlp"):
    """The diagnosis of a training in which nothing is wrong."""
    return diagnose(healthy(name))


LONGER = {"vanishing_gradients", "overfitting", "sorted_batches", "duplicate_columns", "batch_too_small_for_batch_norm",
          "dropout_too_large", "mixed_units", "no_softmax", "momentum_too_large", "imbalance"}  # fmt: skip
"""Faults that are tried in the slow tests alone."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONGER)) for name in FAULTS])
def test_the_fault_is_named_and_its_twin_has_none(name):
    found = diagnose(trained(**FAULTS[name]()))
    assert [one.name for one in found.findings[:1]] == [name], found.text()
    for language in ("en", "ja"):
        assert found.findings[0].title(language) in found.text(language)
    assert name not in {finding.name for finding in (*checked().findings, *checked().explained)}
    assert name not in checked().unjudged


@pytest.mark.parametrize("name", ["mlp", *HEALTHY])
def test_nothing_is_found_in_a_healthy_training(name):
    assert not checked(name).findings, checked(name).text()


def test_what_is_missing_is_said_and_not_judged():
    found = diagnose(Case())
    assert not found.findings
    assert found.unjudged["overfitting"] == "no_history"
    assert found.unjudged["both_sides"] == "no_train"
    whole = checked().unjudged
    assert set(whole) < set(found.unjudged) | {"no_derivative"}


def test_a_run_that_goes_badly_for_an_unknown_reason_has_one_finding_that_says_so():
    for losses in ([2.3] * 50, [2.3] * 20 + [float("nan")]):
        found = diagnose(Case(losses=losses))
        assert [finding.name in CAUSE_UNKNOWN for finding in found.findings] == [True]
        assert "not known" in found.text()


def finding(name, certainty="certain", explains=()):
    return Finding(name, certainty, explains=explains)


def test_what_another_finding_explains_is_not_shown():
    chain = [finding("a"), finding("b", explains=("a",)), finding("c", "likely", ("b",)), finding("d", "likely")]
    assert [(f.name, f.explains) for f in resolve(chain)] == [("c", ("b", "a")), ("d", ())]


def test_of_two_findings_that_explain_each_other_the_first_is_shown():
    pair = [finding("a", explains=("b",)), finding("b", explains=("a",))]
    assert [f.name for f in resolve(pair)] == ["a"]
    assert [f.name for f in resolve(pair[::-1])] == ["b"]


# --- what looks like another fault -----------------------------------------------------------------------------------


def test_a_rate_is_too_low_for_some_layers_or_since_a_schedule_lowered_it():
    model = lambda: deep(nn.ReLU, 3)
    assert first(trained(make=sgd(lr=0.02), schedule=0.8)) == "rate_too_low"
    assert first(trained(model, make=lambda m: optim.SGD(of_two_rates(m), lr=0.1))) == "rate_too_low"


def of_two_rates(model):
    *slow, weight, bias = model.parameters()
    return [{"params": slow, "lr": 1e-5}, {"params": [weight, bias], "lr": 0.02}]


def test_units_that_die_in_the_training_are_not_its_cause():
    dies = trained(make=sgd(lr=2.0, momentum=0.9), train=changed(TRAIN(), TRAIN().inputs * 7))
    assert dies.bad
    assert "dead_relu" not in names(dies)


def test_a_long_run_that_still_falls_was_not_simply_stopped_early():
    crawls = trained(make=sgd(lr=0.02), steps=400)
    assert first(crawls) == "still_falling"
    assert first(trained(make=sgd(lr=0.02), steps=400, epochs=100)) == "stopped_early"


def test_a_layer_that_is_made_in_each_step_makes_the_evaluation_random():
    def anew():
        model = mlp()
        model[2].forward = lambda x: nn.Linear(32, 10)(x)
        return model

    found = diagnose(trained(anew))
    assert [finding.name for finding in found.findings] == ["random_evaluation"]


def test_a_validation_loss_of_other_weights_is_not_overfitting():
    train, losses = changed(TRAIN()), [2.3 + 0.2 * number for number in range(8)]
    case = trained(train=train, steps=400, make=sgd(lr=0.1, momentum=0.9))
    for row, loss in zip(case.history, losses * 3, strict=False):
        row["val_loss"] = loss
    assert first(case) == "reported_loss"


def test_the_loss_is_not_compared_where_it_is_a_sum():
    case = trained(loss=nn.CrossEntropyLoss(reduction="sum"), make=sgd(lr=0.002))
    assert case.judged is None
    assert diagnose(case).unjudged["reported_loss"] == "no_step"


def test_the_best_weights_of_a_run_are_those_of_one_of_its_epochs():
    case = trained(steps=400)
    case.history = [*case.history, {"epoch": 21, "train_loss": 0.0, "val_loss": 9.0}]
    assert "reported_loss" not in names(case)


def test_rare_classes_are_not_other_labels():
    data = TRAIN()
    rare = numpy.flatnonzero((data.targets < 5) | (numpy.arange(len(data)) % 20 == 0))
    assert "labels_differ" not in names(trained(train=data[rare]))


def test_classes_of_the_validation_data_that_the_training_data_lacks():
    assert first(trained(train=TRAIN()[numpy.flatnonzero(TRAIN().targets < 7)])) == "imbalance"


def test_two_classes_with_each_other_s_labels():
    swapped = numpy.array([0, 1, 2, 8, 4, 5, 6, 7, 3, 9])[TRAIN().targets]
    assert first(trained(train=changed(TRAIN(), None, swapped))) == "labels_differ"


def test_a_loss_that_is_large_everywhere_is_not_an_exploding_gradient():
    assert "exploding_gradients" not in names(trained(sign=1e4))


def test_gradients_of_zero_are_not_clipped():
    single = lambda: nn.Sequential(nn.Linear(64, 1), nn.Softmax(-1))
    case = trained(single, loss=lambda output, targets: (2 - output).mean())
    assert case.slow
    assert "clipped_too_much" not in names(case)


def test_what_a_network_gives_back_is_no_leak():
    data = digits()[0]
    case = Case(train=Dataset(data.inputs, data.inputs, "digits"), task="regression")
    assert "leaking" not in names(case)


def test_an_optimiser_of_another_network_clears_no_gradients_of_this_one():
    other = mlp()
    case = trained(make=lambda model: optim.SGD(other.parameters(), lr=0.1), clear=True)
    assert first(case) == "outside_optimiser"


# --- other data, other networks ---------------------------------------------------------------------------------------


class Column(nn.Module):
    """Outputs of shape (n, 1), as a network for one number gives."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x):
        return self.layer(x)


def line(scale=1.0):
    inputs = Generator(0).normal((200, 3)).astype("float32")
    return Dataset(inputs, scale * (inputs @ numpy.array([1.0, -2.0, 0.5], "float32")), "line")


def squared(output, targets):
    return ((output - targets) ** 2).mean()


def of_one_shape(output, targets):
    return squared(output, targets.reshape(output.shape))


def regression(**changes):
    data = changes.pop("data", line())
    return trained(
        model=Column, train=data[:150], validation=data[150:], **{"loss": of_one_shape, "make": sgd(lr=0.1), **changes}
    )


def test_outputs_that_are_broadcast_against_targets():
    assert first(regression(loss=squared)) == "broadcast"
    assert "broadcast" not in names(regression())


def test_targets_that_are_not_scaled():
    hot = {"data": line(1e4), "loss": nn.MSELoss(), "make": sgd(lr=1.0)}
    column = lambda data: Dataset(data.inputs, data.targets[:, None], "line")
    assert first(regression(**{**hot, "data": column(hot["data"])})) == "unscaled_targets"
    assert "unscaled_targets" not in names(regression())


class Left(nn.Module):
    """Calls a layer and leaves out what it gives."""

    def __init__(self, used):
        super().__init__()
        self.first, self.second, self.used = nn.Linear(64, 10), nn.Linear(64, 10), used

    def forward(self, x):
        return self.first(x) + self.second(x) if self.used else (self.first(x), self.second(x))[0]


def test_parameters_that_get_no_gradient():
    assert first(trained(lambda: Left(False))) == "no_gradient"
    assert "no_gradient" not in names(trained(lambda: Left(True)))


class Characters(nn.Module):
    """Predicts each next character from the mean of those so far, or of all."""

    def __init__(self, causal):
        super().__init__()
        self.embedding, self.head, self.causal = nn.Embedding(5, 8), nn.Linear(8, 5), causal

    def forward(self, x):
        h = self.embedding(x)
        counts = ops.arange(1, x.shape[1] + 1).reshape(1, -1, 1).astype("float32")
        return self.head(
            ops.cumulative_sum(h, axis=1) / counts if self.causal else h + ops.mean(h, axis=1, keepdims=True)
        )


@pytest.mark.parametrize("causal", [True, False])
def test_a_model_that_sees_the_future(causal):
    text = numpy.asarray(Generator(0).integers(5, (2001,)))
    data = Dataset(text[:-1], text[1:], "text", tuple("abcde"), task="text")
    found = names(Case(model=Characters(causal), train=data, settings={"context": 16}))
    assert ("future" in found) is not causal


class Reader(nn.Module):
    """A plain recurrent network that answers after the last symbol."""

    def __init__(self, factor, kind="tanh"):
        super().__init__()
        self.cell, self.head = nn.RNN(4, 16, nonlinearity=kind, batch_first=True), nn.Linear(16, 2)
        self.cell.weight_hh_l0.data = (factor * numpy.eye(16)).astype("float32")

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def first_symbols():
    """Sequences whose first symbol is the answer."""
    inputs = numpy.asarray(Generator(0).normal((400, 60, 4)), "float32") * 0.1
    targets = (inputs[:, 0, 0] > 0).astype("int64")
    return Dataset(inputs, targets, "first", ("no", "yes"))


def test_recurrent_gradients_that_do_not_reach_back():
    needs.fast()
    data = first_symbols()
    forgets = trained(lambda: Reader(0.5), train=data[:300], validation=data[300:], steps=40)
    assert first(forgets) == "recurrent_reach"
    reads = Dataset(data.inputs[:, ::-1].copy(), data.targets, "last", data.classes)
    assert "recurrent_reach" not in names(
        trained(lambda: Reader(0.5), train=reads[:300], validation=reads[300:], steps=100, make=adam)
    )


def test_gradients_that_explode():
    needs.fast()  # which knows the gradients of each time step
    data = first_symbols()
    explodes = trained(lambda: Reader(1.4, "relu"), train=data[:300], validation=data[300:], steps=40)
    assert first(explodes) == "exploding_gradients"


class Ravine(nn.Module):
    """Two numbers in a ravine."""

    def __init__(self, steep):
        super().__init__()
        self.place, self.steep = nn.Parameter([1.0, 1.0]), steep

    def forward(self, x):
        return self.place * self.place * asarray([1.0, self.steep])


@pytest.mark.parametrize("rate", [0.001, 0.0199])
def test_steps_that_zigzag(rate):
    model = Ravine(100.0)
    optimizer, losses = optim.SGD(model.parameters(), lr=rate / 2), []
    with watch(model) as record:
        for _ in range(40):
            optimizer.zero_grad()
            loss = model(asarray([0.0])).sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    found = names(Case(record=record, losses=losses, model=model, optimizer=optimizer))
    assert ("zigzag" in found) is (rate > 0.01)


class Attends(nn.Module):
    """Reads the rows of a picture by attention."""

    def __init__(self):
        super().__init__()
        self.embed, self.attention = nn.Linear(8, 16), nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        h = self.embed(x.reshape(-1, 8, 8))
        return self.head((h + self.attention(h, h, h, need_weights=False)[0]).reshape(len(x), -1))


def staring(model):
    model.attention.in_proj_weight.data = model.attention.in_proj_weight.numpy() * 100


def test_attention_that_looks_at_single_places_from_the_start():
    needs.fast()
    assert "attention_collapsed" in names(trained(Attends, start=staring))
    assert "attention_collapsed" not in names(trained(Attends))


def test_a_first_loss_that_is_far_too_large():
    loud = lambda: nn.Sequential(mlp(), Between(lambda x: x * 1000))
    assert "first_loss" in names(trained(loud, make=sgd(lr=1e-9)))
    assert "first_loss" not in names(trained(make=sgd(lr=1e-9)))


def gan(generator_rate=2e-3, discriminator_rate=2e-3, constant=False):
    """A small pair that draws digits, trained by the trainer for such pairs; its history as a case."""
    images = digits()[0].inputs[:256].reshape(-1, 1, 8, 8)
    data = Dataset(images, digits()[0].targets[:256], "digits", digits()[0].classes)
    with using(Generator(0)):
        pair = Adversaries(zoo.Generator(8, (1, 8, 8), (32,)), zoo.Discriminator((1, 8, 8), (32,), 0.0), 8)
    if constant:
        nn.init.zeros_(next(p for p in pair.generator.parameters() if p.ndim > 1))
    rates = (pair.generator, generator_rate), (pair.discriminator, discriminator_rate)
    optimizers = Optimizers(*(optim.Adam(part.parameters(), lr=rate) for part, rate in rates))
    trainer = AdversarialTrainer(pair, optimizers, generator=Generator(0), engine="eager")
    trainer.fit(DataLoader(data, 32, generator=Generator(0)), epochs=6)
    return Case(history=trainer.history.rows, model=pair, optimizer=optimizers)


@pytest.mark.slow
def test_a_discriminator_that_wins_and_a_generator_that_collapses():
    assert "discriminator_wins" in names(gan(generator_rate=1e-7, discriminator_rate=1e-2))
    assert first(gan(generator_rate=1e-7, constant=True)) == "generator_collapsed"
    assert not names(gan())


def adam(model):
    return optim.Adam(model.parameters(), lr=0.01)


def names(case):
    found = diagnose(case)
    return [finding.name for finding in (*found.findings, *found.explained)]


def first(case):
    found = diagnose(case)
    return found.findings[0].name if found.findings else None


def test_every_rule_has_a_fault_here():
    here = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in here for name in RULES)
