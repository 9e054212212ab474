"""Where published data is looked for, the idx parser, MNIST, Tiny Shakespeare, and the character vocabulary."""

import functools
import gzip
import hashlib
import http.server
import os
import struct
import threading
from pathlib import Path

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ichikara.data.download
import ichikara.data.mnist
import ichikara.data.text
from ichikara.data import (
    CharVocabulary,
    RemoteFile,
    cache_folder,
    fetch,
    load_mnist,
    load_tinyshakespeare,
    read_idx,
    text_dataset,
)
from ichikara.errors import UserError

real_data = pytest.mark.skipif(
    not os.environ.get("ICHIKARA_DATA"), reason="needs real data: set ICHIKARA_DATA to its folder"
)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty data folder, an empty cache, and nothing else to be found."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("ICHIKARA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "data"


@pytest.fixture
def server(tmp_path):
    """A mirror on this machine: its folder and its address."""
    folder = tmp_path / "mirror"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield folder, f"http://127.0.0.1:{running.server_port}/"
        finally:
            running.shutdown()
            thread.join()


# fetch


def test_the_named_folder_comes_before_the_cache(data):
    file = RemoteFile("a/b.txt", (), sha256(b"hello"))
    (cache_folder() / "a").mkdir(parents=True)
    (cache_folder() / "a" / "b.txt").write_bytes(b"hello")
    assert fetch(file) == b"hello"
    (data / "a").mkdir()
    (data / "a" / "b.txt").write_bytes(b"other")
    with pytest.raises(UserError, match=r"b.txt is damaged or not the published file: .* Delete it"):
        fetch(file)
    (data / "a" / "b.txt").write_bytes(b"hello")
    assert fetch(file) == b"hello"


def test_the_cache_follows_the_convention(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ichikara"
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == Path.home() / ".cache" / "ichikara"


def test_a_download_is_announced_checked_and_kept(data, server, capsys):
    folder, address = server
    (folder / "b.txt").write_bytes(b"hello")
    file = RemoteFile("a/b.txt", (address + "b.txt",), sha256(b"hello"))
    assert fetch(file) == b"hello"
    kept = cache_folder() / "a" / "b.txt"
    output = capsys.readouterr()
    assert output.err == f"ichikara: downloading {address}b.txt to {kept}\n"
    assert output.out == ""
    (folder / "b.txt").unlink()
    assert fetch(file) == b"hello"
    assert capsys.readouterr().err == ""
    assert [path.name for path in kept.parent.iterdir()] == ["b.txt"]


def test_the_next_mirror_is_tried_after_one_that_fails(data, server):
    folder, address = server
    (folder / "changed.txt").write_bytes(b"a login page")
    (folder / "good.txt").write_bytes(b"hello")
    mirrors = tuple(address + name for name in ("missing.txt", "changed.txt", "good.txt"))
    assert fetch(RemoteFile("b.txt", mirrors, sha256(b"hello"))) == b"hello"


def test_without_a_mirror_one_error_says_what_to_do(data, server):
    folder, address = server
    (folder / "changed.txt").write_bytes(b"a login page")
    mirrors = (address + "missing.txt", address + "changed.txt", "http://127.0.0.1:9/b.txt", (folder / "no").as_uri())
    with pytest.raises(UserError) as caught:
        fetch(RemoteFile("a/b.txt", mirrors, sha256(b"hello")))
    message = str(caught.value)
    for words in ("404", "its content has SHA-256", "refused", "No such file", "set ICHIKARA_DATA", "a/b.txt"):
        assert words in message, message
    assert "\n" not in message
    assert not (cache_folder() / "a" / "b.txt").exists()


def test_a_download_without_end_is_given_up(data, server, monkeypatch):
    folder, address = server
    (folder / "b.txt").write_bytes(bytes(2000))
    monkeypatch.setattr(ichikara.data.download, "LARGEST", 1000)
    with pytest.raises(UserError, match="longer than 1,000 bytes"):
        fetch(RemoteFile("b.txt", (address + "b.txt",), sha256(bytes(2000))))


def test_a_cache_that_cannot_be_written_is_named(data, server, tmp_path):
    folder, address = server
    (folder / "b.txt").write_bytes(b"hello")
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"XDG_CACHE_HOME|cannot read"):
        fetch(RemoteFile("b.txt", (address + "b.txt",), sha256(b"hello")))


