"""Watching a training: it changes no bit, sees what happened, and its record goes into files and back."""

import math
from contextlib import nullcontext

import needs
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ichikara
from ichikara import nn, optim, zoo
from ichikara.arrays import Generator, Observer, interpreting, using
from ichikara.data import DataLoader, Dataset
from ichikara.errors import UserError
from ichikara.glass.finding import Diagnosis, Finding
from ichikara.glass.record import EVENT_KINDS, QUANTITIES, Event, Record, Row
from ichikara.glass.record_charts import record_charts
from ichikara.glass.record_files import events_path, load_record, pack_record, save_record, unpack_record
from ichikara.glass.sampling import is_kept, is_watched
from ichikara.glass.watcher import watch
from ichikara.train import Callback, ExponentialMovingAverage, Objective, Trainer

RANDOM = numpy.random.default_rng(0)
CLASSES = ("a", "b", "c")
LABELS = numpy.arange(48) % 3
ROWS = Dataset(RANDOM.standard_normal((48, 6)).astype("float32"), LABELS, classes=CLASSES)
IMAGES = Dataset(RANDOM.standard_normal((48, 1, 12, 12)).astype("float32"), LABELS, classes=CLASSES)
TEXT = RANDOM.integers(0, 11, (48, 17))
WINDOWS = Dataset(TEXT[:, :-1], TEXT[:, 1:], classes=tuple("abcdefghijk"), task="sequence")


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(1, 8, num_layers=2), nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.lstm(ichikara.permute_dims(ichikara.reshape(x, (*x.shape, 1)), (1, 0, 2)))[0][-1])


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def convolutional():
    layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 3)
    return nn.Sequential(*layers)


def gpt():
    return zoo.GPT(11, context=16, width=16, layers=1, heads=2, dropout=0.1)


NETS = {"mlp": (mlp, ROWS), "convolutional": (convolutional, IMAGES), "lstm": (Reader, ROWS), "gpt": (gpt, WINDOWS)}


