"""Time and memory before a refusal: nothing is waited for, and nothing is allocated on a header's word."""

import gzip
import io
import os
import signal
import socket
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager

import numpy
import pytest

from ichikara.data import load_csv, load_inputs, load_npz, load_text, read_idx
from ichikara.errors import UserError
from ichikara.recipes import load_recipe

SECONDS = 20  # after which a reader counts as hanging
READERS = {
    ".toml": load_recipe,
    ".csv": load_csv,
    ".npz": load_npz,
    ".txt": load_text,
    ".idx": read_idx,
    ".npy": lambda path: load_inputs(path, (2,)),
    ".png": lambda path: load_inputs(path, (1, 2, 2)),
    "-inputs.csv": lambda path: load_inputs(path, (2,)),
}


@contextmanager
def bounded(memory=32 * 2**20):
    """Fail if the block hangs, or takes more memory than this."""

    def hangs(*_):
        raise TimeoutError(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(SECONDS)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=READERS)
def reader(request, tmp_path):
    """A reader, and the path of a file that it would read."""
    return READERS[request.param], tmp_path / f"a{request.param}"


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are files on POSIX only")
@pytest.mark.parametrize("kind", ["pipe", "socket", "/dev/zero", "folder", "missing", "zero byte", "long name"])
def test_what_is_no_file_is_refused_at_once(reader, kind):
    read, path = reader
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        os.chdir(path.parent)  # a socket's path is short
        server.bind(path.name)
        server.close()
    elif kind == "/dev/zero":
        path.symlink_to(kind)
    elif kind == "folder":
        path.mkdir()
    elif kind == "zero byte":
        path = path.with_name(f"a\0b{path.suffix}")
    elif kind == "long name":
        path = path.with_name("a" * 300 + path.suffix)
    with bounded(), pytest.raises(UserError, match=r"cannot read|there is no|is no path|is a folder"):
        read(path)


def header(descr, shape, version=1):
    """A header of a .npy file."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text


HEADERS = [
    header("<f8", (10**6, 10**5)),
    header("<f4", (2**62,)),
    header("<f8", (2**40, 2**40)),
    header("<f8", (10**30,)),
    header("<f8", (0, 2**62)),
    header("<U99999999", (10**4, 2)),
    header("<U1", (10**9,), 3),
    header("|O", (2,)),
    header("<f8", "(((2, ), ), )"),
    header("<f8", "(" * 3000 + ")" * 3000),
    header("<f8", "(" + "9" * 5000 + ",)"),
    header("<f8", (-1,)),
    header("<f8", "(2, 3"),
    header("<f8", "(__import__('os'),)"),
    b"\x93NUMPY\2\0\xff\xff\xff\xff{",
    b"\x93NUMPY",
    b"",
]


@pytest.mark.parametrize("content", HEADERS, ids=range(len(HEADERS)))
def test_a_header_of_an_array_is_not_taken_at_its_word(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content + bytes(16))
    with bounded(), pytest.raises(UserError, match="cannot read"):
        load_inputs(path, (2,))
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", packing) as archive:
            archive.writestr("x.npy", content + bytes(16))
            archive.writestr("y.npy", content + bytes(16))
        with bounded(), pytest.raises(UserError, match="cannot read"):
            load_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(2**31, 2**31), (2**32 - 1,), (1,) * 200, (0, 2**32 - 1)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_of_an_idx_file_is_not_taken_at_its_word(tmp_path, shape, pack):
    path = tmp_path / "a.idx"
    path.write_bytes(pack(bytes([0, 0, 14, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + b"12345"))
    with bounded(), pytest.raises(UserError, match="is damaged"):
        read_idx(path)


def test_an_archive_that_says_more_than_it_holds(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x.npy", "y.npy"):
            archive.writestr(name, header("<f8", (10**9, 10)) + bytes(64))
    content = file.getvalue()
    size = len(header("<f8", (10**9, 10))) + 64
    said = struct.pack("<I", size)
    content = content.replace(said, struct.pack("<I", 2**32 - 2))
    (tmp_path / "a.npz").write_bytes(content)
    with bounded(), pytest.raises(UserError, match="cannot read"):
        load_npz(tmp_path / "a.npz")


def test_an_array_that_is_not_used_is_not_read(tmp_path):
    extra = numpy.zeros(10**7)
    numpy.savez_compressed(tmp_path / "a.npz", x=numpy.ones((4, 2)), y=[0, 1, 0, 1], extra=extra)
    with bounded():
        assert len(load_npz(tmp_path / "a.npz")) == 4


@pytest.mark.parametrize("read", [load_csv, load_text, load_recipe])
def test_a_gigabyte_of_zeros_is_no_text(tmp_path, read):
    path = tmp_path / "a.toml"
    with open(path, "wb") as file:
        file.truncate(2**30)
    with bounded(), pytest.raises(UserError, match="is no text"):
        read(path)


@pytest.mark.parametrize("read", [load_csv, load_text, load_recipe, load_npz])
def test_what_is_larger_than_the_memory_is_refused(tmp_path, read, monkeypatch):
    monkeypatch.setattr("ichikara.data.reading.available", lambda: 1000)
    path = tmp_path / "a.toml"
    if read is load_npz:
        numpy.savez(path.with_suffix(".npz"), x=numpy.ones((100, 10)), y=numpy.arange(100) % 2)
        path = path.with_suffix(".npz")
    else:
        path.write_text("a = 1\n" * 200)
    with pytest.raises(UserError, match=r"needs about .* GiB of memory"):
        read(path)


@pytest.mark.parametrize("text", ["a,a," * 50_000 + "b\n1,2\n", ",".join(f"gene{i}" for i in range(100_000)) + "\n"])
def test_a_wide_header_is_checked_at_once(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with bounded(2**30), pytest.raises(UserError, match=r"two columns are called 'a'|no lines after it"):
        load_csv(path)


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * 20_000) + " = 1",
        "[" + ".".join("a" * 20_000) + "]",
        "x = {" + ".".join("a" * 20_000) + " = 1}",
        "x = " + "[" * 20_000,
        "x = " + "{a=" * 20_000,
        "x = " + "9" * 20_000,
        "seed = 99999999999999999999",
        "x" * 300_000,
    ],
    ids=["key", "table", "inline", "lists", "tables", "digits", "64 bits", "long"],
)
def test_a_recipe_that_no_one_wrote(tmp_path, text):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with bounded(), pytest.raises(UserError, match="is not TOML"):
        load_recipe(path)
    if "=" in text and not text.startswith("x = {a."):
        with bounded(), pytest.raises(UserError):
            load_recipe("xor", [text.replace(" = ", "=")])
