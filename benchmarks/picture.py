"""The time of a step against batch and width, as a picture."""

from pathlib import Path
from typing import Any

from .figures import median

LABELS = {"batch": "batch (width 512)", "width": "width of the hidden layers (batch 128)"}
STYLES = {
    "ichikara": ("C3", "o:"),
    "ichikara-stage": ("C3", "o-"),
    "torch": ("C7", "s:"),
    "torch-fused": ("C7", "s-"),
    "jax": ("C0", "^-"),
}


def draw(sweeps: dict[str, dict[str, Any]], path: Path) -> None:
    """Write the picture: for each quantity that was changed a panel, for each library a line."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    with matplotlib.rc_context({"svg.hashsalt": "ichikara", "font.size": 9}):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        panels = figure.subplots(1, len(sweeps), squeeze=False)[0]
        for panel, (quantity, points) in zip(panels, sweeps.items(), strict=True):
            for library, (colour, style) in STYLES.items():
                times = {int(size): found.get(library, {}).get("ms") for size, found in points.items()}
                ran = {size: ms for size, ms in times.items() if ms}
                panel.plot(list(ran), [median(ms) for ms in ran.values()], style, color=colour, label=library)
            panel.set(xscale="log", yscale="log", xlabel=LABELS[quantity], ylabel="ms for a step")
            sizes = [int(size) for size in points]
            panel.set_xticks(sizes, [str(size) for size in sizes])
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_minor_locator(NullLocator())
            panel.grid(alpha=0.3)
        lines = panels[0].get_legend_handles_labels()
        figure.legend(*lines, loc="outside upper center", ncols=len(STYLES), frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
