"""Cross-validation: each measure by fold, with mean and standard deviation."""

from typing import Any

from ..charts import Area, Axis, Chart, Dots, Line, short_text
from ..train import CrossValidation
from .curves import SMALL, titled
from .draw import draw

__all__ = ["fold_score_charts", "fold_scores"]


def fold_score_charts(result: CrossValidation, title: str = "") -> list[Chart]:
    """A chart of each measure by fold. Arguments: as of `fold_scores`."""
    charts = []
    folds = result["fold"]
    ends = [min(folds) - 0.5, max(folds) + 0.5]
    for measure in result.measures:
        mean, spread = result.means[measure], result.spreads[measure]
        percent = measure.endswith("accuracy")
        show = lambda value, percent=percent: f"{short_text(100 * value)}%" if percent else short_text(value)
        marks = [
            Area(ends, [mean - spread] * 2, [mean + spread] * 2, ink="a", label=f"± {show(spread)}"),
            Line(ends, [mean] * 2, ink="a", label=f"mean {show(mean)}"),
            Dots(folds, result[measure], ink="b", label="a fold"),
        ]
        alt = f"{measure} of {len(folds)} folds: mean {show(mean)}, standard deviation {show(spread)}."
        x = Axis("validation fold", whole=True, limits=(ends[0], ends[1]))
        charts.append(Chart(marks, x, Axis(measure, percent=percent), alt=alt))
    return titled(charts, title)


def fold_scores(result: CrossValidation, title: str = "") -> Any:
    """Draw each measure by fold, its mean as a line and one standard deviation as a band; returns a Matplotlib figure.

    Arguments: ``result``, of `cross_validate`; ``title``.

    >>> from ichikara.train import CrossValidation
    >>> figure = fold_scores(CrossValidation([{"fold": 1, "val_loss": 0.5}, {"fold": 2, "val_loss": 0.7}]))
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['val_loss']
    """
    return draw(fold_score_charts(result, title), size=SMALL)
