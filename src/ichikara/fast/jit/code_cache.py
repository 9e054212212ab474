"""The object code of kernels: cached on disk from one run to the next, and loaded by LLVM.

A file has three lines of text, which are the fingerprint of what the code was made from, its size and the external
symbols it calls, and then the object code. It lies beside Python's compiled modules, or where ``NUMBA_CACHE_DIR`` says,
or else among the user's caches. It is valid for the processor, the Python and the libraries it was made with, and for
the sources of all compiled functions, since the code of one is linked into others.
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

__all__ = ["ObjectCode", "add_symbol", "load", "read", "target_cpu", "write"]


class ObjectCode(NamedTuple):
    """The object code of a kernel."""

    name: str
    """The name of its function."""
    externals: Sequence[str]
    """The external symbols it calls: of Python, of the C library, and those given to `add_symbol`."""
    object_file: bytes
    """The object file."""


# --- on disk ----------------------------------------------------------------------------------------------------------


def read(source: Path, name: str) -> ObjectCode | None:
    """The cached code of this name that was made from a source file as it is now, or None.

    Arguments: ``source``, the file of the kernel's function.
    """
    for folder in _cache_folders(source):
        with suppress(OSError, ValueError):  # there is no such file, or it is damaged
            fingerprint, size, externals, object_file = _cache_file(folder, name).read_bytes().split(b"\n", 3)
            if fingerprint.decode() == _fingerprint(source) and int(size) == len(object_file):
                return ObjectCode(name, externals.decode().split(), object_file)
    return None


def write(source: Path, code: ObjectCode) -> None:
    """Write code to the first folder where that is possible; if there is none, warn once."""
    header = f"{_fingerprint(source)}\n{len(code.object_file)}\n{' '.join(code.externals)}\n"
    for folder in _cache_folders(source):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = _cache_file(folder, code.name)
            # Written under another name first: other threads and processes may read or write the same file.
            temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
            temporary.write_bytes(header.encode() + code.object_file)
            temporary.replace(path)
            return
    _warn_not_cached()


def _cache_folders(source: Path) -> Iterator[Path]:
    """Where code may be cached, in the order in which it is looked for."""
    beside = source.parent / "__pycache__"
    subfolder = f"{source.parent.name}-{hashlib.sha256(str(source.parent).encode()).hexdigest()[:16]}"
    configured = os.environ.get("NUMBA_CACHE_DIR")
    if configured:
        yield Path(configured) / subfolder
        return
    yield beside
    with suppress(RuntimeError):  # there is no home folder
        user_cache = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        yield Path(user_cache) / "ichikara" / subfolder


def _cache_file(folder, name):
    """The file of a kernel. Processors that share a folder have files of their own."""
    return folder / f"{name}-{_target_key()}.kernel"


@cache
def target_cpu() -> tuple[str, str]:
    """The processor to compile for and its features, as LLVM names them; Numba's variables may name another one."""
    binding = llvmlite.binding
    name = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name.lower() == "generic" else binding.get_host_cpu_features().flatten()
    return name, features


@cache
def _target_key():
    """A hash of what is the same for all kernels of this machine and this Python."""
    parts = llvmlite.binding.get_process_triple(), *target_cpu(), sys.implementation.cache_tag
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@cache
def _fingerprint(source: Path) -> str:
    """A hash of what code is made from: the sources, and the versions of the libraries."""
    numba: Any = find_spec("numba")
    fast = Path(__file__).parents[1]
    version = Path(numba.origin).with_name("_version.py")  # importing Numba to read its version would take longer
    files = [source, version, fast / "workspace.py"]
    entries: list[Any] = [entry for part in ("jit", "threads", "kernels") for entry in _python_files(str(fast / part))]
    found = [(file.name, file.stat()) for file in (*files, *entries)]
    states = sorted((name, status.st_mtime_ns, status.st_size) for name, status in found)
    return hashlib.sha256(repr((llvmlite.__version__, numpy.__version__, states)).encode()).hexdigest()


def _python_files(folder: str) -> Iterator[Any]:
    """The Python files of a folder and of the folders in it."""
    for entry in os.scandir(folder):
        if entry.name.endswith(".py"):
            yield entry
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _python_files(entry.path)


@cache
def _warn_not_cached():
    warnings.warn(
        "compiled kernels cannot be cached, because neither the package's folder nor the user's cache is writeable; "
        "each run compiles them again (set NUMBA_CACHE_DIR to a folder that can be written)",
        stacklevel=4,
    )


# --- in memory --------------------------------------------------------------------------------------------------------


def add_symbol(name: str, address: int | None) -> None:
    """Give an address a name by which kernels call what lies there."""
    llvmlite.binding.add_symbol(name, address)


def load(code: ObjectCode) -> int:
    """Load the code of a kernel into memory; returns the address of its function.

    Errors: ImportError, if an external symbol that the code calls does not exist.
    """
    engine = _engine() if code.name not in _loaded else _new_engine()  # in one engine a name is unique
    missing = [name for name in code.externals if llvmlite.binding.address_of_symbol(name) is None]
    if missing:
        raise ImportError(f"the kernel {code.name} calls {', '.join(missing)}, which this process does not have")
    _loaded.add(code.name)
    engine.add_object_file(llvmlite.binding.ObjectFileRef.from_data(code.object_file))
    engine.finalize_object()
    return engine.get_function_address(code.name)


_loaded: set[str] = set()


@cache
def _engine() -> Any:
    """The engine that all kernels share."""
    return _new_engine()


def _new_engine() -> Any:
    binding = llvmlite.binding
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(codemodel="jitdefault")
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))  # kept alive: when Python ends, threads may still run its code
    return engine
