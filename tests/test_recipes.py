"""Recipes: the short form of every packaged one learns, goes on where it was left, and does what a run is asked for."""

import json
import math

import needs
import numpy
import pytest

from ichikara import nn
from ichikara.data import CharVocabulary, Dataset, load_digits, text_dataset
from ichikara.data.registry import datasets
from ichikara.data.splits import TrainTest, TrainValidation
from ichikara.errors import UserError
from ichikara.recipes import (
    build,
    cross_validate_recipe,
    find_rate,
    generate_text,
    load_recipe,
    packaged,
    sample_images,
    train_run,
)
from ichikara.recipes.models import GANS
from ichikara.recipes.run import trained
from ichikara.train import DivergedError, Trainer

# What makes a recipe short: by the name of its data, and by the name of its model.
FEWER = {
    "adding": ["data.n_samples=128", "data.length=8"],
    "blobs": ["data.n_samples=100"],
    "circles": ["data.n_samples=200", "training.epochs=8"],
    "curve": ["data.n_samples=200"],
    "moons": ["data.n_samples=200"],
    "surface": ["data.n_samples=200"],
    "reverse": ["data.n_samples=160", "data.length=4", "data.symbols=4"],
    "mnist": ["training.batch_size=32"],
    "tinyshakespeare": ["training.context=12", "training.batches=8", "training.batch_size=8"],
    "text": ["training.context=12", "training.batches=8", "training.batch_size=8"],
}
SMALLER = {
    "mlp": ["model.hidden=[16]"],
    "lenet": ["model.filters=[4,8]", "model.hidden=16"],
    "resnet": ["model.widths=[4,8]", "model.blocks=1"],
    "gpt": ["model.width=16", "model.layers=1", "model.heads=2"],
    "char-rnn": ["model.embedding=8", "model.hidden=16"],
    "seq2seq": ["model.width=16", "model.layers=1", "model.heads=2"],
    "sequence-reader": ["model.hidden=8"],
    "gan": ["model.latent=8", "model.generator=[16]", "model.discriminator=[16]"],
    "dcgan": ["model.latent=8", "model.width=4"],
}
EPOCHS = 4
VERSE = "To be, or not to be: that is the question:\n" * 40


def small_mnist(*, as_images: bool = True) -> TrainTest:
    """scikit-learn's digits, drawn as large as MNIST's: data of the same form, for which nothing is downloaded."""
    digits = load_digits(as_images=True)[:200]
    large = numpy.kron(digits.inputs / 16, numpy.ones((3, 3), "float32"))
    images = numpy.pad(large, [(0, 0), (0, 0), (2, 2), (2, 2)])
    images = images if as_images else images.reshape(len(images), -1)
    part = lambda rows, name: Dataset(images[rows], digits.targets[rows], "mnist", digits.classes, part=name)
    return TrainTest(part(slice(0, 160), "train"), part(slice(160, 200), "test"))


def small_shakespeare(*, validation: float = 0.1) -> TrainValidation:
    """A line of Hamlet, over and over: data of the same form."""
    vocabulary, cut = CharVocabulary(VERSE), int(len(VERSE) * (1 - validation))
    part = lambda text, name: text_dataset(text, "tinyshakespeare", vocabulary, part=name)
    return TrainValidation(part(VERSE[:cut], "train"), part(VERSE[cut:], "validation"))


@pytest.fixture(autouse=True)
def _small_data(monkeypatch):
    monkeypatch.setitem(datasets, "mnist", small_mnist)
    monkeypatch.setitem(datasets, "tinyshakespeare", small_shakespeare)


class NoPicture:
    """In place of a run's curves and report, which take longer than a short training, and have tests of their own."""

    def __init__(self, *_, **__):
        pass

    def savefig(self, file, **_):
        pass


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr("ichikara.plot.learning_curves", NoPicture)
    monkeypatch.setattr("ichikara.recipes.run._report", lambda *_: None)


