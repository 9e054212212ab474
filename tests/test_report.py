"""The run's report: one page that stands alone, holds what the run found out, and trusts no name."""

import json
import math
import re
from html.parser import HTMLParser

import numpy
import pytest

from ichikara import nn
from ichikara.errors import UserError
from ichikara.plot import confusion_matrix, filter_images, inline_svg, tile
from ichikara.recipes import build, evaluate_run, findings, load_recipe, report, run, train_run
from ichikara.recipes.subject import Subject
from ichikara.train import Callback, History

VOID = {"meta", "img", "br", "hr", "input", "link"}
EVIL = "<script>alert(1)</script>"

RUNS = {
    "digits": ["training.epochs=2"],
    "xor": ["training.epochs=3"],
    "moons": ["training.epochs=2", "data.n_samples=120"],
    "perceptron": ["training.epochs=2"],
    "polynomial": ["training.epochs=3"],
    "universal": ["training.epochs=2", "data.n_samples=60"],
    "digits-resnet": ["training.epochs=1", "schedule.total_steps=50", "model.widths=[4]", "training.batch_size=128"],
    "adding-gru": ["training.epochs=1", "data.n_samples=64", "data.length=6", "model.hidden=4"],
    "reverse-transformer": ["training.epochs=1", "data.n_samples=100", "data.length=4", "model.width=8"],
    "digits-gan": ["training.epochs=1", "training.batch_size=512", "model.generator=[8]", "model.discriminator=[8]"],
}
PARTS = {
    "digits": ["doctor", "curves", "inside", "confusion", "mistakes", "baseline"],
    "xor": ["doctor", "curves", "inside", "plane", "confusion", "mistakes"],
    "moons": ["doctor", "curves", "inside", "plane", "confusion", "mistakes", "baseline"],
    "perceptron": ["doctor", "curves", "inside", "plane", "confusion", "mistakes", "baseline"],
    "polynomial": ["doctor", "curves", "inside", "predictions", "baseline"],
    "universal": ["doctor", "curves", "inside", "predictions", "baseline"],
    "digits-resnet": ["doctor", "curves", "inside", "confusion", "mistakes", "baseline"],
    "adding-gru": ["doctor", "curves", "inside", "predictions", "baseline"],
    "reverse-transformer": ["doctor", "curves", "inside", "sequences"],
    "digits-gan": ["doctor", "curves", "inside", "generated"],
}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in its turn; keeps words, elements and their attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids)), "an identifier stands twice"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def parts(self):
        return [attributes["id"] for tag, attributes in self.elements if tag == "section"]

    def stands_alone(self):
        """Nothing in the page points outside of it."""
        for tag, attributes in self.elements:
            assert tag not in ("script", "link", "iframe", "object", "base", "form"), tag
            for name, value in attributes.items():
                assert not name.startswith("on"), name
                if name in ("src", "href", "xlink:href", "srcset", "action"):
                    assert value.startswith(("data:image/png;base64,", "#")), value
                assert not re.search(r"url\((?!#)|https?://", value or ""), value


