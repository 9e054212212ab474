"""The sections of a run's report that show the trained network: its mistakes, filters, curves and samples."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from .. import nn
from ..arrays import Generator
from ..data import CharVocabulary
from ..plot import (
    confusion_matrix,
    decision_regions,
    filter_images,
    fitted_curve,
    fitted_surface,
    inline_png,
    inline_svg,
    predicted_against_true,
    tile,
)
from .generate import write_on
from .subject import SECONDS, Subject, shorten, thumbnails

__all__ = ["SECTIONS", "Section", "drawn"]

POINTS, PICTURES, ROWS, CHARACTERS, FILTERS = 600, 12, 8, 500, 64  # the most that a section shows
_TABLE = 15  # classes up to which the confusion matrix is a table

Section = dict[str, Any]


def drawn(title: str, part: str, build: Callable[[Subject], Section | None], subject: Subject) -> Section | None:
    """A section of the report. If drawing it fails, the section says so, and the rest of the page is still written."""
    try:
        with numpy.errstate(all="ignore"):  # of a run that diverged
            section = build(subject)
    except Exception as error:
        section = {"failed": f"{type(error).__name__}: {error}"[:300]}
    return None if section is None else {"title": title, "part": part, **section}


def _confusion(subject: Subject) -> Section | None:
    if subject.task != "classification" or subject.train.targets.ndim > 1:
        return None
    found = subject.answers
    n = len(found.classes)
    counts = numpy.zeros((n, n), "int64")
    numpy.add.at(counts, (found.targets, found.labels), 1)
    right, total = int(counts.trace()), int(counts.sum())
    note = f"{right:,} of {total:,} right, on {found.where}. Rows are the true classes, columns the predicted ones."
    if n <= _TABLE:
        rows = []
        for i, row in enumerate(counts):
            share = row / max(row.sum(), 1)
            cells = [
                (int(c), round(float(s) ** 0.5, 3), i == j) for j, (c, s) in enumerate(zip(row, share, strict=True))
            ]
            rows.append({"name": found.classes[i], "cells": cells, "recall": _recall(row, i)})
        long = max(map(len, found.classes)) > 3
        return {"note": note, "confusion": {"classes": found.classes, "rows": rows, "long": long}}
    wrong = counts - numpy.diag(counts.diagonal())
    pairs = [divmod(int(i), n) for i in numpy.argsort(-wrong, axis=None, kind="stable")[:ROWS] if wrong.flat[i]]
    table = [[found.classes[i], found.classes[j], f"{wrong[i, j]:,}", _recall(counts[i], i)] for i, j in pairs]
    svg = inline_svg(
        confusion_matrix(counts, found.classes), "confusion", "confusion matrix, coloured by fractions of each row"
    )
    section: Section = {"note": note, "figures": [{"svg": svg, "large": True}]}
    if table:
        section["table"] = {
            "head": ["true", "predicted", "times", "recall of the true class"],
            "rows": table,
            "numbers": 2,
        }
    return section


def _recall(row, i) -> str:
    return f"{row[i] / row.sum():.1%}" if row.sum() else "–"


def _mistakes(subject: Subject) -> Section | None:
    if subject.task != "classification" or subject.train.targets.ndim > 1:
        return None
    found = subject.answers
    wrong = int(found.wrong.sum())
    candidates = numpy.flatnonzero(found.wrong) if wrong else numpy.arange(len(found.rows))
    chosen = candidates[numpy.argsort(-found.losses[candidates], kind="stable")]
    chosen = chosen[: PICTURES if subject.image_shape else ROWS]
    few = f"The {len(chosen)} worst of {wrong:,} mistakes" if wrong > len(chosen) else f"All {wrong} mistakes"
    few = "The only mistake" if wrong == 1 else few
    none = f"No mistakes on {found.where}. The {len(chosen)} predictions with the highest loss:"
    note = f"{few} on {found.where}, the worst first." if wrong else none
    chosen_words = [
        {
            "true": found.classes[found.targets[i]],
            "predicted": found.classes[found.labels[i]],
            "probability": "" if found.probabilities is None else f"{found.probabilities[i]:.1%}",
        }
        for i in chosen
    ]
    if subject.image_shape:
        images = subject.images(found.inputs[chosen])
        pictures = [
            {"src": inline_png(_one(image)), "alt": f"an image of class {words['true']}", **words}
            for image, words in zip(images, chosen_words, strict=True)
        ]
        return {"note": note, "pictures": pictures}
    head, columns = _columns(subject, found.inputs[chosen])
    sure = found.probabilities is not None
    rows = [
        [*cells, words["true"], words["predicted"], *([words["probability"]] if sure else [])]
        for cells, words in zip(columns, chosen_words, strict=True)
    ]
    head += ["true", "predicted", "probability"][: 3 if sure else 2]
    return {"note": note, "table": {"head": head, "rows": rows, "numbers": None}}


def _one(image: numpy.ndarray) -> numpy.ndarray:
    return image[0] if len(image) == 1 else numpy.moveaxis(image, 0, -1)


def _columns(subject: Subject, inputs: numpy.ndarray, most: int = 5) -> tuple[list[str], list[list[str]]]:
    """The names and numbers of the inputs' first columns; none where an example is not a row of numbers."""
    if inputs.ndim != 2:
        return [], [[] for _ in inputs]
    width = inputs.shape[1]
    names = [shorten(name) for name in subject.train.input_names or [f"input {i + 1}" for i in range(width)]]
    rows = [[_number(value) for value in row[:most]] for row in subject.unscaled(inputs)]
    if width <= most:
        return names, rows
    return [*names[:most], f"and {width - most} more"], [[*row, "…"] for row in rows]


