"""Floor 7: Matplotlib figures. Each function takes results and returns a figure; none touches pyplot's state."""

from .curves import learning_curves, new_figure

__all__ = ["learning_curves", "new_figure"]
