"""A function of the user's: ``file.py:function`` on the command line."""

import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError, did_you_mean, listed

__all__ = ["call_function", "is_function", "load_function"]


def is_function(text: str) -> bool:
    """Whether a word of the command line names a function in a file.

    >>> is_function("train.py:loss"), is_function("digits"), is_function("my/recipe.toml")
    (True, False, False)
    """
    path, colon, _ = text.rpartition(":")
    return bool(colon and path.endswith(".py")) or text.endswith(".py")


def load_function(text: str) -> Callable:
    """The function that ``file.py:function`` names. The file is run, as ``import`` would, under its own name.

    Raises UserError where there is no such file or function, and for an error in the file, with its line.
    """
    path, _, name = text.rpartition(":") if not text.endswith(".py") else (text, "", "")
    file = Path(path)
    if not file.is_file():
        raise UserError(f"there is no file {path}; give a Python file and a function in it, such as train.py:loss")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)  # as pickles and data classes in the file expect
    folder = str(file.parent.resolve())
    sys.path.insert(0, folder)  # as `python file.py` does, so that the file finds its neighbours
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path} cannot be run: {_said(error, file)}") from error
    finally:
        sys.path.remove(folder)
    own = {key: value for key, value in vars(module).items() if _is_own(value, module)}
    if not name:
        raise UserError(f"say which function of {path} is meant, such as {path}:{next(iter(own), 'loss')}")
    found = vars(module).get(name)
    if found is None:
        hint = did_you_mean(name, own)
        raise UserError(f"{path} has no function '{name}'{hint} It has: {listed(own) or 'none'}")
    if not callable(found):
        raise UserError(f"'{name}' of {path} is no function but {type(found).__name__}; put it into a function")
    return found


def call_function(function: Callable, text: str) -> Any:
    """What the function gives without arguments. Raises UserError for an error in it, with the line of its file."""
    try:
        return function()
    except UserError:
        raise
    except Exception as error:
        path = text.rpartition(":")[0]
        raise UserError(f"{text} cannot be called: {_said(error, Path(path))}") from error


def _is_own(value: Any, module: Any) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _said(error: Exception, file: Path) -> str:
    """An error with the last line of the file that led to it."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    places = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).resolve() == file.resolve()
    ]
    where = f"line {places[-1].lineno}: " if places else ""
    return f"{where}{type(error).__name__}: {error}"
