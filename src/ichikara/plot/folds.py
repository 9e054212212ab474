"""Cross-validation: each measure by fold, with mean and standard deviation."""

from typing import Any

from ..train import CrossValidation
from .curves import new_figure

__all__ = ["fold_scores"]


def fold_scores(result: CrossValidation, title: str = "") -> Any:
    """Draw each measure by fold, its mean as a line and one standard deviation as a band; returns a Matplotlib figure.

    Arguments: ``result``, of `cross_validate`; ``title``.

    >>> from ichikara.train import CrossValidation
    >>> figure = fold_scores(CrossValidation([{"fold": 1, "val_loss": 0.5}, {"fold": 2, "val_loss": 0.7}]))
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['val_loss']
    """
    figure, axes = new_figure(max(len(result.measures), 1), width=4.6)
    for ax, measure in zip(axes, result.measures, strict=False):
        mean, spread = result.means[measure], result.spreads[measure]
        percent = measure.endswith("accuracy")
        show = lambda value, percent=percent: f"{100 * value:.3g}%" if percent else f"{value:.3g}"
        ax.axhspan(mean - spread, mean + spread, color="#4269d0", alpha=0.12, linewidth=0, label=f"± {show(spread)}")
        ax.axhline(mean, color="#4269d0", linewidth=1, label=f"mean {show(mean)}")
        ax.plot(result["fold"], result[measure], "o", color="#ff725c", label="a fold")
        ax.set_xticks(result["fold"])
        if percent:
            ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
        ax.set_xlabel("validation fold")
        ax.set_ylabel(measure)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, axis="y")
        ax.margins(x=0.15, y=0.15)
        ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, columnspacing=1.2)
    if title:
        figure.suptitle(title)
    return figure
