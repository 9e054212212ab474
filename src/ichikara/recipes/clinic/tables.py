"""Tables that come with scikit-learn."""

from ...data import Dataset

__all__ = ["TABLES", "table"]

TABLES = ("iris", "wine", "breast_cancer", "diabetes")


def table(name: str) -> Dataset:
    """A table by its name; the targets of diabetes are scaled to mean 0 and deviation 1."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    targets, classes = bunch.target, None
    if name == "diabetes":
        targets = ((targets - targets.mean()) / targets.std())[:, None]
    else:
        classes = tuple(bunch.target_names)
    return Dataset(bunch.data, targets, name, classes, tuple(bunch.feature_names), "scikit-learn")
