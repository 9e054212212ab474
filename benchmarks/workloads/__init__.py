"""The workloads: one file for each, with the same model written for every library."""

from .common import Step, Workload
from .table import LETTERS, SWEEPS, WORKLOADS, named

__all__ = ["LETTERS", "SWEEPS", "WORKLOADS", "Step", "Workload", "named"]
