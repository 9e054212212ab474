"""The run's report: one HTML page that needs no other file."""

import csv
import math
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy

from ..charts import Chart
from ..data.vault import read_record
from ..errors import UserError
from ..plot import draw, history_chart, inline_svg, learning_curve_charts
from ..train import History
from ..train.checkpoint import write
from .findings import SECTIONS, Section, drawn
from .inside import charts_section, doctor_section
from .subject import Subject
from .summary import read_summary

__all__ = ["REPORT", "Subject", "write_report"]

REPORT = "report.html"
_VERSION: str = sys.modules[__name__.partition(".")[0]].__version__  # the package stands above all floors
_EPOCHS = 1000  # the most points of a curve
_PERCENT = ("accuracy", "exact")


def write_report(folder: Path, subject: Subject, test: dict[str, Any] | None = None) -> Path:
    """Write a run's report, ``report.html``, into its folder; returns its path.

    The page needs no other file and no network. A section that cannot be drawn says so, and the others are still drawn.

    Arguments: ``folder``, with the run's recipe, history and numbers; ``subject``, the network and its data; ``test``,
    the measures on the test set, if the vault was opened just now.

    Raises UserError where the page cannot be written.

    >>> import tempfile
    >>> from ichikara.recipes import build, load_recipe, train_run
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = train_run(build(load_recipe("xor", ["training.epochs=2"])), Path(place))
    ...     Path(place, "report.html").read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    summary = read_summary(folder)
    history = _history(folder / "history.csv")
    sections = [
        drawn("What the doctor found", "doctor", lambda _: doctor_section(summary, folder), subject),
        drawn("Learning curves", "curves", lambda _: _curves(history, summary), subject),
        drawn("Inside the network", "inside", lambda _: charts_section(folder), subject),
    ]
    if not summary["diverged"] or summary["best_epoch"]:
        sections += [drawn(title, part, build, subject) for title, part, build in SECTIONS]
        sections += [drawn("Comparison with a baseline", "baseline", lambda _: _baseline(summary, subject), subject)]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup  # of `inline_svg`, which escapes what a figure says
    recipe = subject.recipe
    page = environment.get_template("report.html.j2").render(
        title=recipe.title or recipe.data.name,
        state=_state(summary, recipe, folder),
        tiles=_tiles(summary, subject, test),
        sections=[section for section in sections if section is not None],
        settings=recipe.toml(),
        facts=_facts(summary, recipe),
        data=_data(summary),
        vault=_vault(folder, summary),
        repeat=f"ichikara train {shlex.quote(str(folder / 'recipe.toml'))}",
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=_VERSION,
    )
    path = folder / REPORT
    write(path, page)
    return path


def _history(path: Path) -> History:
    """A run's history, from its file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
        return History([{**row, "epoch": int(row["epoch"])} for row in rows])
    except (OSError, ValueError, LookupError, TypeError, OverflowError, csv.Error) as error:
        raise UserError(f"{path} is damaged: {error}") from None


def _state(summary: dict[str, Any], recipe: Any, folder: Path) -> tuple[str, str]:
    """How the run ended, if before its last epoch; and the command that resumes it, if it can be resumed."""
    if summary["diverged"]:
        best = summary["best_epoch"]
        weights = f"The weights are the last good ones, of epoch {best}" if best else "There are no good weights"
        return f"This run diverged in epoch {summary['diverged']}. {weights}.", ""
    if summary["stopped"]:
        best = summary["best_epoch"]
        best_weights = f" The weights are those of epoch {best}." if recipe.early_stopping.restore_best and best else ""
        return f"Stopped after epoch {summary['epochs']}: {summary['stopped']}.{best_weights}", ""
    if summary["finished"]:
        return "", ""
    how = "was interrupted" if summary["interrupted"] else "ended early"
    done = f"after {summary['epochs']} of {recipe.training.epochs} epochs"
    return f"This run {how} {done}. To resume it:", f"ichikara train --resume {shlex.quote(str(folder))}"


def _tiles(summary: dict[str, Any], subject: Subject, test: dict[str, Any] | None) -> list[dict[str, str]]:
    """The numbers at the head of the page: what was measured, how long it took, how large the network is."""
    tiles = []
    tile = lambda label, value, note="": tiles.append({"label": label, "value": value, "note": note})
    if test is not None:
        for name in _measures(test, "test_"):
            tile(_words(name), _measure(name, test[name]), f"{test['examples']:,} examples")
    if subject.task == "images":
        for name, (label, note) in _GAN.items():
            if name in summary:
                tile(label, f"{summary[name]:.2f}", note)
    else:
        for name in _measures(summary, "val_") or _measures(summary, "train_"):
            text = subject.task == "text" and name.endswith("loss")
            note = f"{summary[name] / math.log(2):.2f} bits a character" if text else ""
            tile(_words(name), _measure(name, summary[name]), note)
    epochs, best = summary["epochs"], summary["best_epoch"]
    tile("epochs", f"{epochs:,}", f"weights of epoch {best}" if best and best != epochs else "")
    tile("training time", _duration(summary["seconds"]))
    tile("parameters", f"{summary['parameters']:,}")
    return tiles


_GAN = {
    "train_real": ("discriminator on real images", "1: it takes them all for real"),
    "train_fake": ("discriminator on generated images", "0: it takes none for real"),
    "train_spread": ("deviation of generated images", "1: that of real images"),
}
_PARTS = {"test": "test", "val": "validation", "train": "training"}


def _measures(numbers: dict[str, Any], prefix: str) -> list[str]:
    """The names of the measures of one part of the data, percentages first."""
    names = [name for name in numbers if name.startswith(prefix)]
    return sorted(names, key=lambda name: not name.endswith(_PERCENT))


