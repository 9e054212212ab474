"""What a lesson computes when it is asked to, in values that JSON can hold: claims, predictions, experiments."""

from collections.abc import Iterator, Mapping
from typing import Any

from .child import judged
from .lesson import Exercise, Lesson, call

__all__ = ["claim", "experiment", "prediction", "verdict"]


def claim(lesson: Lesson, name: str) -> dict[str, Any]:
    """Whether a claim holds, with its numbers and charts."""
    outcome = lesson.claims[name]()
    charts = [chart.to_dict() for chart in outcome.charts]
    return {"name": name, "holds": outcome.holds, "numbers": dict(outcome.numbers), "charts": charts}


def prediction(lesson: Lesson, name: str) -> dict[str, Any]:
    """What came out, where a prediction had been asked for."""
    answer = lesson.predictions[name].answer()
    charts = {option: chart.to_dict() for option, chart in answer.charts.items()}
    return {"name": name, **vars(answer), "charts": charts}


def experiment(lesson: Lesson, name: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of an experiment: how far it is, its chart and its numbers."""
    for progress in call(lesson.experiments[name], values):
        chart = None if progress.chart is None else progress.chart.to_dict()
        numbers = dict(progress.numbers)
        yield {"name": name, "done": progress.done, "total": progress.total, "chart": chart, "numbers": numbers}


def verdict(exercise: Exercise, answer: Any) -> tuple[str, dict[str, Any]]:
    """What is wrong with an answer, and the values for its words; "" for a right one.

    A program runs in this process: it is one of the lesson's own.
    """
    if exercise.kind == "code":
        found = judged(answer, exercise.check)
        return ("" if found["kind"] == "right" else found["wrong"] or found["kind"]), found["values"]
    found = exercise.check(answer)
    wrong, values = found if isinstance(found, tuple) else (found, {})
    return wrong or "", dict(values)