def bits(model, optimizer):
    state = optimizer.state_dict()["state"]
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return arrays | {f"{i}.{name}": numpy.asarray(x) for i, of in state.items() for name, x in of.items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        numpy.testing.assert_array_equal(a[name], b[name], err_msg=name)


def by_hand(name, watched, steps=12):
    """A hand-written loop, and its record."""
    make, data = NETS[name]
    ichikara.seed(0)
    model = make()
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    schedule = optim.StepLR(optimizer, step_size=4)
    loss_of = Objective("cross_entropy", data)
    with watch(model) if watched else nullcontext() as record:
        for step in range(steps):
            rows = slice(16 * (step % 3), 16 * (step % 3) + 16)
            if step % 3 != 2:  # the third batch is added to the second
                optimizer.zero_grad()
            loss = loss_of(model(ichikara.asarray(data.inputs[rows])), ichikara.asarray(data.targets[rows]))
            loss.backward()
            if step % 3 != 1:
                optim.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
        schedule.step()
    return model, optimizer, record


@pytest.mark.parametrize("name", NETS)
def test_a_watched_loop_ends_with_the_same_bits(name):
    model, optimizer, _ = by_hand(name, watched=False)
    watched_model, watched_optimizer, record = by_hand(name, watched=True)
    assert_same(bits(model, optimizer), bits(watched_model, watched_optimizer))
    assert record.steps() == [1, 2, 3, 4, 5, 6, 7, 8]


def trained(name, engine, watch, epochs=8, **options):
    make, data = NETS[name]
    root = Generator(0)
    with using(root.spawn()):
        model = make()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    trainer = Trainer(
        *(model, Objective("cross_entropy", data), optimizer),
        schedule=optim.OneCycleLR(optimizer, max_lr=0.02, total_steps=100),
        schedule_every="batch",
        clip_grad_norm=0.5,
        generator=root.spawn(),
        engine=engine,
        watch=watch,
        **options,
    )
    trainer.fit(DataLoader(data, batch_size=16, shuffle=True, generator=root.spawn()), epochs)
    return trainer


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_a_watched_training_ends_with_the_same_bits(name, engine):
    alone, watched = (trained(name, engine, watch) for watch in (False, True))
    assert_same(bits(alone.model, alone.optimizer), bits(watched.model, watched.optimizer))
    assert alone.generator.state == watched.generator.state
    losses = [[row["train_loss"] for row in trainer.history.rows] for trainer in (alone, watched)]
    assert losses[0] == losses[1]
    assert alone.record is None
    assert watched.record.steps() == [step for step in range(1, 25) if is_watched(step)]
    assert not watched.eager_because


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_accumulated_and_averaged_steps_too(engine):
    options = lambda: {"accumulate": 2, "averaging": ExponentialMovingAverage(0.9)}
    alone, watched = (trained("mlp", engine, watch, **options()) for watch in (False, True))
    assert_same(bits(alone.model, alone.optimizer), bits(watched.model, watched.optimizer))
    first = [event.kind for event in watched.record.events if event.step == 1 and not event.layer]
    assert first == ["cleared", "call", "loss", "backward", "call", "loss", "backward", "update"]


def test_replayed_and_eager_trainings_measure_the_same():
    replayed, eager = (trained("lstm", engine, True, epochs=2).record for engine in ("auto", "eager"))
    assert [row[:3] for row in replayed.rows] == [row[:3] for row in eager.rows]
    assert [event[:4] for event in replayed.events] == [event[:4] for event in eager.events]
    for mine, theirs in zip(replayed.rows, eager.rows, strict=True):
        if row_is_smooth(mine):
            assert mine.value == pytest.approx(theirs.value, rel=1e-2, abs=1e-5), mine


def row_is_smooth(row):
    """Whether a small change of the numbers is a small change of the row: not of shares, which jump."""
    return "[" not in row.quantity and not row.quantity.endswith("share") and row.quantity != "gradient_noise"


# --- what is measured -------------------------------------------------------------------------------------------------


def test_the_measurements_are_those_of_numpy():
    ichikara.seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5), nn.ReLU())
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    x = RANDOM.standard_normal((10, 4)).astype("float32") * 3
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    with watch(model) as record:
        hidden = model[:2](x)
        output = model(x)
        (output * output).sum().backward()
        gradients = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
        optimizer.step()
    h, y = hidden.numpy(), output.numpy()
    last = record.last
    assert last("loss") == pytest.approx(float((y * y).sum()), rel=1e-5)
    assert last("batch_size") == 10
    assert last("activation_mean", "1") == pytest.approx(h.mean(), abs=1e-6)
    assert last("activation_std", "1") == pytest.approx(h.std(), rel=1e-5)
    assert last("activation_norm", "1") == pytest.approx(math.sqrt((h * h).mean()), rel=1e-5)
    assert last("saturated_share", "1") == pytest.approx((abs(h) > 0.98).mean())
    assert last("std_over_examples", "1") == pytest.approx(h.std(axis=0).mean(), rel=1e-5)
    assert last("zero_share", "3") == pytest.approx((y == 0).mean())
    assert last("dead_share", "3") == pytest.approx((y == 0).all(axis=0).mean())
    assert last("output_gradient_norm", "3") == pytest.approx(2 * math.sqrt((y * y).sum()), rel=1e-5)
    assert sum(record.parts("activation_histogram", "1", 1)) == pytest.approx(1)
    for name, g in gradients.items():
        size = float(numpy.sqrt((g * g).sum()))
        assert last("gradient_norm", name) == pytest.approx(size, rel=1e-5)
        assert last("update_norm", name) == pytest.approx(0.5 * size, rel=1e-4)
        weight = float(numpy.sqrt((before[name] ** 2).sum()))
        assert last("update_ratio", name) == pytest.approx(0.5 * size / weight, rel=1e-4)


def test_every_quantity_and_event_is_in_the_vocabulary():
    records = [trained(name, "auto", True, epochs=2).record for name in ("mlp", "lstm", "gpt")]
    seen = {row.quantity.partition("[")[0] for record in records for row in record.rows}
    assert seen <= set(QUANTITIES)
    assert set(QUANTITIES) - seen <= {"attention_entropy", "gradient_by_time", "gradient_noise", "saturated_share"}
    assert {event.kind for record in records for event in record.events} <= set(EVENT_KINDS)


def test_of_a_recurrent_network_the_gradient_by_time():
    record = by_hand("lstm", watched=True, steps=1)[2]
    norms = record.parts("gradient_by_time", "lstm", 1)
    if not norms:
        pytest.skip("without the fast part the recurrence is computed step by step, and not measured")
    assert len(norms) == 6
    assert norms == sorted(norms)  # the loss is of the last step


def test_of_attention_the_entropy():
    attend = nn.MultiheadAttention(8, 2, batch_first=True)
    x = numpy.zeros((2, 5, 8), "float32")  # all alike, so every place is looked at
    with watch(attend) as record:
        attend(x, x, x)[0].sum().backward()
        optim.SGD(attend.parameters(), lr=0.1).step()
    found = record.last("attention_entropy")
    if found is None:
        pytest.skip("without the fast part attention is computed in steps, and not measured")
    assert found == pytest.approx(1)


