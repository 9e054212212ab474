"""The object code of kernels: cached on disk from one run to the next, and loaded by LLVM.

A file has two lines of text, which are a checksum and the external symbols that the code calls, and then the object
code. It lies beside Python's compiled modules, or where ``NUMBA_CACHE_DIR`` says, or else among the user's caches. It
is valid for the processor, the Python and the libraries it was made with, and for the sources of all compiled
functions, since the code of one is linked into others.

Wrong code computes wrong numbers, or ends the process, and LLVM does not notice. So the checksum is one of all that: of
the code, its name, which stands for the function and the types of its arguments, and what it is valid for. It is
compared before the code is loaded, and a file that fails is made again. No checksum helps against a person, so a file
counts only where nobody can have written it who could not have changed the sources.
"""

import ctypes
import hashlib
import os
import stat
import sys
import time
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

from ...data.atomic import write_atomically

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
            content = _read_trusted(_cache_file(folder, name), source)
            checksum, externals, object_file = (content or b"").split(b"\n", 2)
            code = ObjectCode(name, externals.decode().split(), object_file)
            if checksum.decode() == _checksum(source, code):
                return code
    return None


def write(source: Path, code: ObjectCode) -> None:
    """Write code to the first folder where that is possible; if there is none, warn once."""
    header = f"{_checksum(source, code)}\n{' '.join(code.externals)}\n"
    for folder in _cache_folders(source):
        with suppress(OSError):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            if _is_trusted(folder, folder.stat(), source):
                _remove_leftovers(folder)
                write_atomically(_cache_file(folder, code.name), header.encode() + code.object_file, mode=0o644)
                return
    _warn(
        "compiled kernels cannot be cached, because neither the package's folder nor the user's cache can be used; "
        "each run compiles them again (set NUMBA_CACHE_DIR to a folder of your own with free space)"
    )


def _checksum(source: Path, code: ObjectCode) -> str:
    """The checksum of code together with what it was compiled for."""
    made_for = repr((code.name, _target_key(), _fingerprint(source), list(code.externals)))
    return hashlib.blake2b(made_for.encode() + b"\n" + code.object_file, digest_size=32).hexdigest()


def _read_trusted(path: Path, source: Path) -> bytes | None:
    """The content of a file, if only those can have written it who are trusted; see `_is_trusted`."""
    if not _is_trusted(path.parent, path.parent.stat(), source):
        return None
    # Without waiting: opening a named pipe would wait for a writer.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        status = os.fstat(file.fileno())
        return file.read() if stat.S_ISREG(status.st_mode) and _is_trusted(path, status, source) else None


def _is_trusted(path: Path, status: os.stat_result, source: Path) -> bool:
    """Whether a file or folder belongs to us, to root or to the owner of the sources, and no others can write to it.

    Users who can write to the sources may write here too: they could change the code anyway. If not so, warn once.
    """
    if os.name != "posix":  # where these numbers mean nothing
        return True
    origin = source.stat()
    owned = status.st_uid in (0, os.geteuid(), origin.st_uid)
    as_origin = origin.st_mode if status.st_gid == origin.st_gid else origin.st_mode & ~stat.S_IWGRP
    if owned and not status.st_mode & ~as_origin & (stat.S_IWGRP | stat.S_IWOTH):
        return True
    why = f"others can write to it: chmod go-w '{path}'" if owned else f"it belongs to user {status.st_uid}: remove it"
    _warn(f"{path} is not used as a cache of compiled kernels, which are compiled again, because {why}")
    return False


def _remove_leftovers(folder: Path) -> None:
    """Remove what writers have left behind that were killed more than an hour ago."""
    for path in folder.glob(".*.kernel.*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink()


def _cache_folders(source: Path) -> Iterator[Path]:
    """Where code may be cached, in the order in which it is looked for. A relative folder would be another anywhere."""
    beside = source.parent / "__pycache__"
    subfolder = f"{source.parent.name}-{hashlib.sha256(str(source.parent).encode()).hexdigest()[:16]}"
    configured = _absolute("NUMBA_CACHE_DIR")
    if configured:
        yield configured / subfolder
        return
    yield beside
    with suppress(RuntimeError):  # there is no home folder
        user_cache = _absolute("LOCALAPPDATA") or _absolute("XDG_CACHE_HOME") or Path.home() / ".cache"
        yield user_cache / "ichikara" / subfolder


def _absolute(variable: str) -> Path | None:
    """The folder that an environment variable names; None if it names none, or a relative one."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else None


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


def _warn(message: str) -> None:
    """Warn; once, since what is wrong with a folder is wrong for each kernel."""
    if not _warned:
        _warned.append(message)
        warnings.warn(message, stacklevel=4)


_warned: list[str] = []


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
