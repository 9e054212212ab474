"""Reading of safetensors files: nothing in a header is believed before it was compared with the file's length.

Source: the format as described at https://github.com/huggingface/safetensors; IEEE 754 and the Open Compute Project's
"8-bit Floating Point Specification" (2023) for the types that NumPy lacks.
"""

import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy

from ..errors import UserError

__all__ = ["read_safetensors"]

_LONGEST_HEADER = 100_000_000  # bytes, as the format says


def _from_bfloat16(bits: numpy.ndarray) -> numpy.ndarray:
    """The upper half of a float32."""
    return (bits.astype("<u4") << 16).view("<f4")


def _from_float8_e5m2(bits: numpy.ndarray) -> numpy.ndarray:
    """The upper half of a float16."""
    return (bits.astype("<u2") << 8).view("<f2").astype("float32")


def _float8_e4m3() -> numpy.ndarray:
    """The 256 numbers of a sign, four bits of exponent and three of mantissa; there is no infinity."""
    bits = numpy.arange(128)
    exponent, mantissa = bits >> 3, (bits & 7) / 8
    value = numpy.where(exponent, numpy.ldexp(1 + mantissa, exponent - 7), numpy.ldexp(mantissa, -6))
    value[127] = numpy.nan
    return numpy.concatenate([value, -value]).astype("float32")


