"""Compiled functions: they get what Python passes, and code from the cache computes the same as new code."""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import needs
import numpy
import pytest

import ichikara
from ichikara.fast import lookup

needs.kernels()

from ichikara.fast.jit import code_cache
from ichikara.fast.jit.dispatcher import compiled
from ichikara.fast.jit.unboxing import typeof

lookup.find("")  # loads them all


@compiled
def report(arrays, numbers, nothing, out):
    """Put the arguments into ``out``."""
    (a, (b,)), (whole, real, single, truth, byte) = arrays, numbers
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i, j] = a[i, j] + b[i, j]
    out[-1, 0], out[-1, 1], out[-1, 2], out[-1, 3], out[-1, 4] = whole, real, single, truth, byte
    return nothing is None and truth


LAYOUTS = {
    "C": lambda x: x,
    "F": numpy.asfortranarray,
    "strided": lambda x: numpy.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read only": lambda x: numpy.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "broadcast": lambda x: numpy.broadcast_to(x[:1, :1], x.shape),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arguments_are_unboxed(layout, dtype):
    drawn = numpy.random.default_rng(0)
    a, b = (LAYOUTS[layout](drawn.integers(0, 2, (4, 5)).astype(dtype)) for _ in range(2))
    for truth in (True, False):
        out = numpy.zeros((5, 5))
        numbers = (-(1 << 40), 0.1, numpy.float32(0.1), truth, numpy.uint8(255))
        assert report((a, (b,)), numbers, None, out) is truth
        numpy.testing.assert_array_equal(out[:4], a.astype(float) + b)
        assert out[4].tolist() == [-(1 << 40), 0.1, float(numpy.float32(0.1)), truth, 255]


@compiled
def count(*arguments):
    """Put the number of arguments into the last one."""
    arguments[-1][()] = len(arguments)


def test_any_number_of_arguments():
    out = numpy.zeros((), int)
    for others in ((), (1, 2.0), (numpy.zeros(3), None, (True,))):
        assert count(*others, out) is None
        assert out == len(others) + 1


def test_arguments_that_compiled_code_cannot_take_raise():
    out = numpy.zeros((), int)
    with pytest.raises(TypeError, match="takes arrays, numbers, None and tuples of these, not str 'a word'"):
        count("a word", out)
    with pytest.raises(OverflowError):
        count(1 << 70, out)
    count(1 << 62, out)
    assert out == 2


@compiled(makes_arrays=True)
def fill(size, out):
    """Allocate an array and sum what is stored there."""
    x = numpy.empty((size, 2), out.dtype)
    for k in range(size):
        x[k, 0] = k
        x[k, 1] = 2 * k
    y = x.reshape(2, size)
    out[0] = x.sum()
    out[1] = y[1, -1]


def test_arrays_that_compiled_code_allocates():
    out = numpy.zeros(2)
    for size in (1, 7, 100_000):
        fill(size, out)
        assert out.tolist() == [3 * size * (size - 1) / 2, 2 * (size - 1)]
    with pytest.raises(MemoryError, match="memory ran out"):
        fill(1 << 50, out)
    fill(3, out)
    assert out.tolist() == [9, 4]


@compiled
def call_a_kernel(out):
    count(out)


def test_compiled_code_calls_no_kernel_that_may_come_from_the_cache():
    with pytest.raises(Exception, match="count"):
        call_a_kernel(numpy.zeros((), int))


def test_functions_of_the_same_name_are_distinguished():
    """Such as those typed in one after the other; the code of a function without a file is not cached."""
    out = numpy.zeros(1)
    for number in (1, 2, 3):
        compiled(_putting(number))(out)
        assert out[0] == number


def _putting(number):
    def put(x):
        x[0] = number

    put.__module__ = "typed_in"
    return put


class _Own(numpy.ndarray):
    """As `numpy.memmap` is one."""


class _Pair(NamedTuple):
    first: Any
    second: Any


@pytest.mark.parametrize("dtype", ["int64", "int8", "float32", "float64"])
def test_subclasses_of_arrays_and_tuples_are_unboxed(dtype):
    given = numpy.arange(1, 21, dtype=dtype).reshape(4, 5)
    for a in (given, given.astype("int32"), given[:2], given.T[:4].T):
        out = numpy.zeros((5, 5))
        assert report(_Pair(a.view(_Own), (a,)), (1, 2.0, numpy.float32(3), True, numpy.uint8(4)), None, out)
        numpy.testing.assert_array_equal(out[: a.shape[0], : a.shape[1]], 2.0 * a)


def test_types_that_look_alike_are_distinguished():
    x = numpy.zeros((3, 4), numpy.float32)
    others = [x.astype(float), x[:, 0], x.T, x[:, ::2], x.astype(">f4"), True, 1, 1.0, numpy.float64(1), None, (), (x,)]
    kinds = [typeof(x), *map(typeof, others)]
    assert len(set(kinds)) == len(kinds)
    assert typeof(x) == typeof(x.copy()) == typeof(x[1:])


# --- on disk ----------------------------------------------------------------------------------------------------------

SHOW = """
import sys
import numpy
from ichikara.fast.lookup import find
from ichikara.fast.jit.dispatcher import compiled

@compiled(makes_arrays=True)
def sums(x, out):
    totals = numpy.zeros(x.shape[1], x.dtype)
    for row in x:
        for j in range(row.size):
            totals[j] += row[j]
    for j in range(totals.size):
        out[j] = totals[j]

drawn, out = numpy.random.default_rng(0), numpy.zeros(5)
for dtype in sys.argv[1:]:
    x = drawn.normal(size=(40, 5)).astype(dtype)
    sums(x, out)
    print(*out, *find("relu")[""](x).ravel())
print("numba" in sys.modules)
"""


@pytest.fixture
def shown(tmp_path):
    """What a program prints that computes with numbers of these types, and whether it imported Numba."""
    (tmp_path / "show.py").write_text(SHOW)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(*dtypes):
        command = [sys.executable, str(tmp_path / "show.py"), *dtypes]
        done = subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)
        *numbers, asked, rest = done.stdout.split(b"\n")
        assert not done.stderr
        assert not rest
        return numbers, asked == b"True"

    return run


