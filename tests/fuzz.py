"""Files that are wrong in every way: the readers of the user's files, and how valid files of theirs are spoilt.

`python -m tests.fuzz NAME --seconds 600` reads spoilt files of one kind for as long as one likes. It is guided by what
code they reach where `atheris` is installed, else by chance alone. `tests/test_fuzz.py` tries a few of every kind.

A new reader is a row of `READERS`.
"""

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import struct
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import atheris

        with atheris.instrument_imports(include=["ichikara.data", "ichikara.recipes", "ichikara.train", "tomllib"]):
            import ichikara.data
            import ichikara.recipes
            import ichikara.train  # noqa: F401

import numpy

from ichikara import Generator, nn, optim
from ichikara.arrays import using
from ichikara.data import (
    Column,
    DataLoader,
    Table,
    TestVault,
    load_csv,
    load_inputs,
    load_npz,
    load_text,
    load_xor,
    read_idx,
)
from ichikara.data.vault import read_record
from ichikara.errors import UserError
from ichikara.recipes import build, load_recipe, train_run
from ichikara.recipes.folder import SavedWith
from ichikara.recipes.summary import SUMMARY, read_summary
from ichikara.train import EarlyStopping, Trainer, load_arrays, save_arrays


class Reader(NamedTuple):
    """A reader of files: what reads one, valid examples, and how they are spoilt.

    ``words`` are put into a file beside random bytes; ``wrap`` packs what was spoilt, such as into an archive, so that
    not only the packing is wrong.
    """

    read: Callable[[Path], object]
    suffix: str
    examples: list[bytes]
    words: Sequence[bytes] = ()
    wrap: Callable[[bytes], bytes] = bytes


def saved(save, *arguments, **options) -> bytes:
    """What a function writes into a file."""
    file = io.BytesIO()
    save(file, *arguments, **options)
    return file.getvalue()