# By the format's name: the type of the bytes, and what makes numbers of them, where these are no numbers yet.
_TYPES: dict[str, tuple[str, Any]] = {
    "BOOL": ("u1", lambda bits: bits != 0),
    **{f"{kind}{bits}": (f"<{kind.lower()}{bits // 8}", None) for kind in "IU" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": (f"<f{bits // 8}", None) for bits in (16, 32, 64)},
    "BF16": ("<u2", _from_bfloat16),
    "F8_E4M3": ("u1", lambda bits: _float8_e4m3()[bits]),
    "F8_E5M2": ("u1", _from_float8_e5m2),
}


class _Entry(NamedTuple):
    """Where an array lies, counted from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class _Damaged(Exception):
    """What is wrong with a file, in a few words."""


def read_safetensors(
    path: str | os.PathLike, with_arrays: bool = True
) -> tuple[dict[str, numpy.ndarray], dict[str, str]]:
    """The arrays of a safetensors file, and the texts in its header. bfloat16 and float8 become float32, exactly.

    Arguments: ``with_arrays``, whether the arrays are read, and not the header alone.

    Raises UserError for a file that is missing, cut short, of another kind, or of numbers that ichikara does not have.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        with path.open("rb") as file:
            try:
                length = os.fstat(file.fileno()).st_size
                entries, metadata, start = _header(file, length)
                wanted = entries if with_arrays else []
                return {entry.name: _array(file, entry, start, path) for entry in wanted}, metadata
            except _Damaged as error:
                file.seek(0)
                raise UserError(_other_kind(path, file.read(1_000_000)) or _damaged(path, error)) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _damaged(path, error):
    return f"{path} is damaged or no safetensors file ({error}); restore it from a copy, or train again"


def _header(file: BinaryIO, length: int) -> tuple[list[_Entry], dict[str, str], int]:
    """The entries in the order of the bytes, the metadata, and where the header ends."""
    first = file.read(8)
    size = int.from_bytes(first, "little")
    if len(first) < 8 or size > min(length - 8, _LONGEST_HEADER):
        raise _Damaged("it is shorter than its header says")
    try:
        header = json.loads(file.read(size).decode(), object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise _Damaged(f"its header is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise _Damaged("its header names no arrays")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _Damaged("its metadata is no table of texts")
    entries = sorted((_entry(name, value) for name, value in header.items()), key=lambda entry: entry[3:])
    end = 0
    for entry in entries:
        if entry.begin != end:
            raise _Damaged(f"{entry.name!r} does not begin where the array before it ends")
        end = entry.end
    if 8 + size + end != length:
        raise _Damaged(f"its arrays need {8 + size + end:,} bytes, and it has {length:,}")
    return entries, metadata, 8 + size


def _without_twins(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _entry(name: str, value: Any) -> _Entry:
    """An entry of the header, every part of the type that it should have."""
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _Damaged(f"{name!r} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str):
        raise _Damaged(f"{name!r} has no type of numbers")
    for whole in (shape, offsets):
        if not isinstance(whole, list) or not all(type(n) is int and 0 <= n < 2**63 for n in whole):
            raise _Damaged(f"{name!r} has no shape or place of whole numbers")
    if len(shape) > 64 or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _Damaged(f"{name!r} has no possible shape or place")
    if dtype in _TYPES and math.prod(shape) * numpy.dtype(_TYPES[dtype][0]).itemsize != offsets[1] - offsets[0]:
        raise _Damaged(f"{name!r} has another number of bytes than its shape {shape} needs")
    return _Entry(name, dtype, tuple(shape), *offsets)


def _array(file: BinaryIO, entry: _Entry, start: int, path: Path) -> numpy.ndarray:
    if entry.dtype not in _TYPES:
        raise UserError(
            f"{path} holds {entry.name!r} as {entry.dtype}, and ichikara reads {', '.join(_TYPES)}; "
            "convert it first with the library that wrote it, to float32 for instance"
        )
    dtype, decode = _TYPES[entry.dtype]
    count = math.prod(entry.shape)
    file.seek(start + entry.begin)
    stored = numpy.fromfile(file, dtype=dtype, count=count)
    if stored.size != count:
        raise _Damaged(f"it ends within {entry.name!r}")
    try:
        return (decode(stored) if decode else stored).reshape(entry.shape)
    except ValueError as error:  # a length of 0 beside lengths beyond what NumPy can count
        raise _Damaged(f"{entry.name!r} cannot have the shape {list(entry.shape)}: {error}") from None


def _other_kind(path: Path, content: bytes) -> str | None:
    """What a file is that is no safetensors file, and what to do with it; None if it cannot be told."""
    if content.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as parts:
                names = parts.namelist()
        except (OSError, zipfile.BadZipFile):
            return None
        if any(name.endswith("data.pkl") for name in names):
            return _pickle(path)
        if names and all(name.endswith(".npy") for name in names):
            return (
                f"{path} is an .npz file of NumPy's; read it with dict(numpy.load(path)), and give the arrays to "
                "load_state_dict() of a module, or to save_arrays() for a file of weights"
            )
        if any(name.endswith(".weights.h5") for name in names):
            return _keras(path)
        return None
    if content.startswith(b"\x80") and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _pickle(path)
    if content.startswith(b"\x89HDF\r\n"):
        return _keras(path)
    if content.startswith(b"\x93NUMPY"):
        return f"{path} is one array of NumPy's, without a name; weights are a safetensors file of arrays by name"
    if content.startswith(b"GGUF"):
        return f"{path} is a GGUF file, whose weights are quantised; ask for the model's safetensors files"
    if content.lstrip()[:1] == b"{":
        return _index(path, content)
    return None


def _pickle(path):
    return (
        f"{path} is a pickle, as torch.save() writes it, and reading one can run any program; convert it where PyTorch "
        "is: safetensors.torch.save_file(torch.load(path, weights_only=True), 'weights.safetensors')"
    )


def _keras(path):
    return f"{path} is a file of Keras's; take the weights out where Keras is, and save them by save_arrays()"


def _index(path, content):
    """What to say of JSON: the index of weights that lie in several files, or settings."""
    try:
        parts = sorted({str(part) for part in json.loads(content)["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"{path} is a text in JSON, and no file of weights; weights are a safetensors file of arrays by name"
    shown = ", ".join(parts[:3]) + (", …" if len(parts) > 3 else "")
    return f"{path} is the index of weights that lie in {len(parts)} files; load each of them: {shown}"