def test_a_kernel_from_the_cache_computes_the_same_without_numba(shown):
    (numbers,), asked = shown("float32")
    assert asked
    assert shown("float32") == ([numbers], False)
    (again, others), asked = shown("float32", "float64")  # some come from the cache, then two are compiled
    assert again == numbers
    assert asked
    assert shown("float32", "float64") == ([again, others], False)


def test_a_damaged_file_is_written_again(shown, tmp_path):
    found, _ = shown("float32")
    files = sorted((tmp_path / "cache").rglob("*.kernel"))
    assert len(files) == 2
    for change in (
        lambda data: data[:-100],
        lambda data: data[:200] + bytes(len(data) - 200),
        lambda data: data[:-2000] + bytes([data[-2000] ^ 4]) + data[-1999:],
    ):
        for file in files:
            file.write_bytes(change(file.read_bytes()))
        assert shown("float32") == (found, True)
    assert shown("float32") == (found, False)
    assert sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file()) == files  # and no others


def test_a_cached_kernel_is_compiled_again_when_a_function_it_calls_changes(tmp_path):
    source = Path(ichikara.__file__).parent
    shutil.copytree(source, tmp_path / "ichikara", ignore=shutil.ignore_patterns("__pycache__"))
    show = """if True:
        import numpy
        from ichikara.fast.lookup import find
        print(find("sigmoid")[""](numpy.zeros((1, 3)))[0, 0])
    """
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def shown():
        return subprocess.run(
            [sys.executable, "-c", show], cwd=tmp_path, env=environment, check=True, timeout=120, capture_output=True
        ).stdout

    assert shown() == b"0.5\n"
    file = tmp_path / "ichikara" / "fast" / "jit" / "elementary.py"
    text = file.read_text()
    assert text.count("one / (one + exp(-x))") == 1
    file.write_text(text.replace("one / (one + exp(-x))", "one / (one + one + one + exp(-x))"))
    assert shown() == b"0.25\n"


@pytest.mark.parametrize(
    "name", ["workspace.py", "jit/tile.py", "threads/fork_join.py", "kernels/reduce.py", "kernels/conv/im2col.py"]
)
def test_the_cache_depends_on_every_file_whose_functions_may_be_linked_into_a_kernel(name, tmp_path, monkeypatch):
    fast = tmp_path / "fast"
    shutil.copytree(Path(ichikara.__file__).parent / "fast", fast, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_cache, "__file__", str(fast / "jit" / "code_cache.py"))
    fingerprint, source = code_cache._fingerprint.__wrapped__, Path(__file__)
    before = fingerprint(source)
    assert fingerprint(source) == before
    with (fast / name).open("a") as file:
        file.write("# changed")
    assert fingerprint(source) != before


def test_the_digits_are_learnt_without_a_wait_for_a_compiler(tmp_path):
    program = """if True:
        import sys
        from ichikara.recipes import build, load_recipe
        parts = build(load_recipe("digits"))
        parts.trainer.fit(parts.loader, 1, parts.validation)
        parts.trainer.evaluate(parts.test)
        parts.trainer.predict(parts.test.inputs)
        print("numba" in sys.modules)
    """
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True).stdout == b"False\n"
    assert not list(tmp_path.iterdir())


def test_without_compilation_there_are_no_kernels():
    program = "import ichikara; print(ichikara.relu(ichikara.ones((200, 200))).sum().item())"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True).stdout == b"40000.0\n"


@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [("haswell", "+avx2,+fma", 32), ("skylake-avx512", "+avx512f,+avx2", 64), ("generic", None, 32)],
)
def test_vectors_have_the_size_of_those_of_the_named_processor(name, features, expected):
    program = "from ichikara.fast.jit.vectors import VECTOR_BYTES; print(VECTOR_BYTES)"
    named = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    environment = {key: value for key, value in {**os.environ, **named}.items() if value is not None}
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True).stdout
    assert int(found) == expected


def test_code_that_calls_a_missing_function_is_not_loaded():
    with pytest.raises(ImportError, match=r"calls no_such_function, which this process does not have"):
        code_cache.load(code_cache.ObjectCode("mine", ["malloc", "no_such_function"], b""))


