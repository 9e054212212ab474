"""Downloads: data sets from the folder that `ICHIKARA_DATA` names, else the cache, else a mirror.

A checksum is that of the *content*, after unpacking: the same images packed by another gzip are the same data.
"""

import gzip
import hashlib
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

from ichikara.errors import UserError

from .atomic import write_atomically

__all__ = ["RemoteFile", "cache_folder", "fetch"]

VARIABLE = "ICHIKARA_DATA"
TIMEOUT = 30.0  # seconds without an answer
LARGEST = 64 * 2**20  # bytes; far above our files, so that a wrong server cannot send without end


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its path in a data folder, its mirrors, and the SHA-256 of its content.

    Arguments: ``path``, within the data folder; ``mirrors``, addresses tried in order; ``sha256``, hexadecimal, of the
    unpacked content where the path ends in ``.gz``.
    """

    path: str
    mirrors: tuple[str, ...]
    sha256: str


def cache_folder() -> Path:
    """The folder that downloads go to: ``ichikara`` in ``$XDG_CACHE_HOME``, by default in ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "ichikara"


def fetch(file: RemoteFile) -> bytes:
    """The content of a published file, unpacked and checked against its checksum.

    It is looked for in the folder that the environment variable ``ICHIKARA_DATA`` names, then in `cache_folder`; else
    it is downloaded into the latter, which is announced on the standard error stream.

    Arguments: ``file``, what to get.
    Errors: `UserError` if a file that was found is damaged, or if no mirror could be reached.
    """
    for folder in _folders():
        path = folder / file.path
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from None
        try:
            return _content(file, packed)
        except _Damaged as damage:
            raise UserError(
                f"{path} is damaged or not the published file: {damage}. Delete it (it is then downloaded again), or "
                f"put a good copy in its place"
            ) from None
    return _download(file, cache_folder() / file.path)


def _folders() -> list[Path]:
    named = os.environ.get(VARIABLE)
    if not named:
        return [cache_folder()]
    try:
        folder = Path(named).expanduser()
    except RuntimeError:  # of nobody
        folder = Path(named)
    if not folder.is_dir():
        raise UserError(
            f"{VARIABLE} names {folder}, which is not a folder; set it to the folder with the data, or unset it"
        )
    return [folder, cache_folder()]


class _Damaged(Exception):
    """Bytes that are not the published file's."""


def _content(file: RemoteFile, packed: bytes) -> bytes:
    """The bytes, unpacked, if they are the published file's."""
    content = packed
    if file.path.endswith(".gz"):
        try:
            content = gzip.decompress(packed)
        except (OSError, EOFError, zlib.error) as error:
            raise _Damaged(f"its {len(packed):,} bytes cannot be unpacked ({error})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise _Damaged(f"its content has SHA-256 {found[:16]}…, expected {file.sha256[:16]}…")
    return content


def _download(file: RemoteFile, path: Path) -> bytes:
    """Download the file from the first mirror that has it, and save it."""
    import http.client
    import urllib.error
    import urllib.request

    failures = []
    for address in file.mirrors:
        print(f"ichikara: downloading {address} to {path}", file=sys.stderr)
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
                packed = response.read(LARGEST + 1)
            if len(packed) > LARGEST:
                raise _Damaged(f"it is longer than {LARGEST:,} bytes")
            content = _content(file, packed)
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            failures.append(f"{address}: {error.code} {error.reason}")
        except (OSError, http.client.HTTPException, _Damaged) as error:
            failures.append(f"{address}: {getattr(error, 'reason', error)}")
        else:
            _save(path, packed)
            return content
    name = Path(file.path).name
    raise UserError(
        f"cannot download {name} ({'; '.join(failures)}). Without a network: get {name} elsewhere and save it as "
        f"{path}, or set {VARIABLE} to a folder that holds {file.path}"
    )


def _save(path: Path, packed: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, packed)
    except OSError as error:
        raise UserError(
            f"cannot save {path}: {error.strerror or error}. Set XDG_CACHE_HOME to a folder that can be written to"
        ) from None