def page_of(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert len(text) < 2_000_000
    assert text.startswith("<!doctype html>")
    page = Page(text)
    page.stands_alone()
    assert "@import" not in text
    return page


def trained(folder, name, settings=()):
    """Train a recipe; its page must have been written without a word."""
    folder.mkdir(exist_ok=True)
    parts = build(load_recipe(name, settings))
    told = []
    summary = train_run(parts, folder, tell=told.append)
    assert told == []
    return parts, summary


def table(folder, classes=("あやめ", EVIL, '_$\\frac{ " &'), columns=("がく片の長さ", "<b>$x^", "_w"), rows=90):
    """Names from a user's file, the worst that there are; a recipe for it."""
    random = numpy.random.default_rng(0)
    lines = [";".join([*columns, "class"])]
    for i in range(rows):
        numbers = random.normal(size=len(columns)) + i % len(classes)
        lines.append(";".join([*(f"{v:.3f}" for v in numbers), f"{classes[i % len(classes)]}"]))
    (folder / "names.csv").write_text("\n".join(lines), encoding="utf-8")
    recipe = folder / "names.toml"
    recipe.write_text(
        """
title = "Names </title><b>bold</b>"
[data]
name = "csv"
path = "names.csv"
delimiter = ";"
target = "class"
[split]
validation = 0.3
test = 0.2
[scale]
name = "standard"
[model]
name = "mlp"
hidden = [4]
[optimizer]
name = "Adam"
lr = 0.01
[training]
epochs = 2
""",
        encoding="utf-8",
    )
    return recipe


# --- every kind of run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS)
def test_every_recipe_has_a_page(name, tmp_path):
    _, summary = trained(tmp_path, name, RUNS[name])
    page = page_of(tmp_path)
    assert [part for part in page.parts if part != "filters"] == [*PARTS[name], "vault", "provenance"]
    assert "could not be drawn" not in page.text
    assert f"{summary['parameters']:,}" in page.text
    if "val_accuracy" in summary:
        assert f"validation accuracy {100 * summary['val_accuracy']:.2f}%" in page.text
    if "val_loss" in summary:
        assert f"validation loss {summary['val_loss']:.4g}" in page.text
    assert summary["data"]["train"][1] in page.text
    assert "ichikara train" in page.text
    assert page.elements[0] == ("html", {"lang": "en"})
    pictures = [attributes for tag, attributes in page.elements if tag in ("img", "svg")]
    assert pictures
    assert all("alt" in a or (a.get("role") == "img" and a["aria-label"]) for a in pictures)
    assert [tag for tag, _ in page.elements if tag in ("h1", "h2")] == ["h1", *["h2"] * len(page.parts)]


def test_a_run_without_validation_data_says_that_it_was_judged_by_its_training_data(tmp_path):
    trained(tmp_path, "xor", RUNS["xor"])
    page = page_of(tmp_path)
    assert "training data (there is no validation part)" in page.text
    assert "training accuracy" in page.text
    assert "has no test set" in page.text


def test_a_text_is_written(tmp_path, monkeypatch):
    (tmp_path / "verse.txt").write_text("<i>to be</i> & or not to be\n" * 40, encoding="utf-8")
    settings = ["data.name=text", f"data.path={tmp_path / 'verse.txt'}", "training.epochs=1", "training.batch_size=4"]
    settings += ["training.batches=2", "training.context=16", "model.hidden=8", "model.embedding=4", "title=Verse"]
    monkeypatch.setattr(findings, "CHARACTERS", 80)
    trained(tmp_path, "shakespeare-lstm", settings)
    page = page_of(tmp_path)
    assert "text" in page.parts
    assert "80 characters that the network wrote after the end of a line" in page.text
    assert "bits a character" in page.text
    assert not [tag for tag, _ in page.elements if tag == "i"]


def test_more_classes_than_a_table_holds(tmp_path):
    recipe = table(tmp_path, classes=[f"名前 {i}" for i in range(20)], rows=200)
    trained(tmp_path / "run", recipe)
    page = page_of(tmp_path / "run")
    assert "recall of the true class" in page.text
    assert any(a.get("aria-label", "").startswith("confusion matrix") for _, a in page.elements)


def test_a_surface(tmp_path):
    trained(tmp_path, "universal", ["data.name=surface", "data.n_samples=60", "training.epochs=2"])
    assert "The fitted surface" in page_of(tmp_path).text


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 7])
def test_names_are_words_and_never_elements(more, tmp_path):
    recipe = table(tmp_path, columns=["がく片の長さ", "<b>$x^", *(f"_c{i}" for i in range(more))])
    trained(tmp_path / "run", recipe)
    page = page_of(tmp_path / "run")
    assert "could not be drawn" not in page.text
    assert {tag for tag, _ in page.elements} & {"script", "b"} == set()
    for name in (EVIL, "あやめ", "がく片の長さ", '_$\\frac{ " &', "Names </title><b>bold</b>"):
        assert name in page.text
    evaluate_run(tmp_path / "run")
    page_of(tmp_path / "run")


