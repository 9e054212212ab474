"""All charts of lessons, by name: figures at their start, pictures of predictions, results of claims."""

from collections import deque
from collections.abc import Callable, Iterator

from ...charts import Chart
from ...errors import UserError, choose
from ..lesson import Lesson, call
from ..lessons import PARTS, READY, lesson_of

__all__ = ["asked_for", "charts_of"]

Named = Iterator[tuple[str, Chart]]


def asked_for(only: str | None) -> list[tuple[str, str]]:
    """Pairs of a lesson and a name in it ("" for all): of "neuron", "neuron.plane" or a part of the lecture, "A2".

    Raises UserError for what there is not.

    >>> asked_for("A2"), asked_for("neuron.plane")
    ([('neuron', '')], [('neuron', 'plane')])
    """
    if only is None:
        return [(slug, "") for slug in READY]
    if only.upper() in PARTS:
        slug = PARTS[only.upper()]
        if slug not in READY:
            raise UserError(f"part {only.upper()} of the lecture is lesson {slug}, which is not written yet")
        return [(slug, "")]
    slug, _, name = only.partition(".")
    choose("lesson or part", slug, dict.fromkeys([*READY, *PARTS]))
    if name:
        choose(f"chart of {slug}", name, _makers(lesson_of(slug)))
    return [(slug, name)]


def charts_of(slug: str, name: str = "", *, experiments: bool = True) -> Named:
    """The charts of a lesson, or those of one name in it, in the language of the block `words.in_language`.

    Arguments: ``experiments``, whether long ones are run to their ends, for the charts that they end with.
    """
    lesson = lesson_of(slug)
    for one, make in _makers(lesson).items():
        if (name or one) == one and (experiments or name or one not in lesson.experiments):
            yield from ((f"{slug}.{found}", chart) for found, chart in make(lesson, one))


def _makers(lesson: Lesson) -> dict[str, Callable[[Lesson, str], Named]]:
    """What makes the charts of each name."""
    return {
        **dict.fromkeys(lesson.predictions, _prediction),
        **dict.fromkeys(lesson.figures, _figure),
        **dict.fromkeys(lesson.claims, _claim),
        **dict.fromkeys(lesson.experiments, _experiment),
    }


def _figure(lesson: Lesson, name: str) -> Named:
    yield name, lesson.show(name, lesson.values({})).chart


def _prediction(lesson: Lesson, name: str) -> Named:
    prediction = lesson.predictions[name]
    for option, chart in (prediction.charts() if prediction.charts else {}).items():
        yield f"{name}.{option}", chart
    for option, chart in prediction.answer().charts.items():
        yield f"{name}.{option}.result", chart


def _claim(lesson: Lesson, name: str) -> Named:
    charts = lesson.claims[name]().charts
    for i, chart in enumerate(charts, 1):
        yield (f"{name}.{i}" if len(charts) > 1 else name), chart


def _experiment(lesson: Lesson, name: str) -> Named:
    last = deque(call(lesson.experiments[name], lesson.values({})), maxlen=1)
    for progress in last:
        if progress.chart is not None:
            yield name, progress.chart