def short(name, *settings, epochs=EPOCHS):
    """The settings that make a recipe short."""
    recipe = load_recipe(name)
    fewer, smaller = FEWER.get(recipe.data.name, []), SMALLER.get(recipe.model.name, [])
    if recipe.data.name == "digits" and recipe.data.options.get("as_images"):
        fewer = ["split.test=0.7"]  # convolutions take their time
    return ["baseline=false", f"training.epochs={epochs}", *fewer, *smaller, *settings]


def small(name, *settings, epochs=EPOCHS):
    """The parts of a short recipe."""
    return build(load_recipe(name, short(name, *settings, epochs=epochs)))


def words_of(settings):
    return [word for setting in settings for word in ("--set", setting)]


def last_json(answer):
    status, out, err = answer
    assert status == 0, err
    return json.loads(out.strip().splitlines()[-1])


def complaint(answer):
    """The error message: one line, with nothing printed before it."""
    status, out, err = answer
    assert status == 2, err
    assert out == ""
    (line,) = err.strip().splitlines()
    return line.removeprefix("error: ")


def rows_of(trainer):
    """All results of a run, apart from its time."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in trainer.history.rows]


# --- every packaged recipe --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", packaged())
def test_the_short_form_of_every_recipe_learns_and_goes_on_where_it_was_left(name, tmp_path):
    whole, first, second = tmp_path / "whole", tmp_path / "parts", tmp_path / "parts"
    whole.mkdir()
    first.mkdir()
    parts = small(name)
    epochs = parts.recipe.training.epochs
    summary = train_run(parts, whole)
    history = parts.trainer.history
    assert summary["finished"]
    assert summary["epochs"] == len(history) == epochs
    if parts.recipe.model.name in GANS:
        for column in ("train_discriminator_loss", "train_generator_loss"):
            assert numpy.isfinite(history[column]).all()
        assert min(history["train_spread"]) > 0
        assert history["train_discriminator_loss"][-1] != history["train_discriminator_loss"][0]
    else:
        assert history["train_loss"][-1] < history["train_loss"][0]

    cut = small(name, epochs=epochs // 2)
    train_run(cut, first)
    again = small(name, f"training.epochs={epochs}", "seed=7")  # whose own draws are all replaced
    again.recipe = small(name, f"training.epochs={epochs}").recipe
    train_run(again, second, resume=True)
    assert rows_of(again.trainer) == rows_of(parts.trainer)
    assert (second / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()

    _, model, scaler, about = trained(whole)
    state = parts.model.state_dict()
    assert list(model.state_dict()) == list(state)
    for key, value in model.state_dict().items():
        numpy.testing.assert_array_equal(value.numpy(), state[key].numpy())
    assert (scaler is None) == (parts.scaler is None)
    assert tuple(about["shape"]) == parts.shape


@pytest.mark.parametrize("name", packaged())
def test_every_recipe_is_shown_by_summary(name, run):
    status, out, err = run("summary", name, *words_of(short(name)))
    assert status == 0, err
    model = small(name).model
    halves = [model.generator, model.discriminator] if load_recipe(name).model.name in GANS else [model]
    for half in halves:
        assert f"Parameters: {sum(p.size for p in half.parameters()):,}" in out


@pytest.mark.parametrize("name", packaged())
def test_a_run_of_every_recipe_answers_what_it_can_be_asked(name, run, tmp_path):
    parts = small(name, epochs=1)
    (tmp_path / "r").mkdir()
    train_run(parts, tmp_path / "r")
    task, kind = parts.train.task, parts.recipe.model.name
    shape = (parts.model.length,) if kind == "seq2seq" else parts.shape
    numpy.save(tmp_path / "x.npy", numpy.zeros((3, *shape)))

    answer = run("predict", "r", "x.npy", "--json")
    if kind in GANS:
        assert "ichikara sample r" in complaint(answer)
    elif task == "text":
        assert "ichikara generate r" in complaint(answer)
    else:
        rows = last_json(answer)["predictions"]
        assert len(rows) == 3
        if task == "regression":
            outputs = [row["output"] for row in rows]
            assert len(outputs[0]) == parts.objective.outputs
            numpy.testing.assert_allclose(outputs, [outputs[0]] * 3, rtol=1e-5)  # of equal inputs
        elif task == "sequence":
            assert all(symbol in parts.train.classes for symbol in rows[0]["answer"].split(" "))
            assert len(rows[0]["answer"].split(" ")) == parts.model.answer
        else:
            assert rows[0]["class"] == rows[1]["class"] in parts.train.classes
        assert run("predict", "r", "x.npy")[0] == 0

    answer = run("generate", "r", "--prompt", "To be", "--tokens", "6", "--top-k", "3", "--temperature", "0.7")
    if task == "text":
        assert answer[0] == 0
        assert answer[1].startswith("To be")
        assert len(answer[1]) == len("To be") + 6 + 1
        assert set(answer[1]) <= set(parts.train.classes) | {"\n"}
    else:
        assert "was not trained on a text" in complaint(answer)

    answer = run("sample", "r", "--count", "5", "--json")
    if kind in GANS:
        assert last_json(answer)["samples"] == 5
        assert (tmp_path / "r/samples.png").read_bytes().startswith(b"\x89PNG")
        images = sample_images(tmp_path / "r", 5)
        assert images.shape == (5, *parts.shape)
        assert 0 <= images.min() < images.max() <= 1
        numpy.testing.assert_array_equal(images, sample_images(tmp_path / "r", 5))
        assert abs(images - sample_images(tmp_path / "r", 5, seed=1)).max() > 0
    else:
        assert "has trained no GAN" in complaint(answer)

    answer = run("evaluate", "r", "--json")
    if kind in GANS:
        assert "ichikara sample" in complaint(answer)
        if parts.test is not None:  # and the vault stays shut
            assert json.loads((tmp_path / "r/vault.json").read_text())["openings"] == []
    elif parts.test is None:
        assert "test" in complaint(answer)
    else:
        assert last_json(answer)["openings"] == 1


@pytest.mark.parametrize("name", packaged())
def test_the_schedule_of_every_recipe_ends_with_its_training(name):
    recipe = load_recipe(name)
    options, epochs = recipe.schedule.options if recipe.schedule else {}, recipe.training.epochs
    if "T_max" in options:
        assert options["T_max"] == epochs
    if "total_steps" in options:
        published = {"mnist": 60_000, "digits": 1_797}.get(recipe.data.name, 0)
        kept = 1 - recipe.split.validation - recipe.split.test
        batches = recipe.training.batches or math.ceil(published * kept / recipe.training.batch_size)
        assert options["total_steps"] == epochs * batches


def test_a_sheet_is_judged_by_a_network_that_knows_the_classes(run, tmp_path):
    for name, folder, epochs in (("digits-gan", "gan", 1), ("digits-resnet", "judge", 2), ("digits", "flat", 1)):
        (tmp_path / folder).mkdir()
        train_run(small(name, epochs=epochs), tmp_path / folder)
    answer = run("sample", "gan", "--count", "20", "--judge", "judge", "--json")
    result = last_json(answer)
    assert sum(result["classes"]) == result["samples"] == 20
    assert result["classes_present"] == sum(count > 0 for count in result["classes"])
    assert 0.1 <= result["confidence"] <= 1
    assert f"finds {result['classes_present']} of 10 classes" in answer[2]
    assert "was trained on examples of shape (64,), not (1, 8, 8)" in complaint(run("sample", "gan", "--judge", "flat"))


def test_a_reversing_run_answers_questions_and_refuses_other_symbols(run, tmp_path):
    (tmp_path / "r").mkdir()
    parts = small("reverse-transformer", epochs=1)
    train_run(parts, tmp_path / "r")
    questions = parts.train.inputs[:3, :4]
    numpy.save(tmp_path / "x.npy", questions)
    rows = last_json(run("predict", "r", "x.npy", "--json"))["predictions"]
    solved = parts.model.solve(questions).numpy()
    assert [row["answer"] for row in rows] == [" ".join(parts.train.classes[i] for i in row) for row in solved]
    for wrong in (4, -1, 0.5):  # 4 is the start symbol
        numpy.save(tmp_path / "x.npy", [[0, 1, wrong, 2]])
        assert f"holds {wrong:g} in row 0, column 2" in complaint(run("predict", "r", "x.npy"))
    numpy.save(tmp_path / "x.npy", [[0, 1, 2]])
    assert "needs (4,)" in complaint(run("predict", "r", "x.npy"))


@pytest.mark.parametrize("name", ["shakespeare-gpt", "shakespeare-lstm"])
def test_writing_depends_on_the_seed_alone_and_the_network_knows_the_line_after_a_while(name, tmp_path):
    settings = ["training.epochs=30", "optimizer.lr=0.02", "training.context=20", "training.batch_size=16"]
    if name == "shakespeare-gpt":
        settings += ["model.width=32", "schedule.max_lr=0.02", "schedule.total_steps=240"]
    else:
        settings += ["model.hidden=48", "schedule.T_max=30"]
    parts = small(name, *settings)
    (tmp_path / "r").mkdir()
    train_run(parts, tmp_path / "r")
    write = lambda **options: "".join(generate_text(tmp_path / "r", "To be, or ", 60, **options))
    assert write(seed=1) == write(seed=1)
    assert write(temperature=3.0, seed=1) != write(temperature=3.0, seed=2)
    line = "not to be: that is the question:\nTo be, or not to be: that is"
    assert write(temperature=0.0) == line[:60]


# --- devices, by recipe -----------------------------------------------------------------------------------------------

IMAGES = "data.as_images=true"
AUGMENTATIONS = {
    "Rotate": "degrees=15",
    "Shift": "pixels=1",
    "Scale": "low=0.9, high=1.1",
    "Flip": "horizontal=false",
    "Elastic": "alpha=3, sigma=2",
    "Noise": "std=0.2",
    "CutOut": "size=3",
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("flat", [False, True], ids=["images", "flat"])
def test_every_augmentation_by_its_name_changes_what_is_learnt_from(name, flat):
    augment = f'augment=[{{name="{name}", {AUGMENTATIONS[name]}}}]'
    form = f"data.as_images={'false' if flat else 'true'}"
    plain, changed = small("digits", form), small("digits", form, augment)
    (inputs, targets), (others, same) = next(iter(plain.loader)), next(iter(changed.loader))
    assert inputs.shape == others.shape
    numpy.testing.assert_array_equal(targets, same)  # the order is drawn before the images are changed
    assert abs(inputs - others).max() > 0.05
    numpy.testing.assert_array_equal(plain.validation.inputs, changed.validation.inputs)
    losses = changed.trainer.fit(changed.loader, EPOCHS)["train_loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_an_augmentation_that_moves_by_parts_of_a_pixel_and_several_at_once():
    parts = small("digits", 'augment=[{name="Shift", pixels=1.5, whole=false}, {name="Noise", std=0.1, p=0.5}]')
    assert [type(step).__name__ for step in parts.loader.transform.transforms] == ["Shift", "Noise"]
    assert parts.loader.transform.transforms[0].pixels == 1.5


@pytest.mark.parametrize(
    ("name", "augment", "expected"),
    [
        ("digits", '[{name="Rotat", degrees=1}]', r"unknown augment\[0\].name 'Rotat'; did you mean 'Rotate'"),
        ("digits", '[{name="Flip"}, {name="Rotate", degres=1}]', r"augment\[1\].*'degrees'"),
        ("digits", '[{name="Rotate"}]', r"'augment\[0\].degrees' is missing"),
        ("digits", '[{name="Shift", pixels=1.5}]', r"augment\[0\].*whole number"),
        ("digits", '[{name="Flip", p=2}]', r"augment\[0\]"),
        ("moons", '[{name="Flip"}]', r"augment changes images, and moons has examples of shape \(2,\)"),
        ("adding-lstm", '[{name="Flip"}]', r"augment changes images, and adding"),
        ("shakespeare-gpt", '[{name="Flip"}]', r"augment changes images, and tinyshakespeare"),
        ("reverse-transformer", '[{name="Flip"}]', r"augment changes images, and reverse"),
    ],
)
def test_an_augmentation_that_does_not_fit_is_refused(name, augment, expected):
    settings = ["data.length=8"] if name == "reverse-transformer" else []  # 16 symbols are no picture of 4 by 4
    with pytest.raises(UserError, match=expected):
        small(name, f"augment={augment}", *settings)


def test_accumulated_batches_of_a_recipe_are_one_large_batch():
    shared = ["model.dropout=0.0", "optimizer.name=SGD", "optimizer.lr=0.5"]
    large = small("digits", *shared, "training.batch_size=96", epochs=2)
    parts = small("digits", *shared, "training.batch_size=32", "training.accumulate=3", epochs=2)
    for each in (large, parts):
        each.trainer.fit(each.loader, 2)
    assert parts.trainer.steps == large.trainer.steps == 2 * math.ceil(1257 / 96)
    for a, b in zip(large.model.parameters(), parts.model.parameters(), strict=True):
        numpy.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-3, atol=1e-6)


def test_a_run_that_averages_ends_with_the_average_and_its_weights_file_has_it(tmp_path):
    parts = small("digits", "training.average=0.9", epochs=2)
    train_run(parts, tmp_path)
    _, model, _, _ = trained(tmp_path)
    for name, value in parts.trainer.averaging.weights.items():
        numpy.testing.assert_array_equal(model.state_dict()[name].numpy(), value)


def test_mix_up_gives_probabilities_and_still_learns():
    parts = small("digits", "training.mix_up=0.4")
    _, targets = next(iter(parts.loader))
    assert targets.shape == (32, 10)
    numpy.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert ((targets > 0).sum(axis=1) == 2).any()
    history = parts.trainer.fit(parts.loader, EPOCHS, parts.watched)
    assert history.last["val_accuracy"] > 0.8
    for name in ("universal", "adding-gru", "shakespeare-gpt", "reverse-transformer"):
        with pytest.raises(UserError, match="mixes classes"):
            small(name, "training.mix_up=0.4")


@pytest.mark.parametrize("name", nn.init.INITIALISERS)
def test_every_initialisation_by_its_name(name):
    model = small("digits", f"initialisation.name={name}", "model.hidden=[200]", "seed=3").model
    weight = model[1].weight.numpy()  # (200, 64)
    expected = {
        "normal": 0.01,
        "xavier": math.sqrt(2 / 264),
        "xavier_uniform": math.sqrt(2 / 264),
        "he": math.sqrt(2 / 64),
        "he_uniform": math.sqrt(2 / 64),
        "orthogonal": math.sqrt(1 / 200),
    }[name]
    assert weight.std() == pytest.approx(expected, rel=0.03)
    assert not model[1].bias.numpy().any()
    if name == "orthogonal":
        numpy.testing.assert_allclose(weight.T @ weight, numpy.eye(64), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["name=hee"], "unknown initialisation 'hee'; did you mean 'he'"),
        (["name=normal", "sdt=1"], "unknown key 'initialisation.sdt'; did you mean 'std'"),
        (["name=normal", "std=wide"], "'initialisation.std' is 'wide'"),
        (["name=normal", "std=-1"], "initialisation: a standard deviation"),
        (["name=he", "nonlinearity=rleu"], "initialisation: unknown nonlinearity 'rleu'; did you mean 'relu'"),
        (["name=xavier", "generator=1"], "unknown key 'initialisation.generator'"),
    ],
)
def test_an_initialisation_that_makes_no_sense_is_refused(settings, expected):
    with pytest.raises(UserError, match=expected):
        small("digits", *(f"initialisation.{setting}" for setting in settings))


def test_a_baseline_stands_beside_every_recipe_that_can_have_one_and_can_be_left_out(run, tmp_path):
    answer = run("train", "digits", *words_of(short("digits", "baseline=true")), "--out", "with", "--json")
    baseline = last_json(answer)["baseline"]
    assert baseline["name"] == "logistic regression"
    assert baseline["val_accuracy"] > 0.9
    assert "baseline   logistic regression" in answer[2]
    assert json.loads((tmp_path / "with/run.json").read_text())["baseline"]["val_accuracy"] == baseline["val_accuracy"]
    answer = run("train", "digits", *words_of(short("digits")), "--out", "without", "--json")
    assert last_json(answer)["baseline"] is None
    assert "baseline" not in answer[2]


def test_a_schedule_is_stepped_every_batch_or_every_epoch():
    cycle = ["schedule.name=OneCycleLR", "schedule.max_lr=0.01", "schedule.T_max=4"]
    with pytest.raises(UserError, match=r"schedule.T_max"):
        small("digits", *cycle)
    table = 'schedule={name="OneCycleLR", every="batch", max_lr=0.01, total_steps=80}'
    parts = small("digits", table, epochs=2)
    rates = []
    step = parts.trainer.step
    parts.trainer.step = lambda *batch: (rates.append(parts.trainer.learning_rate), step(*batch))[1]
    parts.trainer.fit(parts.loader, 2)
    assert len(set(rates)) == len(rates) == 80
    assert max(rates) == pytest.approx(0.01)
    parts = small("digits", 'schedule={name="StepLR", step_size=1, gamma=0.5}', epochs=3)
    parts.trainer.fit(parts.loader, 3)
    assert parts.trainer.history["lr"] == pytest.approx([0.003, 0.0015, 0.00075])
    with pytest.raises(UserError, match=r"'schedule.every' is 'day'"):
        small("digits", "schedule.every=day")


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_cycle_that_ends_before_the_training_is_refused_at_once_and_not_hours_later(accumulate):
    steps = 2 * math.ceil(40 / accumulate)
    table = lambda total: f'schedule={{name="OneCycleLR", every="batch", max_lr=0.01, total_steps={total}}}'
    with pytest.raises(UserError, match=rf"made for {steps - 1} steps.*set schedule.total_steps={steps}"):
        small("digits", table(steps - 1), f"training.accumulate={accumulate}", epochs=2)
    parts = small("digits", table(steps), f"training.accumulate={accumulate}", epochs=2)
    parts.trainer.fit(parts.loader, 2)
    assert parts.trainer.steps == steps


LAYERS = """model={name="sequential", layers=[
    {type="Conv2d", out_channels=6, kernel_size=3}, {type="BatchNorm2d"}, {type="ReLU"},
    {type="Conv2d", out_channels=8, kernel_size=3, groups=2}, {type="GroupNorm", num_groups=4}, {type="ReLU"},
    {type="MaxPool2d", kernel_size=2}, {type="Dropout2d", p=0.1}, {type="Flatten"},
    {type="Linear", out_features=16}, {type="BatchNorm1d"}, {type="Tanh"}, {type="Linear"}]}""".replace("\n", "")


def test_of_a_list_of_layers_what_the_data_says_need_not_be_said(tmp_path):
    parts = small("digits", IMAGES, LAYERS, epochs=2)
    convolution, norm, _, second, groups, *_, flat, _, _, last = parts.model
    assert (convolution.in_channels, norm.num_features, second.in_channels, groups.num_channels) == (1, 6, 6, 8)
    assert (flat.in_features, last.in_features, last.out_features) == (8 * 2 * 2, 16, 10)
    train_run(parts, tmp_path)
    losses = parts.trainer.history["train_loss"]
    assert losses[-1] < 0.8 * losses[0]
    _, model, _, _ = trained(tmp_path)
    x = parts.validation.inputs[:5]
    numpy.testing.assert_array_equal(model.eval()(x).numpy(), parts.model.eval()(x).numpy())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ('[{type="Conv2d", out_channels=4, kernel_size=9}]', r"layers\[0\].*9 by 9 does not fit.*8 by 8"),
        ('[{type="Conv2d", out_channels=4, kernel_size=3, groups=3}]', r"layers\[0\].*in_channels=1.*3 groups"),
        ('[{type="Conv2d", in_channels=3, out_channels=4, kernel_size=3}]', r"layers\[0\].*\(n, 3, height, width\)"),
        ('[{type="GroupNorm", num_groups=3}]', r"layers\[0\].*1 channels do not divide into 3 groups"),
        ('[{type="Flatten"}, {type="Linear", out_features=3}]', r"gives \(3,\) for each example.*needs 10"),
        ('[{type="Flatten"}, {type="Linera"}]', r"unknown model.layers\[1\].type 'Linera'; did you mean 'Linear'"),
        ('[{type="Conv2d"}]', r"'model.layers\[0\].out_channels' is missing"),
        ("[3]", r"model.layers.0"),
        ("[]", r"needs 10 numbers"),
    ],
)
def test_layers_that_do_not_fit_are_refused_with_their_place(layers, expected):
    with pytest.raises(UserError, match=expected):
        small("digits", IMAGES, f'model={{name="sequential", layers={layers}}}')


# --- a recipe whose parts do not fit ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("digits", ["loss.name=adversarial"], "belong together"),
        ("digits-gan", ["loss.name=mse"], "belong together"),
        ("digits-gan", ["scale.name=none"], "those of the data go from 0 to 16"),
        ("digits-gan", ["loss.smooth=2"], "smooth is a number from 0 to 1"),
        ("digits-gan", ["loss.smoth=0.9"], "did you mean 'smooth'"),
        ("digits-gan", ["model.forger=[8]"], "unknown key 'model.forger'. Allowed: latent, generator, discriminator"),
        ("digits-gan", ["schedule.name=StepLR", "schedule.step_size=1"], "trained without schedule"),
        ("digits-gan", ["early_stopping.monitor=train_loss"], "trained without early_stopping"),
        ("digits-gan", ["training.average=0.9", "training.accumulate=2"], r"training.accumulate, training.average"),
        ("digits-gan", ["training.mix_up=0.2"], "trained without training.mix_up"),
        ("digits-gan", ["training.clip_grad_norm=1.0"], "trained without training.clip_grad_norm"),
        ("digits-gan", ["data.as_images=false"], "needs images"),
        ("digits", ['model={name="lenet"}'], "data.as_images = true gives images"),
        ("digits", ['model={name="gpt"}'], "cannot take inputs of shape"),
        ("shakespeare-gpt", ['model={name="mlp"}'], r"needs \d+ numbers at each position of a sequence"),
        ("reverse-transformer", ['model={name="mlp"}'], "5 numbers at each position of a sequence"),
        ("shakespeare-gpt", ["split.test=0.1"], "has two parts"),
        ("mnist-mlp", ["split.test=0.1"], "published with a test set"),
        ("digits", ["training.batches=3"], "this data is no text"),
        ("mnist-lenet", ["model.filters=[]"], "at least one convolution"),
        ("mnist-lenet", ["model.filters=[4,4,4,4,4]"], "after each of 5 convolutions, and 28×28 pixels are too few"),
        ("polynomial", ["loss.name=cross_entropy"], "compares classes"),
        ("shakespeare-gru", ["loss.name=mse"], "has a symbol at each position"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused_before_anything_is_done(name, settings, expected):
    with pytest.raises(UserError, match=expected):
        small(name, *settings)


# --- folds, and rates -------------------------------------------------------------------------------------------------


def test_folds_in_parallel_equal_those_one_after_the_other(run, tmp_path):
    needs.one_engine()
    words = ["cross-validate", "moons", "--folds", "3", *words_of(short("moons")), "--json"]
    serial = last_json(run(*words, "--picture", "folds.png"))
    parallel = last_json(run(*words, "--jobs", "2"))
    plain = lambda result: [{k: v for k, v in row.items() if k != "seconds"} for row in result["folds"]]
    assert plain(serial) == plain(parallel)
    assert serial["means"] == parallel["means"]
    assert serial["means"]["val_accuracy"] == pytest.approx(numpy.mean([r["val_accuracy"] for r in serial["folds"]]))
    assert [row["fold"] for row in serial["folds"]] == [1, 2, 3]
    assert len({row["val_loss"] for row in serial["folds"]}) == 3
    assert (tmp_path / "folds.png").read_bytes().startswith(b"\x89PNG")


def test_folds_never_see_the_test_part():
    recipe = load_recipe("moons", short("moons", "data.n_samples=100", epochs=1))
    parts = build(recipe)
    result = cross_validate_recipe(recipe, folds=2)
    assert [row["train"] + row["validation"] for row in result.rows] == [80, 80]
    assert len(parts.test) == 20


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shakespeare-lstm", "it has no folds"),
        ("digits-gan", "nothing to cross-validate"),
        ("mnist-dcgan", "nothing to cross-validate"),
        ("reverse-transformer", "in the training part"),
    ],
)
def test_what_has_no_folds_is_refused(name, expected, run):
    assert expected in complaint(run("cross-validate", name, *words_of(short(name)), "--folds", "2"))


def test_the_rate_finder_suggests_a_rate_at_which_the_recipe_learns(run, tmp_path):
    answer = run("find-lr", "moons", *words_of(short("moons")), "--picture", "rates.png", "--json")
    found = last_json(answer)
    assert 1e-3 < found["suggestion"] < found["lowest"] < 10
    assert f"--set optimizer.lr={found['suggestion']:.2g}" in answer[2]
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    parts = small("moons", f"optimizer.lr={found['suggestion']:.2g}")
    history = parts.trainer.fit(parts.loader, EPOCHS, parts.watched)
    assert history.last["train_loss"] < 0.6 * history["train_loss"][0]
    assert "a GAN has two losses" in complaint(run("find-lr", "digits-gan", *words_of(short("digits-gan"))))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_batches_are_not_taken_for_the_fall_of_the_loss(seed):
    """Of few batches the first means differ by which batches they are, long before any rate has an effect."""
    found = find_rate(load_recipe("universal", ["model.hidden=[16]"], seed))
    assert 1e-4 < found.suggestion < 0.1


def test_the_rate_finder_works_on_texts_and_sequences():
    for name in ("shakespeare-gru", "reverse-transformer", "adding-gru"):
        found = find_rate(load_recipe(name, short(name)))
        assert found.suggestion is not None
        assert numpy.isfinite(found.smoothed).all()


# --- how a run ends ---------------------------------------------------------------------------------------------------


def test_a_run_that_diverges_ends_with_2_and_keeps_what_was_saved(run, tmp_path, monkeypatch):
    words = words_of(short("digits", epochs=2))
    assert run("train", "digits", *words, "--out", "r")[0] == 0
    before = (tmp_path / "r/checkpoint.safetensors").read_bytes()
    usual = Trainer.step

    def diverge(self, inputs, targets, last=True):
        return usual(self, inputs * numpy.float32("nan"), targets, last)

    monkeypatch.setattr(Trainer, "step", diverge)
    status, _, err = run("train", "--resume", "r", "--set", "training.epochs=3")
    assert status == 2
    assert "error: the loss became nan in epoch 3, batch 1" in err
    assert (tmp_path / "r/checkpoint.safetensors").read_bytes() == before
    with pytest.raises(DivergedError):
        small("digits").trainer.step(numpy.zeros((2, 64), "float32"), numpy.zeros(2, "int64"))


def test_a_finished_gan_names_the_command_that_shows_its_samples(run):
    status, _, err = run("train", "digits-gan", *words_of(short("digits-gan", epochs=1)), "--out", "r")
    assert status == 0
    assert "see it     ichikara sample r" in err
    status, _, err = run("train", "mnist-dcgan", *words_of(short("mnist-dcgan", epochs=1)), "--out", "d")
    assert status == 0
    assert "ichikara evaluate" not in err