def test_a_figure_on_a_page_keeps_its_words_and_gives_up_its_names():
    counts = numpy.array([[3, 1], [0, 2]])
    svg = inline_svg(confusion_matrix(counts, ("<a href='x'>", "犬 $x$")), "here", 'a "matrix"')
    page = Page(svg)
    page.stands_alone()
    assert "<a href='x'>" in page.text
    assert "犬 $x$" in page.text
    assert all(name.startswith("here-") for name in page.ids)
    assert page.elements[0][1]["aria-label"] == 'a "matrix"'
    assert "#000000" not in svg
    assert svg == inline_svg(confusion_matrix(counts, ("<a href='x'>", "犬 $x$")), "here", 'a "matrix"')


# --- evaluate, and what may go wrong ----------------------------------------------------------------------------------


def test_evaluate_writes_the_opening_and_the_test_figures_into_the_page(tmp_path):
    trained(tmp_path, "moons", RUNS["moons"])
    before = page_of(tmp_path)
    assert "which was never opened" in before.text
    assert "test accuracy" not in before.text
    result = evaluate_run(tmp_path)
    once = page_of(tmp_path)
    assert "was opened once" in once.text
    assert "ichikara evaluate" in once.text
    assert f"{100 * result['test_accuracy']:.2f}%" in once.text
    opening = json.loads((tmp_path / "vault.json").read_text())["openings"][0]["when"]
    assert opening.replace("T", " ").replace("+00:00", " UTC") in once.text
    assert once.parts == before.parts
    evaluate_run(tmp_path, again=True)
    twice = page_of(tmp_path)
    assert "opened 2 times" in twice.text
    assert "again, on request" in twice.text


