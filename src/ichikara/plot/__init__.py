"""Floor 7: Matplotlib figures. Each function takes results and returns a figure; none touches pyplot's state."""

from .columns import history_columns
from .confusion import confusion_matrix
from .curves import learning_curves, new_figure
from .draw import draw, save
from .folds import fold_scores
from .images import filter_images, filters, tile
from .lr_finder import learning_rate_curve
from .page import inline_png, inline_svg
from .regions import decision_regions, fitted_surface
from .regression import fitted_curve, predicted_against_true
from .sheet import sheet

__all__ = [
    "confusion_matrix",
    "decision_regions",
    "draw",
    "filter_images",
    "filters",
    "fitted_curve",
    "fitted_surface",
    "fold_scores",
    "history_columns",
    "inline_png",
    "inline_svg",
    "learning_curves",
    "learning_rate_curve",
    "new_figure",
    "predicted_against_true",
    "save",
    "sheet",
    "tile",
]