def _number(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}".replace("-", "−")


def _filters(subject: Subject) -> Section | None:
    shape = subject.image_shape
    model = getattr(subject.model, "discriminator", subject.model)
    layer = next((m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)), None)
    if shape is None or layer is None:
        return None
    weights = layer.weight.numpy()
    if isinstance(layer, nn.Linear):
        if weights.shape[1] != math.prod(shape):
            return None
        weights = weights.reshape(-1, *shape)
    if min(weights.shape[-2:]) < 2 or _correlation_of_neighbours(weights) < STRUCTURE:
        return None
    sizes = numpy.sqrt((weights.astype("float64") ** 2).sum(axis=(1, 2, 3)))
    strongest = numpy.sort(numpy.argsort(-sizes, kind="stable")[:FILTERS])
    count, of = len(strongest), len(weights)
    which = (
        f"The weights of {count} neurons" if count == of else f"The {count} of {of} neurons with the largest weights"
    )
    whose = " of the discriminator" if model is not subject.model else ""
    images, deepest = filter_images(thumbnails(weights[strongest], 48))
    colours = f"from −{deepest:.2g} (indigo, inhibits) over 0 (white) to {deepest:.2g} (amber, excites)"
    if weights.shape[1] == 3:
        colours = f"as red, green and blue around grey, which is 0; the deepest is {deepest:.2g}"
    tiles = [inline_png(numpy.moveaxis(image, 0, -1), 1) for image in images]
    return {"note": f"{which} in the first layer{whose}, {colours}.", "tiles": tiles}


STRUCTURE = 0.2
"""The least correlation of neighbouring weights for which filters are shown. Noise has about 0, what a picture shows
0.3 and more."""


def _correlation_of_neighbours(weights: numpy.ndarray) -> float:
    """How much the weights of neighbouring pixels go together, from −1 to 1."""
    centred = weights.astype("float64") - weights.mean((-2, -1), keepdims=True)
    pairs = [(centred[..., 1:, :], centred[..., :-1, :]), (centred[..., :, 1:], centred[..., :, :-1])]
    together = sum((a * b).sum() for a, b in pairs)
    alone = sum(numpy.sqrt((a * a).sum() * (b * b).sum()) for a, b in pairs)
    return float(together / alone) if alone else 0.0


def _plane(subject: Subject) -> Section | None:
    if subject.train.inputs.shape[1:] != (2,) or subject.task not in ("classification", "regression"):
        return None
    found = subject.answers
    inputs, targets = subject.unscaled(found.inputs)[:POINTS], found.targets[:POINTS]
    names: Any = subject.train.input_names
    title = "Decision regions"
    if subject.task == "classification":
        decide = lambda points: subject.decide(subject.ask(points))
        figure = decision_regions(decide, inputs, targets, found.classes, names)
        note = f"The predicted class at each point: the more probable, the deeper the tint. Points: {found.where}."
    else:
        if subject.objective.outputs != 1:
            return None
        title = "The fitted surface"
        figure = fitted_surface(lambda points: subject.ask(points).reshape(-1), inputs, targets.reshape(-1), names)
        note = "The prediction at each point, as a tint with level lines. "
        note += f"Points: {found.where}; discs have a target above the surface, rings below."
    return {"title": title, "note": note, "figures": [{"svg": inline_svg(figure, "plane", note)}]}