def test_a_part_that_cannot_be_drawn_is_named_and_the_rest_is_there(tmp_path, monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("no <ink> left")

    monkeypatch.setattr(findings, "decision_regions", broken)
    trained(tmp_path, "moons", RUNS["moons"])
    page = page_of(tmp_path)
    assert page.parts == [*PARTS["moons"], "vault", "provenance"]
    assert "This part could not be drawn (ZeroDivisionError: no <ink> left)" in page.text


def test_a_page_that_cannot_be_written_does_not_lose_the_run(tmp_path, monkeypatch, capsys):
    def full(*args):
        raise UserError("no space left")

    monkeypatch.setattr(report, "write", full)
    told = []
    summary = train_run(build(load_recipe("moons", RUNS["moons"])), tmp_path, tell=told.append)
    assert told == ["the run is saved, but report.html could not be written: no space left"]
    assert summary["finished"]
    assert {"weights.safetensors", "history.csv", "run.json"} <= {path.name for path in tmp_path.iterdir()}
    assert evaluate_run(tmp_path)["openings"] == 1
    assert "report.html could not be written" in capsys.readouterr().err


def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    parts = build(load_recipe("moons", ["training.epochs=5", "data.n_samples=120"]))

    class Stop(Callback):
        def on_epoch_end(self, trainer, row):
            trainer.interrupted = True

    parts.trainer.callbacks.append(Stop())
    train_run(parts, tmp_path)
    page = page_of(tmp_path)
    assert "was interrupted after 1 of 5 epochs" in page.text
    assert f"ichikara train --resume {tmp_path}" in page.text


def test_a_run_that_diverged_has_a_page(tmp_path):
    with pytest.raises(UserError, match="the loss became"):
        train_run(build(load_recipe("polynomial", ["training.epochs=5", "optimizer.lr=1e30"])), tmp_path)
    page = page_of(tmp_path)
    assert "This run diverged in epoch 2. There are no good weights." in page.text
    assert page.parts == ["doctor", "curves", "vault", "provenance"]


def test_a_second_interruption_is_not_kept_waiting(tmp_path, monkeypatch):
    parts = build(load_recipe("moons", RUNS["moons"]))
    parts.trainer.steps = 1
    monkeypatch.setattr(parts.trainer, "fit", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(run, "_report", lambda *args: pytest.fail("drawn all the same"))
    with pytest.raises(KeyboardInterrupt):
        train_run(parts, tmp_path)


def test_the_page_changes_nothing_of_the_run(tmp_path, monkeypatch):
    parts, _ = trained(tmp_path / "with", "digits", RUNS["digits"])
    assert parts.model.training
    monkeypatch.setattr(run, "_report", lambda *args: None)
    trained(tmp_path / "without", "digits", RUNS["digits"])
    for name in ("weights.safetensors", "vault.json"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


# --- the numbers behind the pictures ----------------------------------------------------------------------------------


def test_the_worst_mistakes_are_those_with_the_highest_loss(tmp_path):
    parts, _ = trained(tmp_path, "digits", ["training.epochs=1"])
    subject = Subject(parts.recipe, parts.model, parts.objective, parts.train, parts.validation, parts.scaler)
    found = subject.answers
    outputs = found.outputs.astype("float64")
    probabilities = numpy.exp(outputs) / numpy.exp(outputs).sum(axis=1, keepdims=True)
    losses = -numpy.log(probabilities[numpy.arange(len(outputs)), found.targets])
    assert numpy.allclose(found.losses, losses, atol=1e-5)
    assert sorted(found.rows.tolist()) == list(range(len(parts.validation)))
    section = next(draw for _, part, draw in findings.SECTIONS if part == "mistakes")(subject)
    worst = sorted(numpy.flatnonzero(found.wrong), key=lambda i: -losses[i])[:12]
    assert [p["true"] for p in section["pictures"]] == [found.classes[found.targets[i]] for i in worst]
    assert [p["predicted"] for p in section["pictures"]] == [found.classes[found.labels[i]] for i in worst]


def test_tiles_keep_their_gaps_and_filters_their_scale():
    sheet = tile(numpy.ones((3, 1, 2, 2)), columns=2)
    assert sheet.shape == (5, 5, 4)
    assert sheet[..., 3].sum() == 3 * 4
    images, deepest = filter_images(numpy.array([[[[0.0, 1.0], [-1.0, -2.0]]]]))
    assert deepest == 2
    assert images[0, :, 0, 0] == pytest.approx([1, 1, 1], abs=0.01)  # zero is white
    assert images[0, 0, 0, 1] > images[0, 2, 0, 1]  # amber above zero
    assert images[0, 0, 1, 1] < images[0, 2, 1, 1]  # indigo below


def test_filters_are_shown_where_they_show_something():
    parts = build(load_recipe("digits"))
    layer = next(m for m in parts.model.modules() if isinstance(m, nn.Linear))
    subject = Subject(parts.recipe, parts.model, parts.objective, parts.train, parts.validation, parts.scaler)
    show = next(draw for _, part, draw in findings.SECTIONS if part == "filters")
    assert show(subject) is None  # weights of the start are noise
    places = numpy.linspace(0, 3, 8)
    layer.weight.data = numpy.tile(numpy.sin(places[:, None] + places).ravel(), (len(layer.weight), 1))
    assert "amber" in show(subject)["note"]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([2.0, 1.0, 0.5], "The validation loss went from 2 in epoch 1 to 0.5 in epoch 3."),
        ([2.0, 0.5, 1.0], "to 1 in epoch 3; it was lowest, 0.5, in epoch 2."),
        ([2.0], ""),
        ([2.0, math.nan], ""),
    ],
)
def test_the_curves_have_a_sentence(losses, words):
    rows = [{"epoch": i, "train_loss": 1.0, "val_loss": loss} for i, loss in enumerate(losses, 1)]
    assert report._course_of(History(rows)).endswith(words)


def test_long_histories_are_thinned():
    rows = [{"epoch": i + 1, "train_loss": 1 / (i + 1)} for i in range(5000)]
    section = report._curves(History(rows), {"best_epoch": 5000, "epochs": 5000})
    assert len(section["figures"][0]["svg"]) < 100_000
