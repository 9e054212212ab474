"""What is found out before a training: faults that would make it fail, named; and everything as before afterwards."""

import json
import random
import string
from pathlib import Path

import numpy
import pytest

import ichikara
from ichikara import nn, ops, optim
from ichikara.arrays import Generator, default_generator
from ichikara.autodiff import op
from ichikara.autodiff.operation import operations
from ichikara.data import DataLoader, Dataset
from ichikara.errors import UserError
from ichikara.recipes import build, load_recipe, packaged
from ichikara.strict_json import dumps
from ichikara.train import AdversarialTrainer, Adversaries, Optimizers, Trainer, preflight
from ichikara.train.own_gradients import check_own_gradients
from ichikara.words.catalogue import texts

QUICK = 0.05  # seconds for the longer checks


@pytest.fixture(autouse=True)
def in_english(monkeypatch):
    monkeypatch.setenv("ICHIKARA_LANG", "en")


def classes(count=64, scale=1.0):
    labels = numpy.arange(count) % 3
    inputs = numpy.random.default_rng(0).standard_normal((count, 6)) + 2 * numpy.eye(3, 6)[labels]
    return Dataset((scale * inputs).astype("float32"), labels, "classes", classes=("a", "b", "c"))


def loader(data=None, size=16):
    return DataLoader(data or classes(), size, shuffle=True, generator=Generator(1))


def trainer(*layers, loss=None, lr=0.01, optimizer=optim.Adam, **options):
    ichikara.seed(0)
    model = nn.Sequential(*(layers or (nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))))
    made = optimizer(model.parameters(), lr=lr)
    return Trainer(model, loss or nn.CrossEntropyLoss(), made, generator=Generator(0), **options)


def states(result):
    return {check.name: check.state for check in result.checks}


def finding(result, name):
    return result[name].state, result[name].finding


def test_a_healthy_training_passes_everything():
    result = preflight(trainer(), loader(), epochs=3, seconds=0.5)
    assert result.passed
    assert set(states(result).values()) == {"passed"}, result.text("en")
    assert result.shapes == (
        ("0", "Linear", ((16, 16),)),
        ("1", "ReLU", ((16, 16),)),
        ("2", "Linear", ((16, 3),)),
        ("", "Sequential", ((16, 3),)),
    )
    about = result["start"].about
    assert about["constant"] == pytest.approx(numpy.log(3), rel=1e-5)
    assert result["steps"].about["count"] == 3 * 4
    assert 16 * 6 * 4 < result["memory"].about["step"] < 1e6
    assert result["by_heart"].about["lowest"] < 0.3 * result["by_heart"].about["first"]
    assert '"passed": true' in dumps(result.to_dict(), indent=1)
    for language in ("en", "ja"):
        assert len(result.text(language).splitlines()) == len(result.checks) + 1


# --- nothing is changed -----------------------------------------------------------------------------------------------