def test_a_data_folder_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("ICHIKARA_DATA", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"ICHIKARA_DATA names .*none, which is not a folder"):
        fetch(RemoteFile("b.txt", (), ""))


def test_a_checksum_is_of_the_content_however_it_is_packed(data):
    content = bytes(range(256)) * 40
    file = RemoteFile("b.gz", (), sha256(content))
    for level in (1, 9):
        (data / "b.gz").write_bytes(gzip.compress(content, level))
        assert fetch(file) == content
    packed = gzip.compress(content)
    for length in (0, 5, len(packed) // 2, len(packed) - 1):
        (data / "b.gz").write_bytes(packed[:length])
        with pytest.raises(UserError, match=r"b.gz is damaged"):
            fetch(file)


# idx


def idx(array, kind=0x08):
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize(("kind", "dtype"), ichikara.data.mnist.IDX_TYPES.items())
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_of_each_type_are_read(tmp_path, kind, dtype, pack):
    array = numpy.arange(24).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "a.idx").write_bytes(pack(idx(array, kind)))
    read = read_idx(tmp_path / "a.idx")
    numpy.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype.newbyteorder("=")
    read += 1  # its own memory


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_idx_files_of_any_shape_are_read(tmp_path, shape):
    array = numpy.arange(numpy.prod(shape), dtype="u1").reshape(shape)
    (tmp_path / "a.idx").write_bytes(idx(array))
    numpy.testing.assert_array_equal(read_idx(tmp_path / "a.idx"), array)


def test_an_idx_file_cut_anywhere_is_a_clear_error(tmp_path):
    whole = idx(numpy.ones((2, 2), "u1"))
    for content in [
        *(whole[:length] for length in range(len(whole))),
        whole + b"\0",
        b"\x89PNG",
        gzip.compress(whole)[:-4],
    ]:
        (tmp_path / "a.idx").write_bytes(content)
        with pytest.raises(UserError, match=r"a\.idx"):
            read_idx(tmp_path / "a.idx")
    with pytest.raises(UserError, match="No such file"):
        read_idx(tmp_path / "none.idx")


# MNIST


@pytest.fixture
def small_mnist(monkeypatch):
    """MNIST with three and two images: its files by name, and their checksums in place of the published ones."""
    random, files = numpy.random.default_rng(0), {}
    for prefix, count in (("train", 3), ("t10k", 2)):
        files[f"{prefix}-images-idx3-ubyte.gz"] = idx(random.integers(0, 256, (count, 28, 28), dtype="u1"))
        files[f"{prefix}-labels-idx1-ubyte.gz"] = idx(random.integers(0, 10, count, dtype="u1"))
    monkeypatch.setattr(ichikara.data.mnist, "CHECKSUMS", {name: sha256(content) for name, content in files.items()})
    return files


def test_mnist_is_scaled_and_shaped(data, small_mnist):
    (data / "mnist").mkdir()
    for name, content in small_mnist.items():
        (data / "mnist" / name).write_bytes(gzip.compress(content))
    train, test = load_mnist()
    assert (train.inputs.shape, test.inputs.shape) == ((3, 1, 28, 28), (2, 1, 28, 28))
    pixels = numpy.frombuffer(small_mnist["train-images-idx3-ubyte.gz"][16:], "u1")
    numpy.testing.assert_array_equal(train.inputs.ravel(), (pixels / numpy.float32(255)).astype("float32"))
    assert train.targets.tolist() == list(small_mnist["train-labels-idx1-ubyte.gz"][8:])
    assert (train.part, test.part, train.classes) == ("train", "test", tuple("0123456789"))
    flat = load_mnist(as_images=False)
    numpy.testing.assert_array_equal(flat.train.inputs, train.inputs.reshape(3, 784))