def _words(name: str) -> str:
    part, _, measure = name.partition("_")
    return f"{_PARTS[part]}, exact match" if measure == "exact" else f"{_PARTS[part]} {measure}"


def _measure(name: str, value: float | None) -> str:
    if value is None:
        return "not finite"
    return f"{100 * value:.2f}%" if name.endswith(_PERCENT) else f"{value:.4g}"


def _duration(seconds: float) -> str:
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _curves(history: History, summary: dict[str, Any]) -> Section | None:
    """A figure for each measure. For a GAN, one for both losses, one for both outputs and one for the deviation."""
    if not len(history):
        return None
    last = history.last
    step = -(-len(history) // _EPOCHS)
    rows = history.rows[::step]
    history = History(rows if rows[-1] is last else [*rows, last])
    figures: list[dict[str, str]] = []
    if "train_generator_loss" in history.columns:
        groups: list[tuple[dict[str, str], str, tuple[float, float] | None]] = [
            ({"train_discriminator_loss": "discriminator", "train_generator_loss": "generator"}, "loss", None),
            ({"train_real": "real images", "train_fake": "generated images"}, "discriminator’s output", (0, 1)),
            ({"train_spread": "generated images, relative to real ones"}, "standard deviation", None),
        ]
        for columns, label, limits in groups:
            figures.append(_figure(history_chart(history, columns, label, limits), f"curve-{len(figures)}"))
        return {"note": "In balance, both outputs of the discriminator stay near one half.", "figures": figures}
    best = summary["best_epoch"] if summary["best_epoch"] != summary["epochs"] else None
    for chart in learning_curve_charts(history, best_epoch=best):
        figures.append(_figure(chart, f"curve-{len(figures)}"))
    return {"note": _course_of(history), "figures": figures}


def _course_of(history: History) -> str:
    """What the losses did, in words."""
    name = "val_loss" if "val_loss" in history.columns else "train_loss"
    losses = {row["epoch"]: row[name] for row in history.rows if math.isfinite(row.get(name, math.nan))}
    if len(losses) < 2:
        return ""
    best, first, last = min(losses, key=losses.__getitem__), min(losses), max(losses)
    which = "validation" if name == "val_loss" else "training"
    text = f"The {which} loss went from {losses[first]:.3g} in epoch {first} to {losses[last]:.3g} in epoch {last}"
    return f"{text}." if best == last else f"{text}; it was lowest, {losses[best]:.3g}, in epoch {best}."


def _figure(chart: Chart, name: str) -> dict[str, str]:
    return {"svg": inline_svg(draw(chart, size=(360.0, 220.0)), name, chart.alt), "caption": ""}


def _baseline(summary: dict[str, Any], subject: Subject) -> Section | None:
    """The network and a linear model on the same validation data."""
    baseline = summary["baseline"]
    if not baseline:
        return None
    network = {name: summary[name] for name in ("val_accuracy", "val_loss") if name in summary and name in baseline}
    head = {"val_accuracy": "accuracy", "val_loss": "loss"}
    if subject.task == "regression":
        found = subject.answers
        errors = found.outputs.reshape(-1).astype("float64") - found.targets.reshape(-1)
        network["val_loss"] = float(numpy.square(errors).mean())
        head["val_loss"] = "mean squared error"
    names = list(network)
    row = lambda name, of, seconds: [name, *(_measure(n, of[n]) for n in names), _duration(seconds)]
    rows = [row("this network", network, summary["seconds"]), row(baseline["name"], baseline, baseline["seconds"])]
    note = "A linear model, fitted to the same data, that the network has to beat. Both use the validation data."
    if baseline.get("examples", 0) < baseline.get("available", 0):
        note += f" It was fitted to {baseline['examples']:,} of the {baseline['available']:,} examples."
    return {"note": note, "table": {"head": ["", *(head[n] for n in names), "time"], "rows": rows, "numbers": 1}}


def _facts(summary: dict[str, Any], recipe: Any) -> list[tuple[str, str]]:
    made = summary["made_with"]
    return [
        ("seed of weights, order and dropout", str(recipe.seed)),
        ("seed of the split", str(recipe.split.seed)),
        *((f"changed after epoch {one['after_epoch']}", _change(one)) for one in summary["changes"]),
        ("made with", f"ichikara {_VERSION}, Python {made['python']}, NumPy {made['numpy']}, {made['platform']}"),
    ]


def _change(change: dict[str, Any]) -> str:
    return f"{change['setting']} from {change['from']} to {change['to']}"


def _data(summary: dict[str, Any]) -> dict[str, Any]:
    """The source of the data, and the size and checksum of each part."""
    data = summary["data"]
    parts = [(part, *data[part]) for part in ("train", "validation", "test") if data[part]]
    rows = [{"part": part, "examples": f"{count:,}", "checksum": checksum} for part, count, checksum in parts]
    return {"name": data["name"], "source": data["source"], "rows": rows}


def _vault(folder: Path, summary: dict[str, Any]) -> dict[str, Any] | None:
    """The openings of the run's test set; None if the run has no test set."""
    path = folder / "vault.json"
    if not summary["data"]["test"] or not path.is_file():
        return None
    openings = read_record(path)["openings"]
    rows = [[o["when"].replace("T", " ").replace("+00:00", " UTC"), o["by"], _repeated(o)] for o in openings]
    return {
        "examples": f"{summary['data']['test'][0]:,}",
        "rows": rows,
        "open": f"ichikara evaluate {shlex.quote(str(folder))}",
    }


def _repeated(opening: dict[str, Any]) -> str:
    return "again, on request" if opening["again"] else "the first time"