class Counting(nn.Module):
    """A layer with an attribute that changes, a generator of its own, and a buffer."""

    def __init__(self):
        super().__init__()
        self.calls, self.random = 0, Generator(5)
        self.register_buffer("seen", ops.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.seen = self.seen + 1.0
        return x + ops.asarray(0.01 * self.random.normal(x.shape) + 0.0 * numpy.random.standard_normal())  # noqa: NPY002


def whole(of, batches):
    numbers = [*of.model.state_dict().values(), *(p.grad for p in of.model.parameters() if p.grad is not None)]
    numbers += [a for s in of.optimizer.state_dict()["state"].values() for a in s.values()]
    return (
        [numpy.asarray(getattr(a, "data", a)).tobytes() for a in numbers],
        [{k: v for k, v in group.items() if k != "params"} for group in of.optimizer.param_groups],
        [part.training for part in of.model.modules()],
        [getattr(part, "calls", 0) for part in of.model.modules()],
        [of.generator.state, default_generator().state, of.model[1].random.state, batches.state],
        [str(numpy.random.get_state()), random.getstate()],  # noqa: NPY002
        [of.steps, of.epoch, of.history.rows, of._totals.sums],
    )


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_everything_is_as_before_bit_for_bit(engine):
    def made():
        numpy.random.seed(0)  # noqa: NPY002
        random.seed(0)
        layers = nn.Linear(6, 8), Counting(), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3)
        one, batches = trainer(*layers, engine=engine, clip_grad_norm=1.0), loader()
        one.fit(batches, 1)
        one.model[2].eval()
        one.model[2].training = False
        return one, batches

    one, batches = made()
    before = whole(one, batches)
    preflight(one, batches, 2, seconds=QUICK)
    assert whole(one, batches) == before
    one.fit(batches, 3)
    other, others = made()
    other.fit(others, 3)
    assert whole(one, batches)[0] == whole(other, others)[0]


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_shape_that_does_not_fit_is_named_by_its_layer():
    result = preflight(trainer(nn.Linear(6, 16), nn.Sequential(nn.ReLU(), nn.Linear(12, 3))), loader())
    assert not result.passed
    assert finding(result, "shapes") == ("failed", "inside")
    assert result["shapes"].about["layer"] == "1.1"
    assert "(16, 16)" in result["shapes"].text("en")
    assert set(states(result).values()) == {"failed", "skipped"}


def test_a_loss_that_does_not_fit_the_outputs_is_said_with_the_shapes():
    result = preflight(trainer(nn.Linear(6, 3), loss=nn.MSELoss()), loader())
    assert finding(result, "shapes") == ("failed", "outside")
    assert result["shapes"].about["outputs"] == "(16, 3)"
    assert result["shapes"].about["targets"] == (16,)


@op(r"y = x^3", name="cube_with_a_wrong_rule")
def cube(x, /):
    return x**3


cube.gradient(x=(r"\bar x = 2 x^2 \bar y", lambda g, x: 2 * g * x * x))
del operations["cube_with_a_wrong_rule"]  # so that no other test takes it for one of ichikara's


class Cube(nn.Module):
    def forward(self, x):
        return cube(x)


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(numpy.ones(6))

    def forward(self, x):
        return ops.where(x > 0, x, 0.1 * x) * self.factor


class Rounded(nn.Module):
    def forward(self, x):
        return x + (ops.round(x) - x).detach()