def test_the_cosine_of_a_zigzag_is_negative():
    w = nn.Sequential(nn.Linear(1, 1, bias=False))
    optimizer = optim.SGD(w.parameters(), lr=0.95)
    with watch(w) as record:
        for _ in range(4):
            optimizer.zero_grad()
            (w([[1.0]]) ** 2).sum().backward()
            optimizer.step()
    assert record.series("gradient_cosine") == ([2, 3, 4], pytest.approx([-1, -1, -1]))


# --- what happened ----------------------------------------------------------------------------------------------------


def loop(model, steps, clear=True, after=lambda: None):
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    with watch(model) as record:
        for _ in range(steps):
            if clear:
                optimizer.zero_grad()
            nn.CrossEntropyLoss()(model(ROWS.inputs), ichikara.asarray(ROWS.targets)).backward()
            optimizer.step()
            after()
    return record


def test_a_forgotten_zero_grad_shows():
    held = [event.about["held"] for event in loop(mlp(), 3, clear=False).of("backward")]
    assert held == [False, True, True]
    assert [event.about["held"] for event in loop(mlp(), 3).of("backward")] == [False] * 3


def test_a_forgotten_eval_shows():
    model = mlp()

    def validate():
        with ichikara.no_grad():
            model(ROWS.inputs)

    calls = [event.about for event in loop(model, 2, after=validate).of("call") if event.about["type"] == "Sequential"]
    assert [(call["training"], call["grad"]) for call in calls] == [(True, True), (True, False)] * 2


def test_the_line_of_the_users_code():
    events = [event for event in loop(mlp(), 1).events if not event.layer]
    assert {event.kind for event in events} == {"cleared", "call", "loss", "backward", "update"}
    assert all(event.line.startswith("test_watch.py:") for event in events)


def test_a_sequence_of_events_is_kept_once_unless_the_step_is_watched():
    record = loop(mlp(), 300)
    assert {event.step for event in record.events} == {step for step in range(1, 301) if is_watched(step)}
    model, count = mlp(), []

    def twice_at_200():
        count.append(1)
        if len(count) in (200, 250):
            model.eval()
            model(ROWS.inputs)
            model.train()

    record = loop(model, 300, after=twice_at_200)
    unwatched = {event.step for event in record.events if not is_watched(event.step)}
    assert unwatched == {201}  # what comes after an update belongs to the next step


def test_parts_computed_as_one_are_seen():
    model = mlp()
    called = {event.layer for event in loop(model, 1).of("call")}
    assert called == {path for path, _ in model.named_modules()}


def test_activations_without_a_module_are_measured():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Linear(6, 3)

        def forward(self, x):
            return ichikara.relu(self.inside(x))

    assert "relu" in loop(Net(), 1).layers("dead_share")


def test_within_a_capture_nothing_is_looked_at():
    needs.fast()
    model, x = mlp(), ichikara.asarray(ROWS.inputs)
    with watch(model) as record:
        ichikara.stage(lambda x: model(x).sum())(x)
    assert not record.layers("activation_mean")


def test_other_observers_go_on_seeing():
    class Count(Observer):
        seen = 0

        def forward(self, *arguments):
            self.seen += 1
            return super().forward(*arguments)

    count = Count()
    with interpreting(count):
        loop(mlp(), 40)
    assert count.seen > 40


def test_only_a_network_is_watched():
    with pytest.raises(UserError, match="Module"), watch("digits"):
        pass


# --- the trainer ------------------------------------------------------------------------------------------------------


def test_a_block_around_a_trainer_gets_its_record():
    model = mlp()
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()))
    with watch(model) as record:
        trainer.fit(DataLoader(ROWS, batch_size=16), 2)
    assert trainer.record is record
    assert record.steps() == [1, 2, 3, 4, 5, 6]
    assert len(record.series("loss")[0]) == 6


def test_a_resumed_training_continues_the_record(tmp_path):
    whole = trained("mlp", "auto", True, epochs=6).record
    first = trained("mlp", "auto", True, epochs=3)
    first.save(tmp_path / "run")
    second = trained("mlp", "auto", True, epochs=1)
    second.resume(tmp_path / "run", second.loader)
    assert second.record.rows == first.record.rows
    second.fit(second.loader, 6)
    assert [row[:3] for row in second.record.rows if row.quantity == "loss"] == [
        row[:3] for row in whole.rows if row.quantity == "loss"
    ]
    assert second.record.steps() == whole.steps()


class Notes(Callback):
    def __init__(self):
        self.lines = []

    def on_note(self, trainer, line):
        self.lines.append(line)


