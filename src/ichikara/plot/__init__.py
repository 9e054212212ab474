"""Floor 7: Matplotlib figures. Each function takes results and returns a figure; none touches pyplot's state."""

from .curves import learning_curves, new_figure
from .folds import fold_scores
from .lr_finder import learning_rate_curve
from .sheet import sheet

__all__ = ["fold_scores", "learning_curves", "learning_rate_curve", "new_figure", "sheet"]
