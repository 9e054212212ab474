"""A trainer asks the doctor about its run."""

from typing import Any

from ..glass.finding import Diagnosis
from ..words import language_of
from .evaluation import as_loader

__all__ = ["case_of", "examine"]


def case_of(trainer: Any, validation: Any = None, **known: Any) -> Any:
    """A trainer's run as the doctor sees it, a `ichikara.glass.case.Case`.

    Arguments: ``validation``, the data or loader of the evaluations; ``known``, what else the case is to have.
    """
    from ..glass.case import Case  # what only a doctor needs is loaded when there is one

    loader = trainer.loader
    batches = getattr(loader, "loader", loader)  # of a loader that mixes another one's batches
    settings = {
        "shuffle": getattr(batches, "shuffle", None),
        "context": getattr(batches, "context", None),
        "augmented": loader is not batches or getattr(batches, "transform", None) is not None,
        "clip": trainer.clip_grad_norm is not None or trainer.clip_grad_value is not None,
        "stopped": trainer.stopped,
        "trainer": True,
    }
    parts = {
        "record": trainer.record,
        "history": trainer.history.rows,
        "model": trainer.model,
        "loss": None
        if hasattr(trainer.optimizer, "optimizers")
        else trainer.loss,  # adversaries have losses of their own
        "optimizer": trainer.optimizer,
        "train": getattr(loader, "dataset", None),
        "validation": getattr(as_loader(validation), "dataset", None),
        "batch_size": getattr(batches, "batch_size", None),
        "diverged": trainer.diverged is not None,
    }
    settings = {name: value for name, value in settings.items() if value is not None} | known.pop("settings", {})
    return Case(**{**parts, **known, "settings": settings})


def examine(trainer: Any, validation: Any, epochs: int, told: set[str]) -> Diagnosis:
    """What the doctor says of a run that is over. A certain cause becomes a message for the user, once.

    That a run went badly for no known reason is no news to whoever reads its losses, and is only in the diagnosis.

    Arguments: ``validation``, as of `case_of`; ``epochs``, how many were planned; ``told``, the names of the findings
    that the user has read.
    """
    from ..glass.doctor import CAUSE_UNKNOWN, diagnose

    language = language_of()
    diagnosis = diagnose(case_of(trainer, validation, settings={"epochs": epochs}))
    for finding in diagnosis.findings:
        if finding.certainty == "certain" and finding.name not in (*told, *CAUSE_UNKNOWN):
            told.add(finding.name)
            trainer.note(f"{finding.title(language)}: {finding.seen(language)} {finding.cure(language)}")
    return diagnosis
