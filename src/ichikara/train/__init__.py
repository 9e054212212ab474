"""Floor 6: the training loop, what happens beside it, and how a run is saved and taken up again."""

from .callbacks import Callback, EarlyStopping
from .checkpoint import load_arrays, save_arrays
from .evaluation import evaluate, predict
from .history import History
from .objective import LOSSES, Objective, accuracy
from .progress import Progress
from .trainer import DivergedError, Trainer

__all__ = [
    "LOSSES",
    "Callback",
    "DivergedError",
    "EarlyStopping",
    "History",
    "Objective",
    "Progress",
    "Trainer",
    "accuracy",
    "evaluate",
    "load_arrays",
    "predict",
    "save_arrays",
]
