"""Floor 6: the training loop, its callbacks, and how a run is saved and resumed."""

from .adversarial import AdversarialTrainer, Adversaries, Optimizers, judge
from .averaging import ExponentialMovingAverage
from .baseline import linear_baseline
from .callbacks import Callback, EarlyStopping
from .checkpoint import load_arrays, save_arrays
from .cross_validation import CrossValidation, cross_validate
from .divergence import DivergedError
from .evaluation import evaluate, predict
from .history import History
from .lr_finder import LearningRates, find_learning_rate
from .objective import LOSSES, Objective, accuracy
from .preflight import Check, Preflight, preflight
from .progress import Progress
from .trainer import Trainer

__all__ = [
    "LOSSES",
    "Adversaries",
    "AdversarialTrainer",
    "Callback",
    "Check",
    "CrossValidation",
    "DivergedError",
    "EarlyStopping",
    "ExponentialMovingAverage",
    "History",
    "LearningRates",
    "Objective",
    "Optimizers",
    "Preflight",
    "Progress",
    "Trainer",
    "accuracy",
    "cross_validate",
    "evaluate",
    "find_learning_rate",
    "linear_baseline",
    "judge",
    "load_arrays",
    "predict",
    "preflight",
    "save_arrays",
]