def in_npz(role: str) -> Callable[[bytes], bytes]:
    """What makes an archive in which some bytes are the inputs, or the targets."""

    def archive_of(content: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("x", "y"):
                archive.writestr(f"{name}.npy", content if name == role else saved(numpy.save, numpy.array([0, 1])))
        return file.getvalue()

    return archive_of


def picture(mode: str, form: str, size=(4, 3), **options) -> bytes:
    from PIL import Image

    return saved(Image.new(mode, size, 1).save, form, **options)


def with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the right checksums again, so that a decoder goes on."""
    out, at = [content[:8]], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        body = content[at + 4 : at + 8 + length]
        out.append(content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    return b"".join(out) + content[at:]


def exif() -> bytes:
    from PIL import Image

    tags = Image.Exif()
    tags[0x0112] = 6
    return tags.tobytes()


TABLE = Table((Column("a"), Column("b"), Column("kind", "class", ("x", "y"))), "kind", True)
CSV = [
    b"a,b,kind\n1,2.5,x\n3,4,y\n-1e3,0,x\n",
    b"\xef\xbb\xbf2019,2020,kind\r\n1.5,2.5,x\r\n3.5,4.5,y\r\n1.5,2.5,x\r\n3.5,4.5,y\r\n",
    b'"a","b"\n"1","2"\n3,4\n5,7.5\n',
]
CSV_WORDS = [
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"nan",
    b"1e39",
    b"9007199254740993",
    b"9" * 5000,
]
HEADER_WORDS = [b"'descr'", b"'<U9'", b"'|O'", b"(", b")", b"99999999999999999999", b"True", b", ", b"\xff\xff\xff\xff"]
NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1"]
RECIPE = b"""title = "a"
[data]
name = "csv"
path = "x.csv"
[model]
name = "mlp"
hidden = [8, 8]
[optimizer]
name = "Adam"
lr = 0.01
[training]
epochs = 3
"""


def image(path: Path) -> None:
    for shape in ((1, 3, 4), (3, 3, 4)):
        load_inputs(path, shape)


# --- what a run saves -------------------------------------------------------------------------------------------------


def trainer() -> tuple[Trainer, DataLoader]:
    """A small training, with all that a checkpoint holds."""
    with using(Generator(0)):
        model = nn.Linear(2, 2)
    optimizer = optim.Adam(model.parameters())
    callbacks = [EarlyStopping(monitor="train_loss")]
    schedule = optim.CosineAnnealingLR(optimizer, 9)
    loader = DataLoader(load_xor(), 2, shuffle=True, generator=Generator(0))
    options = {"schedule": schedule, "callbacks": callbacks, "generator": Generator(0), "engine": "eager"}
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, **options), loader


def resume(path: Path) -> None:
    made, loader = trainer()
    made.resume(path, loader)


def in_safetensors(file: Path) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The settings of a file of arrays, and what puts others into their place."""
    arrays, settings = load_arrays(file)

    def with_settings(text: bytes) -> bytes:
        import safetensors.numpy

        return safetensors.numpy.save(arrays, {"ichikara": text.decode("utf-8", "replace")})

    return json.dumps(settings).encode(), with_settings


def with_length(header: bytes) -> bytes:
    """A safetensors file with this header."""
    return len(header).to_bytes(8, "little") + header + bytes(24)


def of_run() -> dict[str, Reader]:
    """The readers of what a run leaves, with files of a small run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_run(build(load_recipe("xor", ["training.epochs=1", "training.engine='eager'"])), folder)
        made, loader = trainer()
        made.fit(loader, 2, checkpoint=folder / "c.safetensors")
        vault = TestVault(load_xor(), folder / "vault.json")
        vault.open("evaluate")
        save_arrays(folder / "w.safetensors", {"a": numpy.ones((2, 3), "float32"), "b": numpy.zeros(3, "int64")})
        weights, with_weights = in_safetensors(folder / "weights.safetensors")
        checkpoint, with_checkpoint = in_safetensors(folder / "c.safetensors")
        summary, record = (folder / SUMMARY).read_bytes(), (folder / "vault.json").read_bytes()
        plain = (folder / "w.safetensors").read_bytes()
    header = b'{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
    types = [b'"F16"', b'"BF16"', b'"F8_E4M3"', b'"I64"', b'"C64"', b"-1", b"99999999999999999999"]
    words = [b"null", b"[]", b"{}", b"-1", b"1e999", b"NaN", b"true", b'"x"', b"[" * 2000, b"9" * 5000]
    return {
        "safetensors": Reader(load_arrays, ".safetensors", [plain], types),
        "safetensors header": Reader(load_arrays, ".safetensors", [header], types, with_length),
        "weights": Reader(lambda path: load_arrays(path, SavedWith), ".safetensors", [weights], words, with_weights),
        "checkpoint": Reader(resume, ".safetensors", [checkpoint], words, with_checkpoint),
        "run.json": Reader(lambda path: read_summary(path.parent, path.name), ".json", [summary], words),
        "vault.json": Reader(read_record, ".json", [record], words),
    }


def of_code_cache() -> dict[str, Reader]:
    """The reader of compiled code. A spoilt file gives none: what it would compute is anybody's guess."""
    try:
        from ichikara.fast.jit import code_cache
    except ModuleNotFoundError:  # the tests leave it out
        return {}
    source = Path(code_cache.__file__)
    code = code_cache.ObjectCode("fuzz", ["memcpy"], bytes(range(256)))

    def read(path: Path) -> None:
        with mock.patch.dict(os.environ, NUMBA_CACHE_DIR=str(path.parent)):
            code_cache.write(source, code)
            (file,) = path.parent.rglob("fuzz-*.kernel")
            if not path.exists():  # asked for what a valid file is
                return
            valid, content = file.read_bytes(), path.read_bytes()
            file.write_bytes(content)
            assert code_cache.read(source, code.name) == (code if content == valid else None)

    with tempfile.TemporaryDirectory() as name:
        read(Path(name, "none"))
        (file,) = Path(name).rglob("fuzz-*.kernel")
        return {"code cache": Reader(read, ".kernel", [file.read_bytes()], [b"\n", b"memcpy", b"\0"])}


READERS: dict[str, Reader] = {
    "recipe": Reader(
        lambda path: load_recipe(path).toml(),
        ".toml",
        [RECIPE],
        [
            b"[",
            b"]",
            b"{",
            b"}",
            b"=",
            b".",
            b'"',
            b"'''",
            b"nan",
            b"1e999",
            b"0x",
            b"9" * 5000,
            b"a." * 60,
            b"[" * 2000,
        ],
    ),
    "csv": Reader(load_csv, ".csv", CSV, CSV_WORDS),
    "csv of inputs": Reader(TABLE.read_inputs, ".csv", [b"b,a\n1,2\n", b"1,2\n3,4\n", b"kind,b,a\nx,1,2\n"], CSV_WORDS),
    "npz": Reader(
        load_npz,
        ".npz",
        [
            saved(numpy.savez, x=numpy.ones((4, 2)), y=numpy.array([0, 1, 0, 1])),
            saved(numpy.savez_compressed, x=numpy.ones((2, 2), "float32"), y=["no", "yes"], classes=["é", "b"]),
        ],
        [*HEADER_WORDS, *NUMBERS, b"PK\5\6", b"PK\1\2", b"PK\3\4"],
    ),
    "npz inputs": Reader(
        load_npz, ".npz", [saved(numpy.save, numpy.ones((2, 3), kind)) for kind in "fi?"], HEADER_WORDS, in_npz("x")
    ),
    "npz targets": Reader(
        load_npz, ".npz", [saved(numpy.save, numpy.array(y)) for y in (["a", "é"], [1, 0])], HEADER_WORDS, in_npz("y")
    ),
    "npy": Reader(
        lambda path: load_inputs(path, (2,)),
        ".npy",
        [saved(numpy.save, numpy.ones((3, 2), kind)) for kind in ("float64", ">i2", "bool", "float16")],
        HEADER_WORDS,
    ),
    "idx": Reader(read_idx, ".idx", [bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(6)])], NUMBERS),
    "idx.gz": Reader(
        read_idx, ".idx", [gzip.compress(bytes([0, 0, 13, 1, 0, 0, 0, 1, 63, 128, 0, 0]), mtime=0)], NUMBERS
    ),
    "idx.gz inside": Reader(read_idx, ".idx", [bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 2])], NUMBERS, gzip.compress),
    "png": Reader(
        image,
        ".png",
        [picture(mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
        + [picture("L", "PNG", (3, 4), exif=exif()), picture("P", "PNG", transparency=b"\0\x80")],
        [*NUMBERS, b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"iCCP", b"zTXt"],
        with_checksums,
    ),
    "jpeg": Reader(
        image,
        ".jpg",
        [picture("RGB", "JPEG"), picture("CMYK", "JPEG"), picture("L", "JPEG", (3, 4), exif=exif())],
        [b"\xff\xe1", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"Exif\0\0", b"MM\0*", *NUMBERS],
    ),
    "gif": Reader(
        image,
        ".gif",
        [picture("P", "GIF"), picture("P", "GIF", transparency=1)],
        [b"\x21\xf9", b"\x2c", b"\x3b", *NUMBERS],
    ),
    "bmp": Reader(image, ".bmp", [picture(mode, "BMP") for mode in ("1", "L", "RGB")], NUMBERS),
    "text": Reader(
        load_text,
        ".txt",
        [b"the quick brown fox\r\n" * 3, "いろはにほへと\n".encode() * 5],
        [b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"],
    ),
    **of_run(),
    **of_code_cache(),
}

# An edit: what is done, where (modulo the length), to how many bytes, and with which bytes.
EDITS = ("cut", "delete", "insert", "replace", "flip", "repeat", "splice")
Edit = tuple[str, int, int, bytes]


def spoilt(content: bytes, edits: list[Edit]) -> bytes:
    """A file after these edits."""
    for kind, at, length, put in edits:
        at %= len(content) + 1
        end = min(at + length, len(content))
        part = content[at:end]
        middle = {
            "cut": b"",
            "delete": b"",
            "insert": put + part,
            "replace": put,
            "flip": bytes(byte ^ 0x80 for byte in part),
            "repeat": part * 50,
            "splice": content[:length] + part,
        }[kind]
        content = content[:at] + middle + (b"" if kind == "cut" else content[end:])
    return content[: 2**20]


def attempt(reader: Reader, content: bytes, path: Path) -> None:
    """Read a file that may be wrong. Whatever is raised but a `UserError` is a fault, and so is a warning."""
    path = path.with_suffix(reader.suffix)
    path.write_bytes(content)
    with contextlib.suppress(UserError), warnings.catch_warnings():
        warnings.simplefilter("error")
        reader.read(path)


def _edits(reader: Reader, number: Callable[[int], int], bytes_: Callable[[int], bytes]) -> bytes:
    """A spoilt file, by a source of numbers below a bound and of bytes."""
    edits: list[Edit] = []
    for _ in range(number(6)):
        word = number(len(reader.words) + 1)
        put = reader.words[word - 1] if word else bytes_(number(9))
        edits.append((EDITS[number(len(EDITS))], number(2**16), number(32), put))
    return reader.wrap(spoilt(reader.examples[number(len(reader.examples))], edits))


def main() -> None:
    parser = argparse.ArgumentParser(description="Read spoilt files, until a reader raises what it should not.")
    parser.add_argument("name", choices=READERS)
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    reader, folder = READERS[given.name], tempfile.TemporaryDirectory()
    path = Path(folder.name, "spoilt")
    if "atheris" in sys.modules:

        def once(data: bytes) -> None:
            source = atheris.FuzzedDataProvider(data)
            if source.ConsumeBool():
                attempt(reader, source.ConsumeBytes(2**16), path)
            else:
                number = lambda below: source.ConsumeIntInRange(0, below - 1)
                attempt(reader, _edits(reader, number, source.ConsumeBytes), path)

        limits = [f"-max_total_time={given.seconds}", "-timeout=10", "-rss_limit_mb=1024", "-len_control=0"]
        atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={tempfile.gettempdir()}/"], once)
        atheris.Fuzz()
    count, end, chance = 0, time.monotonic() + given.seconds, random.Random()
    while time.monotonic() < end:
        content = _edits(reader, chance.randrange, chance.randbytes)
        try:
            attempt(reader, content, path)
        except BaseException:
            print(f"spoilt file: {content!r}", file=sys.stderr)
            raise
        count += 1
    print(f"{given.name}: {count:,} spoilt files")


if __name__ == "__main__":
    main()
