"""The clinic: faults injected into healthy trainings. It tests the doctor, and shows learners how a fault looks.

>>> from ichikara.recipes import clinic
>>> case, diagnosis = clinic.run("rate_by_1000", "mlp", seed=0)
>>> case.history[-1]["val_loss"] > 2.0
True
"""

from . import faults_of_code, faults_of_data, faults_of_training, unseen, unseen_second  # noqa: F401 - declare faults
from .examination import run
from .fault import FAULTS, Fault
from .healthy import SUBJECTS, VARIANTS, healthy
from .training import Result, Training

__all__ = ["FAULTS", "SUBJECTS", "VARIANTS", "Fault", "Result", "Training", "healthy", "run"]
