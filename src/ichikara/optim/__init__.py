"""Floor 4: optimisers, schedules and clipping. The updates themselves are in `ichikara.optim.rules`.

>>> import ichikara
>>> from ichikara.optim import SGD, CosineAnnealingLR
>>> w = ichikara.asarray(1.0, requires_grad=True)
>>> optimizer = SGD([w], lr=0.4)
>>> schedule = CosineAnnealingLR(optimizer, T_max=10)
>>> for _ in range(10):
...     optimizer.zero_grad()
...     (w * w).backward()
...     optimizer.step()
...     schedule.step()
>>> abs(w.item()) < 0.01, schedule.get_last_lr()
(True, [0.0])
"""

from . import rules
from .clip import clip_grad_norm_, clip_grad_value_
from .one_cycle import OneCycleLR
from .optimizer import Optimizer
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from .plateau import ReduceLROnPlateau
from .schedule import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)
from .sequence import SequentialLR

__all__ = [
    "Optimizer",
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adam",
    "AdamW",
    "rules",
    "LRScheduler",
    "LambdaLR",
    "StepLR",
    "MultiStepLR",
    "ExponentialLR",
    "CosineAnnealingLR",
    "LinearLR",
    "OneCycleLR",
    "SequentialLR",
    "ReduceLROnPlateau",
    "clip_grad_norm_",
    "clip_grad_value_",
]