def test_mnist_is_downloaded_where_it_is_not_at_hand(data, small_mnist, server, monkeypatch, capsys):
    folder, address = server
    for name, content in small_mnist.items():
        (folder / name).write_bytes(gzip.compress(content))
    monkeypatch.setattr(ichikara.data.mnist, "MIRRORS", (address + "missing/", address))
    assert [len(part) for part in load_mnist()] == [3, 2]
    assert capsys.readouterr().err.count("downloading") == 8
    monkeypatch.setattr(ichikara.data.mnist, "MIRRORS", ())
    assert [len(part) for part in load_mnist()] == [3, 2]


def test_mnist_of_other_images_is_refused(data, small_mnist):
    (data / "mnist").mkdir()
    content = small_mnist["train-images-idx3-ubyte.gz"]
    (data / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content[:-1] + b"?"))
    with pytest.raises(UserError, match="not the published file"):
        load_mnist()


@real_data
def test_the_real_mnist():
    train, test = load_mnist()
    assert (train.inputs.shape, test.inputs.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert train.inputs.mean(dtype="float64") == pytest.approx(0.1307, abs=1e-4)  # the numbers everyone normalises by
    assert train.inputs.std(dtype="float64") == pytest.approx(0.3081, abs=1e-4)
    assert (train.inputs.min(), train.inputs.max()) == (0, 1)
    assert train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert numpy.bincount(test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# Text


@given(st.text(min_size=1))
def test_a_text_comes_back_from_its_numbers(text):
    vocabulary = CharVocabulary(text)
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert ids.dtype == "int64"
    assert [vocabulary.characters[i] for i in ids] == list(text)
    assert set(ids.tolist()) == set(range(len(vocabulary)))
    assert CharVocabulary(vocabulary.characters).characters == vocabulary.characters


def test_what_the_vocabulary_does_not_have_is_named():
    vocabulary = CharVocabulary("hello")
    with pytest.raises(
        UserError, match=r"the character 'é' at position 1 is not in the vocabulary; .*4 characters are 'ehlo'"
    ):
        vocabulary.encode("héllo")
    with pytest.raises(UserError, match="'a' at position 0"):
        vocabulary.encode("a")
    for ids in ([4], [0, -1]):
        with pytest.raises(UserError, match=r"names no character: .* from 0 to 3"):
            vocabulary.decode(ids)
    for ids in ([0.5], [[1]]):
        with pytest.raises(UserError, match="a sequence of whole numbers"):
            vocabulary.decode(ids)
    assert vocabulary.decode([]) == ""
    assert len(vocabulary.encode("")) == 0
    with pytest.raises(UserError, match="the text is empty"):
        CharVocabulary("")
    with pytest.raises(UserError, match="single characters, not 'ab'"):
        CharVocabulary(["ab"])


def test_a_text_becomes_pairs_of_neighbours():
    data = text_dataset("banana", part="train")
    assert CharVocabulary(data.classes).decode(data.inputs) == "banan"
    assert CharVocabulary(data.classes).decode(data.targets) == "anana"
    assert (data.task, data.part) == ("text", "train")
    with pytest.raises(UserError, match="at least two"):
        text_dataset("b")
    with pytest.raises(UserError, match="'c' at position 2"):
        text_dataset("abc", vocabulary=CharVocabulary("ab"))


def test_tinyshakespeare_is_cut_by_position(data, monkeypatch):
    text = "To be, or not to be: that is the question."
    (data / "tinyshakespeare.txt").write_text(text)
    monkeypatch.setattr(
        ichikara.data.text, "TINYSHAKESPEARE", RemoteFile("tinyshakespeare.txt", (), sha256(text.encode()))
    )
    train, validation = load_tinyshakespeare(validation=0.25)
    vocabulary = CharVocabulary(train.classes)
    assert train.classes == validation.classes == CharVocabulary(text).characters
    whole = lambda part: vocabulary.decode([*part.inputs, part.targets[-1]])
    assert whole(train) + whole(validation) == text
    assert len(whole(train)) == int(len(text) * 0.75)
    assert (train.part, validation.part) == ("train", "validation")


@real_data
def test_the_real_tinyshakespeare():
    train, validation = load_tinyshakespeare()
    assert (len(train) + 1, len(validation) + 1) == (1_003_854, 111_540)  # nanoGPT's numbers
    assert len(train.classes) == 65
    assert CharVocabulary(train.classes).decode(train.inputs[:14]) == "First Citizen:"
