"""Cross-validation: train once for each fold, in parallel, and measure how much the result depends on the split."""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from ..arrays import Generator, using
from ..data import Dataset
from ..data.folds import Fold, inside_fold, k_folds
from ..errors import UserError
from .history import History
from .trainer import Trainer

__all__ = ["CrossValidation", "cross_validate"]


class CrossValidation:
    """The results of cross-validation: one row for each fold, and each measure's mean and deviation over the folds.

    ``rows`` are dictionaries; ``means`` and ``spreads`` go from a measure's name to a number. A spread is the standard
    deviation between folds (divided by k − 1). It shows how far a single split can mislead. It is not the standard
    error of the mean, because the folds share most of their training data.

    >>> CrossValidation([{"fold": 1, "val_loss": 0.5}, {"fold": 2, "val_loss": 0.7}])
    CrossValidation(2 folds: val_loss 0.6 ± 0.1414)
    """

    def __init__(self, rows: list[dict[str, Any]]):
        self.rows = rows
        self.measures = [name for name in rows[0] if name not in ("fold", "train", "validation", "seconds")]
        for row in rows:
            if set(row) != set(rows[0]):
                raise UserError(f"every fold gives the same measures; fold 1 gave {set(rows[0])}, another {set(row)}")
        self.means = {name: fmean(self[name]) for name in self.measures}
        self.spreads = {name: stdev(self[name]) for name in self.measures}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> list:
        return [row[column] for row in self.rows]

    def csv(self) -> str:
        """The rows as comma-separated values, under a line of names."""
        return History(self.rows).csv()

    def __repr__(self):
        words = (f"{name} {self.means[name]:.4g} ± {self.spreads[name]:.4g}" for name in self.measures)
        return f"CrossValidation({len(self)} folds: {', '.join(words)})"


def cross_validate(
    train_fold: Callable[[Dataset, Dataset], Trainer | Mapping[str, float]],
    dataset: Dataset,
    folds: int = 5,
    *,
    scaler: Any = None,
    stratify: bool | None = None,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    duplicates: bool = False,
    n_jobs: int = 1,
) -> CrossValidation:
    r"""Train once for each fold on all the others, and evaluate on that fold.

    .. math:: \mathrm{CV} = \frac{1}{k} \sum_{i=1}^{k} L\bigl(f_{-i}, D_i\bigr)

    where D_i is the fold that is held out, and f_{-i} the network trained on the others.

    Arguments: ``train_fold``, a function of a training and a validation set that makes a new network and trains it;
    it returns the fitted `Trainer`, which is then evaluated on the validation set, or a dictionary of numbers;
    ``dataset``, unscaled; ``folds``, k; ``scaler``, an unfitted one, of which a copy is fitted to each training part;
    ``stratify``, ``groups``, ``seed``, ``duplicates``, as for `k_folds`; ``n_jobs``, how many folds at a time, -1 for
    one on each processor. Whatever ``train_fold`` draws from ichikara's own stream depends on ``seed`` alone, not on
    ``n_jobs``.

    The work is done by joblib: within ``joblib.parallel_config(backend="dask")`` or ``"ray"`` it runs on a
    cluster. Where it runs in several processes, ``train_fold`` shares no memory with the caller.

    Raises UserError for leakage, as `k_folds`: data that was scaled before the split, a scaler that is fitted already,
    equal examples in both parts, a test set opened within a fold; for a class absent from a fold; and for a result of
    ``train_fold`` that is neither a trainer nor numbers.

    >>> from ichikara import nn, optim
    >>> from ichikara.data import DataLoader, StandardScaler, load_moons
    >>> def train_fold(train, validation):
    ...     model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    ...     trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05))
    ...     trainer.fit(DataLoader(train, batch_size=64, shuffle=True), epochs=10)
    ...     return trainer
    >>> result = cross_validate(train_fold, load_moons(), folds=5, scaler=StandardScaler())
    >>> len(result), result.means["val_loss"] < 0.4
    (5, True)

    Source: M. Stone, "Cross-Validatory Choice and Assessment of Statistical Predictions" (1974); Y. Bengio,
    Y. Grandvalet, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation" (2004); part D3 of the lecture
    "1から作る DEEP LEARNING".
    """
    from joblib import Parallel, delayed

    if not callable(train_fold):
        raise UserError(f"train_fold is a function of a training and a validation set, not {train_fold!r}")
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0:
        raise UserError(f"n_jobs is how many folds are trained at a time, -1 for one on each processor, not {n_jobs!r}")
    parts = k_folds(dataset, folds, stratify=stratify, groups=groups, seed=seed, duplicates=duplicates)
    if scaler is not None:
        _check_scaler(scaler)
    return CrossValidation(Parallel(n_jobs=n_jobs)(delayed(_run)(train_fold, fold, scaler) for fold in parts))


def _check_scaler(scaler: Any) -> None:
    if isinstance(scaler, type) or not hasattr(scaler, "fit"):
        raise UserError(f"scaler is an unfitted scaler such as StandardScaler(), not {scaler!r}")
    if getattr(scaler, "fitted", False):
        raise UserError(
            f"this {type(scaler).__name__} was fitted before the split, on each fold's validation part too; give "
            f"an unfitted one, which is then fitted on the training part of each fold"
        )


def _run(train_fold: Callable, fold: Fold, scaler: Any) -> dict[str, Any]:
    """Train and evaluate one fold; returns its row."""
    began = time.perf_counter()
    train, validation = fold.train, fold.validation
    if scaler is not None:
        scaler = copy.deepcopy(scaler).fit(train)
        train, validation = scaler.transform(train), scaler.transform(validation)
    with inside_fold(), using(Generator(fold.seed)):
        result = train_fold(train, validation)
        if isinstance(result, Trainer):
            result = {f"val_{name}": value for name, value in result.evaluate(validation).items()}
    if not isinstance(result, Mapping) or not result:
        raise UserError(f"train_fold returns the fitted Trainer, or measures by name, not {result!r}")
    try:
        measures = {str(name): float(value) for name, value in result.items()}
    except (TypeError, ValueError):
        raise UserError(f"the measures that train_fold returns are numbers by name, not {result!r}") from None
    sizes = {"fold": fold.number, "train": len(train), "validation": len(validation)}
    return {**sizes, **measures, "seconds": round(time.perf_counter() - began, 3)}