class Forgotten(nn.Module):
    """The fault is a factor that the gradient by the weight does not see."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(numpy.ones(6))

    def forward(self, x):
        return x * self.weight * ops.asarray(self.weight.numpy())


def own(*layers):
    made = trainer(*layers, nn.Linear(6, 3))
    return check_own_gradients(made, classes().inputs, seconds=5.0)


def test_the_gradients_of_ones_own_layers():
    assert own(nn.Tanh()) == []
    assert [(one.name, one.kind, one.state) for one in own(Scale())] == [("0", "Scale", "right")]
    first = own(Scale(), Cube())[0]
    assert (first.name, first.kind, first.state) == ("cube_with_a_wrong_rule", "operation", "wrong")
    assert first.told == pytest.approx(2 / 3 * first.slope, rel=1e-3)
    assert (own(Rounded())[0].state, own(Rounded())[0].detached) == ("wrong", True)
    assert (own(Forgotten())[0].state, own(Forgotten())[0].about) == ("wrong", "weight")


def test_a_wrong_gradient_fails_and_one_that_may_be_meant_does_not():
    of = lambda layer: preflight(trainer(layer, nn.Linear(6, 3)), loader(), seconds=QUICK)["gradients"]
    wrong = of(Cube())
    assert (wrong.state, wrong.finding, wrong.about["name"]) == ("failed", "wrong", "cube_with_a_wrong_rule")
    assert of(Rounded()).state == "warning"


class Fickle(nn.Module):
    """Computes for float32 alone."""

    def forward(self, x):
        if x.dtype != numpy.float32:
            raise TypeError("only float32 here")
        return 2 * x


class Sharp(nn.Module):
    """Oscillates so fast that no difference quotient gives its slope."""

    def forward(self, x):
        return ops.sin(x * 1e9)


@pytest.mark.parametrize(("layer", "reason"), [(Fickle, "error"), (Sharp, "kinks")])
def test_a_layer_that_cannot_be_checked_is_skipped_with_a_reason(layer, reason):
    (found,) = own(layer())
    assert (found.state, found.reason) == ("skipped", reason)


def test_what_was_skipped_is_said():
    check = preflight(trainer(Fickle(), nn.Linear(6, 3)), loader(), seconds=QUICK)["gradients"]
    assert check.state == "skipped"
    for language in ("en", "ja"):
        assert "only float32 here" in check.text(language)


class Log(nn.Module):
    def forward(self, x):
        return ops.log(x - x)


def test_a_loss_that_is_not_finite_at_the_start_is_traced():
    result = preflight(trainer(nn.Linear(6, 3), Log()), loader(), seconds=QUICK)
    assert finding(result, "start") == ("failed", "diverged")
    assert result["start"].about["origin"].operation == "log"
    assert "ops.log(x - x)" in result.text("en")
    assert "演算 log" in result.text("ja")
    assert '"operation": "log"' in dumps(result.to_dict(), indent=1)


def test_a_learning_rate_with_which_the_training_diverges():
    result = preflight(trainer(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3), lr=1e30), loader(), seconds=QUICK)
    assert finding(result, "steps") == ("failed", "diverged")
    assert states(result)["rate"] == "skipped"


def test_a_network_that_cannot_learn():
    class Cut(nn.Module):
        def forward(self, x):
            return x.detach() + 0 * x

    result = preflight(trainer(nn.Linear(6, 3), Cut()), loader(), seconds=0.5)
    assert finding(result, "by_heart") == ("failed", "unmoved")


def test_a_network_that_is_too_small_for_the_batch():
    xor = Dataset(numpy.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 4), [0, 1, 1, 0] * 4, classes=("even", "odd"))
    result = preflight(trainer(nn.Linear(2, 2)), loader(xor), seconds=0.2)
    assert finding(result, "by_heart")[0] != "passed"


def test_a_loss_that_is_not_positive_is_no_error():
    negative = lambda output, targets: nn.CrossEntropyLoss()(output, targets) - 10.0
    result = preflight(trainer(nn.Linear(6, 3), loss=negative), loader(), seconds=QUICK)
    assert finding(result, "start") == ("passed", "alone")
    assert finding(result, "by_heart") == ("skipped", "share")
    assert result.passed


def test_inputs_that_are_not_scaled_show_in_the_first_loss():
    result = preflight(trainer(), loader(classes(scale=300.0)), seconds=QUICK)
    assert finding(result, "start") == ("warning", "high")


def test_a_network_that_was_trained_before_shows_in_the_first_loss():
    one, batches = trainer(lr=0.05), loader()
    one.fit(batches, 30)
    assert finding(preflight(one, batches, seconds=QUICK), "start") == ("warning", "low")


@pytest.mark.parametrize(
    ("last", "loss", "expected"),
    [
        (nn.Identity(), nn.CrossEntropyLoss(), numpy.log(3)),
        (nn.LogSoftmax(dim=-1), nn.NLLLoss(), numpy.log(3)),
        (nn.Softmax(dim=-1), lambda p, t: -(ops.log(p) * ops.one_hot(t, 3)).sum(axis=1).mean(), numpy.log(3)),
    ],
)
def test_what_a_constant_answer_would_have(last, loss, expected):
    result = preflight(trainer(nn.Linear(6, 3), last, loss=loss), loader(), seconds=QUICK)
    assert result["start"].about["constant"] == pytest.approx(expected, rel=1e-5)


def test_of_numbers_the_constant_answer_has_the_variance():
    numbers = numpy.random.default_rng(0).normal(3.0, 2.0, (16, 1)).astype("float32")
    data = Dataset(numpy.ones((16, 2), "float32"), numbers, "numbers")
    result = preflight(trainer(nn.Linear(2, 1), loss=nn.MSELoss()), loader(data), seconds=QUICK)
    assert result["start"].about["constant"] == pytest.approx(numbers.var(), rel=1e-4)


@pytest.mark.parametrize(("lr", "expected"), [(0.01, "fine"), (1e-9, "low")])
def test_the_rate_in_use_against_the_sweep(lr, expected):
    result = preflight(trainer(lr=lr), loader(), seconds=0.5)
    assert finding(result, "rate")[1] == expected, result.text("en")


def test_more_memory_than_there_is(monkeypatch):
    monkeypatch.setattr("ichikara.train.preflight_checks.available", lambda: 1000.0)
    assert finding(preflight(trainer(), loader(), seconds=QUICK), "memory") == ("failed", "scarce")


def test_a_loader_that_would_be_used_up_is_refused():
    with pytest.raises(UserError, match="iterator"):
        preflight(trainer(), iter(loader()))
    with pytest.raises(UserError, match="no batch"):
        preflight(trainer(), [])


def test_a_gan_is_checked_as_far_as_that_goes():
    ichikara.seed(0)
    generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 9), nn.Tanh(), nn.Unflatten(1, (1, 3, 3)))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 1))
    model = Adversaries(generator, discriminator, 4)
    pair = Optimizers(*(optim.Adam(part.parameters(), lr=1e-3) for part in (generator, discriminator)))
    images = numpy.random.default_rng(0).random((32, 1, 3, 3)).astype("float32")
    batches = DataLoader(Dataset(images, numpy.zeros((32, 1))), 8, generator=Generator(0))
    before = [a.data.tobytes() for a in model.state_dict().values()]
    result = preflight(AdversarialTrainer(model, pair, generator=Generator(0)), batches, seconds=QUICK)
    assert result.passed
    assert states(result)["steps"] == states(result)["memory"] == "passed"
    assert finding(result, "by_heart") == ("skipped", "adversarial")
    assert [a.data.tobytes() for a in model.state_dict().values()] == before


# --- recipes, and the command -----------------------------------------------------------------------------------------

FAST = ("xor", "moons", "digits")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in FAST else pytest.mark.slow) for n in packaged()])
def test_every_packaged_recipe_passes(name):
    recipe = load_recipe(name)
    parts = build(recipe)
    result = preflight(parts.trainer, parts.loader, recipe.training.epochs, seconds=0.3 if name in FAST else 3.0)
    assert "failed" not in states(result).values(), result.text("en")
    assert "warning" not in states(result).values(), result.text("en")


def test_the_command_prints_it_and_stops(run):
    status, out, err = run("train", "xor", "--preflight")
    assert status == 0
    assert len(out.splitlines()) == 8
    assert "Nothing was found" in out
    status, out, err = run("train", "xor", "--preflight", "--set", "optimizer.lr=1e38", "--lang", "ja", "--json")
    assert status == 2
    assert json.loads(out)["passed"] is False
    assert "不合格 ステップと所要時間: 学習率 1e+38 では" in err
    status, out, err = run("train", "--resume", "r", "--preflight")
    assert (status, out) == (2, "")
    assert "omit --resume" in err
    assert not Path("runs").exists()
    assert not Path("r").exists()


def test_every_text_is_there_in_both_languages():
    for name, of_languages in texts("preflight").items():
        assert set(of_languages) == {"en", "ja"}, name
        places = [{part[1] for part in string.Formatter().parse(text) if part[1]} for text in of_languages.values()]
        assert places[0] == places[1], name
