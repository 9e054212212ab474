"""The processor's code of kernels: kept on disk from one run to the next, and loaded by LLVM.

A file has three lines of text, which say what the code was made with, how long it is and what it calls, and then the
code, an object file. It lies beside the compiled modules of Python, or where ``NUMBA_CACHE_DIR`` says, or else among
the user's caches; it holds for the processor, the Python and the libraries it was made with, and for the sources of all
kernels, since code is taken over from one into others.
"""

import ctypes
import hashlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding
import numpy

__all__ = ["Code", "load", "name_address", "processor", "read", "write"]


class Code(NamedTuple):
    """What is kept of a kernel."""

    name: str
    """That of its function."""
    calls: Sequence[str]
    """What it needs of others: of Python, of the C library, and what has been given a name here."""
    made: bytes
    """The object file."""


# --- on disk ----------------------------------------------------------------------------------------------------------


def read(source: Path, name: str) -> Code | None:
    """The code of this name that was made of a file as it is, if there is any.

    Arguments: ``source``, the file of the kernel's function.
    """
    for folder in _folders(source):
        with suppress(OSError, ValueError):  # nothing there, or not what was written
            stamp, size, calls, made = _file(folder, name).read_bytes().split(b"\n", 3)
            if stamp.decode() == _stamp(source) and int(size) == len(made):
                return Code(name, calls.decode().split(), made)
    return None


def write(source: Path, code: Code) -> None:
    """Keep code in the first folder where that is possible; if there is none, say so once."""
    head = f"{_stamp(source)}\n{len(code.made)}\n{' '.join(code.calls)}\n"
    for folder in _folders(source):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = _file(folder, code.name)
            part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")  # others may read, or write the same
            part.write_bytes(head.encode() + code.made)
            part.replace(path)
            return
    _say_that_nothing_is_kept()


def _folders(source: Path) -> Iterator[Path]:
    """Where code may be kept, in the order in which it is looked for."""
    beside = source.parent / "__pycache__"
    own = f"{source.parent.name}-{hashlib.sha256(str(source.parent).encode()).hexdigest()[:16]}"
    said = os.environ.get("NUMBA_CACHE_DIR")
    if said:
        yield Path(said) / own
        return
    yield beside
    with suppress(RuntimeError):  # there is no home
        caches = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        yield Path(caches) / "ichikara" / own


def _file(folder, name):
    """Processors that share a folder have files of their own."""
    return folder / f"{name}-{_place_of_work()}.kernel"


@cache
def processor() -> tuple[str, str]:
    """Which processor code is made for, and what it can do, as LLVM has it; Numba's variables may say another one."""
    binding = llvmlite.binding
    name = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name.lower() == "generic" else binding.get_host_cpu_features().flatten()
    return name, features


@cache
def _place_of_work():
    """What is the same for all kernels of a machine with this Python, in a word."""
    words = llvmlite.binding.get_process_triple(), *processor(), sys.implementation.cache_tag
    return hashlib.sha256(repr(words).encode()).hexdigest()[:16]


@cache
def _stamp(source: Path) -> str:
    """What code is made with, in a word: the sources, and the versions of the libraries."""
    numba: Any = find_spec("numba")
    made_with = [source, Path(numba.origin).with_name("_version.py")]  # to ask Numba itself takes longer
    kernels = [file for file in os.scandir(Path(__file__).parent) if file.name.endswith(".py")]
    files: list[Any] = [*kernels, *made_with]
    states = sorted((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return hashlib.sha256(repr((llvmlite.__version__, numpy.__version__, states)).encode()).hexdigest()


@cache
def _say_that_nothing_is_kept():
    warnings.warn(
        "compiled kernels cannot be kept, for neither the package's folder nor the user's cache can be written; each "
        "run compiles them anew (set NUMBA_CACHE_DIR to a folder that can be written)",
        stacklevel=4,
    )


# --- in memory --------------------------------------------------------------------------------------------------------


def name_address(name: str, address: int | None) -> None:
    """Give what lies at an address a name by which kernels call it."""
    llvmlite.binding.add_symbol(name, address)


def load(code: Code) -> int:
    """Where the function of a kernel begins, for which its code is put into memory.

    Errors: ImportError, if something that the code calls is not there.
    """
    engine = _engine() if code.name not in _loaded else _new_engine()  # in an engine a name stands for one thing
    missing = [name for name in code.calls if llvmlite.binding.address_of_symbol(name) is None]
    if missing:
        raise ImportError(f"the kernel {code.name} calls {', '.join(missing)}, which this process does not have")
    _loaded.add(code.name)
    engine.add_object_file(llvmlite.binding.ObjectFileRef.from_data(code.made))
    engine.finalize_object()
    return engine.get_function_address(code.name)


_loaded: set[str] = set()


@cache
def _engine() -> Any:
    """The one for all."""
    return _new_engine()


def _new_engine() -> Any:
    binding = llvmlite.binding
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(codemodel="jitdefault")
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))  # it stays: when Python ends, threads may still be in its code
    return engine