def _regression(subject: Subject) -> Section | None:
    if subject.task != "regression":
        return None
    found = subject.answers
    true, predicted = found.targets.reshape(-1), found.outputs.reshape(-1)
    figures = []
    if subject.train.inputs.shape[1:] == (1,) and subject.objective.outputs == 1:
        of = lambda data: (subject.unscaled(data.inputs[:POINTS]).reshape(-1), data.targets[:POINTS].reshape(-1))
        curve = fitted_curve(
            lambda x: subject.ask(x[:, None]).reshape(-1),
            of(subject.train),
            None if subject.validation is None else of(subject.validation),
            (subject.train.input_names or ("input",))[0],
        )
        words = "The network as a curve over the data."
        figures.append({"svg": inline_svg(curve, "curve", words), "caption": words})
    words = "Each prediction against its target; on the dotted line the two are equal."
    figure = predicted_against_true(true[:POINTS], predicted[:POINTS])
    figures.append({"svg": inline_svg(figure, "predicted", words), "caption": words})
    errors = numpy.abs(predicted.astype("float64") - true).reshape(len(found.rows), -1)
    worst = numpy.argsort(-errors.max(axis=1), kind="stable")[:ROWS]
    head, columns = _columns(subject, found.inputs[worst], 4)
    rows = []
    for i, cells in zip(worst, columns, strict=True):
        j = int(errors[i].argmax())
        pair = found.targets[i].reshape(-1)[j], found.outputs[i].reshape(-1)[j]
        rows.append([*cells, *map(_number, pair), _number(errors[i, j], 2)])
    table = {"head": [*head, "true", "predicted", "error"], "rows": rows, "numbers": 0}
    root = math.sqrt(float((errors**2).mean()))
    note = f"On {found.where} the errors have a mean of {errors.mean():.3g} and a root mean square of {root:.3g}."
    return {"note": f"{note} The table shows the largest errors.", "figures": figures, "table": table}


def _sequences(subject: Subject) -> Section | None:
    model = subject.model
    if subject.task != "sequence" or not hasattr(model, "solve"):
        return None
    data = subject.train if subject.validation is None else subject.validation
    some = Generator(0).permutation(len(data))[:64]
    questions, wanted = data.inputs[some, : model.length], data.targets[some]
    written = model.solve(questions).numpy()
    right = (written == wanted).all(axis=1)
    assert data.classes is not None
    row = lambda symbols: " ".join(data.classes[s] for s in symbols)
    shown = numpy.argsort(right, kind="stable")[: ROWS + 2]
    rows = [[row(questions[i]), row(wanted[i]), row(written[i]), "right" if right[i] else "wrong"] for i in shown]
    where = "validation" if subject.validation is not None else "training"
    note = (
        f"The network writes each answer symbol by symbol and reads its own symbols. Of {len(some)} answers "
        f"to the {where} data, {right.sum()} ({right.mean():.1%}) are completely right. Wrong answers come first."
    )
    return {"note": note, "table": {"head": ["question", "answer", "written", ""], "rows": rows, "numbers": None}}


def _text(subject: Subject) -> Section | None:
    if subject.task != "text":
        return None
    vocabulary = CharVocabulary(subject.train.classes or ())
    prompt = "\n" if "\n" in vocabulary.characters else vocabulary.characters[int(subject.train.inputs[0])]
    was = subject.model.training
    symbols = _in_time(write_on(subject.model, vocabulary.encode(prompt), CHARACTERS, Generator(0)))
    text = vocabulary.decode(list(symbols))
    subject.model.train(was)
    after = "the end of a line" if prompt == "\n" else f"“{prompt}”"
    note = f"{len(text)} characters that the network wrote after {after}, at temperature 1 and with seed 0."
    return {"note": note, "text": text}


def _in_time(symbols: Iterator[int]) -> Iterator[int]:
    began = time.perf_counter()
    for symbol in symbols:
        yield symbol
        if time.perf_counter() - began > SECONDS:
            return


def _generated(subject: Subject) -> Section | None:
    if subject.task != "images":
        return None
    n = 64
    generated = numpy.clip(subject.model.sample(n, Generator(0)), 0, 1)
    real = subject.images(subject.train.inputs[Generator(0).permutation(len(subject.train))[:n]])
    sheets = [
        {
            "src": inline_png(tile(thumbnails(images, 48)), 256),
            "caption": words,
            "alt": f"a sheet of {len(images)} images: {words}",
        }
        for images, words in ((generated, "made from noise by the generator"), (real, "real ones, to compare"))
    ]
    return {"note": "Drawn with seed 0, not selected.", "sheets": sheets}


SECTIONS: list[tuple[str, str, Callable[[Subject], Section | None]]] = [
    ("Generated images", "generated", _generated),
    ("Generated text", "text", _text),
    ("Answers", "sequences", _sequences),
    ("Decision regions", "plane", _plane),
    ("Predictions", "predictions", _regression),
    ("Confusion matrix", "confusion", _confusion),
    ("The worst mistakes", "mistakes", _mistakes),
    ("First-layer filters", "filters", _filters),
]
"""The sections that show the trained network: title, anchor on the page, and the function that builds it."""
