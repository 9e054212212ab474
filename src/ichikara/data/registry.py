"""All data sets by name, as recipes and the command line call them."""

from collections.abc import Callable
from typing import Any

from ichikara.errors import UserError, choose

from .dataset import Dataset
from .files import load_csv, load_npz
from .functions import load_curve, load_surface
from .mnist import load_mnist
from .sequences import load_adding, load_reverse
from .sets import load_blobs, load_circles, load_cubic, load_digits, load_moons, load_spirals, load_xor
from .splits import TrainTest, TrainValidation
from .text import load_text, load_tinyshakespeare

__all__ = ["datasets", "load"]

datasets: dict[str, Callable[..., Dataset | TrainTest | TrainValidation]] = {
    "digits": load_digits,
    "moons": load_moons,
    "circles": load_circles,
    "spirals": load_spirals,
    "xor": load_xor,
    "blobs": load_blobs,
    "cubic": load_cubic,
    "mnist": load_mnist,
    "tinyshakespeare": load_tinyshakespeare,
    "text": load_text,
    "adding": load_adding,
    "reverse": load_reverse,
    "curve": load_curve,
    "surface": load_surface,
    "csv": load_csv,
    "npz": load_npz,
}


def load(name: str, **options: Any) -> Dataset | TrainTest | TrainValidation:
    """Load a data set by its name: a Dataset, or for one that is published in parts the pair of them, with names.

    Arguments: ``name``, a key of `datasets`; ``options``, the arguments of its loader.

    Errors: `UserError` for an unknown name or option, with the nearest, and for an option that is missing.

    >>> load("moons", n_samples=100, noise=0.2)
    Dataset(moons: 100 examples for classification, inputs (2,) float32, 2 classes)
    >>> load("moons", nose=0.2)
    Traceback (most recent call last):
    ichikara.errors.UserError: unknown option of moons 'nose'; did you mean 'noise'? Allowed: n_samples, noise, seed
    """
    import inspect

    loader = choose("data set", name, datasets)
    parameters = inspect.signature(loader).parameters
    for option in options:
        if not parameters:
            raise UserError(f"{name} has no options, and was given '{option}'")
        choose(f"option of {name}", option, parameters)
    missing = [key for key, each in parameters.items() if each.default is each.empty and key not in options]
    if missing:
        raise UserError(f"{name} needs {' and '.join(f'`{key}`' for key in missing)}")
    return loader(**options)