def test_a_cache_that_cannot_be_written_warns_once(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(code_cache, "_warned", [])
    with pytest.warns(UserWarning, match="set NUMBA_CACHE_DIR to a folder of your own"):
        code_cache.write(Path(__file__), code_cache.ObjectCode("one", [], b""))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code_cache.write(Path(__file__), code_cache.ObjectCode("two", [], b""))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new" / "folder"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code_cache.write(Path(__file__), code_cache.ObjectCode("one", ["f", "g"], b"\n\n"))
    assert code_cache.read(Path(__file__), "one") == code_cache.ObjectCode("one", ["f", "g"], b"\n\n")
    assert code_cache.read(Path(__file__), "two") is None


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Code that was written to a cache: its source, the code, the file."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(code_cache, "_warned", [], raising=False)
    source = Path(code_cache.__file__)
    code = code_cache.ObjectCode("one", ["malloc", "free"], numpy.random.default_rng(0).bytes(4000))
    code_cache.write(source, code)
    (file,) = (tmp_path / "cache").rglob("*.kernel")
    return source, code, file


def test_no_flipped_bit_is_loaded(cached):
    source, code, file = cached
    assert code_cache.read(source, "one") == code
    whole = file.read_bytes()
    for bit in numpy.random.default_rng(0).choice(8 * len(whole), 200, replace=False).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        assert code_cache.read(source, "one") is None, f"bit {bit}"
    file.write_bytes(whole)
    assert code_cache.read(source, "one") == code


def test_code_counts_for_what_it_was_compiled_for_alone(cached, monkeypatch):
    source, _, file = cached
    file.with_name(file.name.replace("one", "two")).write_bytes(file.read_bytes())  # other types, or another function
    assert code_cache.read(source, "two") is None
    assert code_cache.read(Path(code_cache.__file__).with_name("lazy.py"), "one") is None
    monkeypatch.setattr(code_cache, "_fingerprint", lambda source: "another version")
    assert code_cache.read(source, "one") is None
    monkeypatch.undo()
    monkeypatch.setattr(code_cache, "_target_key", lambda: "another processor")
    file.with_name("one-another processor.kernel").write_bytes(file.read_bytes())
    assert code_cache.read(source, "one") is None


@pytest.mark.skipif(os.name != "posix", reason="there are no owners and modes")
@pytest.mark.parametrize("of", ["folder", "file"])
def test_a_cache_that_others_can_write_is_not_used_and_that_is_said_once(cached, of):
    source, code, file = cached
    place = file.parent if of == "folder" else file
    mode = place.stat().st_mode
    place.chmod(mode | 0o002)
    with pytest.warns(UserWarning, match=r"others can write to it: chmod go-w"):
        assert code_cache.read(source, "one") is None
    assert code_cache.read(source, "one") is None  # without another warning, which would be an error
    place.chmod(mode)
    assert code_cache.read(source, "one") == code


@pytest.mark.skipif(os.name != "posix", reason="there are no owners and modes")
@pytest.mark.parametrize(
    ("mode", "user", "group", "expected"),
    [
        (0o644, "ours", "same", True),
        (0o600, "root", "same", True),
        (0o644, "nobody", "same", False),
        (0o646, "ours", "same", False),
        (0o664, "ours", "same", False),  # the sources are not writable for the group
        (0o664, "root", "other", False),
    ],
)
def test_whom_a_cache_may_belong_to(mode, user, group, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(code_cache, "_warned", ["already"])
    source = tmp_path / "source.py"
    source.touch()
    source.chmod(0o644)
    owner = {"ours": os.geteuid(), "root": 0, "nobody": 65534}[user]
    status = os.stat_result((mode, 0, 0, 0, owner, source.stat().st_gid + (group == "other"), 0, 0, 0, 0))
    assert code_cache._is_trusted(source, status, source) is expected
    source.chmod(0o664)  # as where each user has a group
    shared = user != "nobody" and group == "same" and not mode & 0o002
    assert code_cache._is_trusted(source, status, source) is (expected or shared)


def test_a_named_pipe_in_the_cache_is_not_waited_for(cached):
    source, _, file = cached
    file.unlink()
    os.mkfifo(file)
    assert code_cache.read(source, "one") is None


def test_a_full_disk_leaves_nothing_behind(cached, monkeypatch):
    source, code, file = cached
    file.unlink()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ichikara.data.atomic.os.fsync", full)
    with pytest.warns(UserWarning, match="cannot be cached"):
        code_cache.write(source, code)
    assert not list(file.parent.iterdir())


def test_what_a_killed_writer_has_left_is_removed(cached):
    source, code, file = cached
    old, new = (file.with_name(f".{file.name}.{name}.tmp") for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    code_cache.write(source, code)
    assert sorted(file.parent.iterdir()) == [new, file]


def test_a_relative_cache_folder_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, "caches")
    folders = list(code_cache._cache_folders(Path(__file__)))
    assert len(folders) == 2
    assert folders[1].is_relative_to(tmp_path / ".cache")
