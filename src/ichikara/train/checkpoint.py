"""Arrays and settings in one file. At any moment the file is whole: the old version or the new one."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy

from ..arrays import to_numpy
from ..autodiff import raw
from ..data.atomic import write_atomically
from ..errors import UserError
from ..strict_json import dumps
from ..validation import checked_json
from .weights import read_safetensors

__all__ = ["load_arrays", "load_settings", "pack", "save_arrays", "unpack", "write"]

_KEY = "ichikara"


def write(path: str | os.PathLike, content: bytes | str) -> None:
    """Write a file so that a reader at any moment finds the old one or the new one, whole.

    Raises UserError where it cannot be written; the old file is then as it was.
    """
    try:
        write_atomically(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        path = Path(path)
        if not path.parent.is_dir():
            raise UserError(f"cannot write {path}: the folder {path.parent} is gone, and what was in it") from None
        kept = "what was saved before is untouched. " if path.exists() else ""
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; {kept}Make room or choose another folder with --out"
        ) from None


def save_arrays(path: str | os.PathLike, arrays: dict[str, Any], settings: dict | None = None) -> None:
    """Save named arrays, and settings that JSON can hold, as one safetensors file.

    The settings are in the file's header, so arrays and settings are always of the same moment.

    Raises UserError where it cannot be written.
    """
    from safetensors.numpy import save

    content = {name: numpy.asarray(to_numpy(raw(array)), order="C") for name, array in arrays.items()}
    write(path, save(content, {_KEY: dumps(settings or {})}))


def load_settings(path: str | os.PathLike, kind: Any = dict[str, Any]) -> dict:
    """Load the settings alone of what `save_arrays` saved. Raises UserError as `load_arrays`."""
    return _load(path, kind, with_arrays=False)[1]


def load_arrays(path: str | os.PathLike, kind: Any = dict[str, Any]) -> tuple[dict[str, numpy.ndarray], dict]:
    """Load what `save_arrays` saved, or any safetensors file: the arrays and the settings, none in a file of others.

    bfloat16 and float8 become float32, exactly.

    Arguments: ``kind``, what the settings are declared to be, such as a dataclass; see `checked_json`.

    Raises UserError for a file that is missing, cut short or of another kind, and for settings that are something else.
    """
    return _load(path, kind, with_arrays=True)


def _load(path: str | os.PathLike, kind: Any, with_arrays: bool) -> tuple[dict[str, numpy.ndarray], dict]:
    arrays, metadata = read_safetensors(path, with_arrays)
    text = metadata.get(_KEY, "{}")
    try:
        ours = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        ours = False
    if not ours:
        raise UserError(
            f"{path} is a whole safetensors file, but its metadata '{_KEY}' are no settings of ichikara's: another "
            "program wrote them. Its weights are read by safetensors.numpy.load_file(path)"
        )
    return arrays, checked_json(kind, text, str(path))


def pack(state: Any, arrays: dict[str, Any], prefix: str) -> Any:
    """A state with its arrays taken out under names, so that what remains fits into JSON. `unpack` is the reverse."""
    if isinstance(state, dict):
        pairs = [[key, pack(value, arrays, f"{prefix}.{key}")] for key, value in state.items()]
        return {"pairs": pairs}
    if isinstance(state, list | tuple):
        kind = "tuple" if isinstance(state, tuple) else "list"
        return {kind: [pack(value, arrays, f"{prefix}.{i}") for i, value in enumerate(state)]}
    if isinstance(state, numpy.generic):
        state = state.item()
    if isinstance(state, float) and not math.isfinite(state):
        return {"number": str(state)}
    if state is None or isinstance(state, bool | int | float | str):
        return state
    arrays[prefix] = state
    return {"array": prefix}


def unpack(packed: Any, arrays: dict[str, Any]) -> Any:
    """The state from which `pack` took the arrays."""
    if not isinstance(packed, dict):
        return packed
    if "number" in packed:
        return float(packed["number"])
    if "array" in packed:
        return arrays[packed["array"]]
    if "pairs" in packed:
        return {key: unpack(value, arrays) for key, value in packed["pairs"]}
    parts = [unpack(value, arrays) for value in (packed["tuple"] if "tuple" in packed else packed["list"])]
    return tuple(parts) if "tuple" in packed else parts