def test_what_is_certain_is_said_once(monkeypatch):
    low, early = Finding("rate_too_low", "certain"), Finding("stopped_early", "likely")
    cases = []

    def diagnose(case):
        cases.append(case)
        return Diagnosis([early, low])

    monkeypatch.setattr("ichikara.glass.doctor.diagnose", diagnose)
    monkeypatch.setattr(Finding, "_said", lambda self, what, language: f"{what} of {self.name} in {language}")
    monkeypatch.setenv("ICHIKARA_LANG", "ja")
    model, notes = mlp(), Notes()
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=1e-9), callbacks=[notes])
    loader = DataLoader(ROWS, batch_size=16, shuffle=True)
    trainer.fit(loader, 1, validation=ROWS)
    trainer.fit(loader, 2)
    assert notes.lines == ["title of rate_too_low in ja: seen of rate_too_low in ja cure of rate_too_low in ja"]
    assert trainer.diagnosis.findings == [early, low]
    assert cases[0].train is ROWS
    assert cases[0].batch_size == 16
    assert cases[0].record is trainer.record
    assert cases[0].settings["shuffle"]


def test_a_doctor_that_fails_leaves_the_run_alone(monkeypatch):
    def fails(case):
        raise ZeroDivisionError("no pulse")

    monkeypatch.setattr("ichikara.glass.doctor.diagnose", fails)
    model, notes = mlp(), Notes()
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), callbacks=[notes])
    assert len(trainer.fit(DataLoader(ROWS, batch_size=16), 1)) == 1
    assert notes.lines == ["the run could not be examined: ZeroDivisionError: no pulse"]


# --- files ------------------------------------------------------------------------------------------------------------

NUMBERS = st.floats(allow_nan=False)
ROWS_OF = st.builds(
    Row,
    st.integers(0, 10**6),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from([name for name, of in QUANTITIES.items() if of.parts == 1] + ["activation_histogram[3]"]),
    NUMBERS,
)
EVENTS_OF = st.builds(
    Event,
    st.integers(0, 10**6),
    st.sampled_from(sorted(EVENT_KINDS)),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.dictionaries(st.text("abc", min_size=1), st.booleans() | st.lists(st.text("xyz\n'\",")), max_size=3),
    st.sampled_from(["", "train.py:12"]),
)


@settings(max_examples=40, deadline=None)
@given(st.builds(Record, st.lists(ROWS_OF, max_size=8), st.lists(EVENTS_OF, max_size=8)))
def test_a_record_comes_back_from_its_files(tmp_path_factory, record):
    path = tmp_path_factory.mktemp("record") / "watch.csv"
    save_record(record, path)
    assert load_record(path) == record
    assert unpack_record(pack_record(record)) == record


@pytest.mark.parametrize(
    ("rows", "events"),
    [
        ("step,layer\n1,a\n", ""),
        ("step,layer,quantity,value\n1,a,loss\n", ""),
        ("step,layer,quantity,value\n1,a,weight,0.5\n", ""),
        ("step,layer,quantity,value\n-1,a,loss,0.5\n", ""),
        ("step,layer,quantity,value\n1,a,activation_histogram[99],0.5\n", ""),
        ("step,layer,quantity,value\n1,a,loss,half\n", ""),
        ("step,layer,quantity,value\n", "{}\n"),
        ("step,layer,quantity,value\n", '{"step":1,"kind":"party","layer":"","about":{},"line":""}\n'),
        ("step,layer,quantity,value\n", "[[["),
    ],
)
def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path, rows, events):
    (tmp_path / "watch.csv").write_text(rows)
    events_path(tmp_path / "watch.csv").write_text(events)
    with pytest.raises(UserError, match=r"watch\."):
        load_record(tmp_path / "watch.csv")


def test_infinite_and_missing_numbers_are_kept(tmp_path):
    save_record(Record([Row(1, "", "loss", math.inf), Row(2, "", "loss", math.nan)]), tmp_path / "watch.csv")
    values = load_record(tmp_path / "watch.csv").series("loss")[1]
    assert values[0] == math.inf
    assert math.isnan(values[1])


# --- which steps ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**7))
def test_watched_steps_grow_rare_and_come_in_pairs(step):
    assert is_watched(step) or step > 10
    if is_watched(step) and step > 10:
        assert is_watched(step - 1) or is_watched(step + 1)


def test_how_many_steps_are_watched_and_losses_kept():
    watched, kept = (sum(map(chosen, range(1, 20_001))) for chosen in (is_watched, is_kept))
    assert watched < 80
    assert kept < 2200


# --- charts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_charts_of_a_record(language):
    record = trained("convolutional", "auto", True, epochs=4).record
    charts = record_charts(record, language)
    assert len(charts) >= 3
    for chart in charts:
        assert chart.title in chart.alt
        assert all(math.isfinite(value) for value in chart.numbers.values() if isinstance(value, float))
    assert record_charts(Record(), language) == []
