"""Floor 7: Matplotlib figures. Each function takes results and returns a figure; none touches pyplot's state."""

from .columns import history_chart, history_columns
from .confusion import confusion_chart, confusion_matrix
from .curves import learning_curve_charts, learning_curves
from .draw import draw, save, svg
from .folds import fold_score_charts, fold_scores
from .images import filter_images, filters, filters_chart, tile
from .lr_finder import learning_rate_chart, learning_rate_curve
from .page import inline_png, inline_svg
from .regions import decision_regions, decision_regions_chart, fitted_surface, fitted_surface_chart
from .regression import curve_chart, fitted_curve, predicted_against_true, prediction_chart
from .sheet import sheet, sheet_chart

__all__ = [
    "confusion_chart",
    "confusion_matrix",
    "curve_chart",
    "decision_regions",
    "decision_regions_chart",
    "draw",
    "filter_images",
    "filters",
    "filters_chart",
    "fitted_curve",
    "fitted_surface",
    "fitted_surface_chart",
    "fold_score_charts",
    "fold_scores",
    "history_chart",
    "history_columns",
    "inline_png",
    "inline_svg",
    "learning_curve_charts",
    "learning_curves",
    "learning_rate_chart",
    "learning_rate_curve",
    "predicted_against_true",
    "prediction_chart",
    "save",
    "sheet",
    "sheet_chart",
    "svg",
    "tile",
]
