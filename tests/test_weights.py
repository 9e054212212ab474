"""Files of weights, read as what they are; and copies of tensors: what goes with them and what does not."""

import copy
import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ichikara
from ichikara import asarray, nn
from ichikara.errors import UserError
from ichikara.train import load_arrays, save_arrays
from ichikara.train.weights import read_safetensors

# --- copies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"]
)
@pytest.mark.parametrize("make", [lambda a: asarray(a, requires_grad=True), nn.Parameter], ids=["tensor", "parameter"])
def test_a_copy_has_the_numbers_and_not_the_gradient(duplicate, make):
    x = make([1.0, 2.0])
    (x * x).sum().backward()
    twin = duplicate(x)
    assert type(twin) is type(x)
    assert (twin.tolist(), twin.requires_grad, twin.grad) == ([1.0, 2.0], True, None)
    (twin * 3).sum().backward()
    assert (x.grad.tolist(), twin.grad.tolist()) == ([2.0, 4.0], [3.0, 3.0])
    both = duplicate([x, x])
    assert both[0] is both[1]
    assert not duplicate(x.detach()).requires_grad


class Named(nn.Parameter):
    """A parameter that knows its name."""


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"]
)
def test_a_copy_has_what_its_class_adds(duplicate):
    x = Named([1.0])
    x.name = ["weight"]
    twin = duplicate(x)
    assert twin.name == ["weight"]
    assert twin.name is not x.name


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickle.dumps])
def test_a_graph_is_not_copied(duplicate):
    x = asarray([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"an operation made this tensor.*detach\(\)"):
        duplicate({"loss": (x * x).sum()})
    duplicate({"loss": (x * x).sum().detach()})


def test_a_module_is_pickled_and_copied_alike():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model(numpy.ones((4, 2), "float32")).sum().backward()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert all(p.grad is None and p.requires_grad for p in twin.parameters())
        for (name, mine), (_, other) in zip(model.state_dict().items(), twin.state_dict().items(), strict=True):
            numpy.testing.assert_array_equal(mine.numpy(), other.numpy(), err_msg=name)


# --- numbers of types that NumPy lacks --------------------------------------------------------------------------------


def file_of(header, body=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def read(tmp_path, content, name="w.safetensors"):
    path = tmp_path / name
    path.write_bytes(content)
    return load_arrays(path)


@pytest.mark.parametrize(
    ("kind", "bits", "theirs"),
    [("BF16", 16, "bfloat16"), ("F8_E4M3", 8, "float8_e4m3fn"), ("F8_E5M2", 8, "float8_e5m2")],
)
def test_every_number_of_a_short_type_is_read_exactly(tmp_path, torch, kind, bits, theirs):
    every = numpy.arange(2**bits, dtype=f"<u{bits // 8}")
    arrays, _ = read(tmp_path, file_of({"w": entry(kind, [4, every.size // 4], 0, every.nbytes)}, every.tobytes()))
    expected = torch.from_numpy(every.view(f"i{bits // 8}")).view(getattr(torch, theirs)).to(torch.float32).numpy()
    assert arrays["w"].dtype == "float32"
    numpy.testing.assert_array_equal(arrays["w"].reshape(-1), expected)
    numpy.testing.assert_array_equal(numpy.signbit(arrays["w"].reshape(-1)), numpy.signbit(expected))


@pytest.mark.parametrize("dtype", ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_what_was_saved_is_loaded(tmp_path, dtype, shape):
    x, y = numpy.ones(shape, dtype), numpy.arange(5.0)
    save_arrays(tmp_path / "w", {"x": x, "half": y.astype("float16"), "y": y, "f": y.astype("float32")}, {"a": [1]})
    arrays, about = load_arrays(tmp_path / "w")
    assert about == {"a": [1]}
    for name, expected in {"x": x, "half": y.astype("float16"), "y": y, "f": y.astype("float32")}.items():
        assert arrays[name].dtype == expected.dtype
        numpy.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].flags.writeable


def test_a_header_is_read_alone(tmp_path):
    save_arrays(tmp_path / "w", {"x": numpy.ones(3)}, {"a": 1})
    arrays, metadata = read_safetensors(tmp_path / "w", with_arrays=False)
    assert (arrays, json.loads(metadata["ichikara"])) == ({}, {"a": 1})


def test_weights_of_pytorch_go_into_a_module(tmp_path, torch):
    safetensors = pytest.importorskip("safetensors.torch")
    theirs = torch.nn.Linear(3, 2).to(torch.bfloat16)
    safetensors.save_file(theirs.state_dict(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    arrays, about = load_arrays(tmp_path / "model.safetensors")
    model = nn.Linear(3, 2)
    model.load_state_dict(arrays)
    assert about == {}
    numpy.testing.assert_array_equal(model.weight.numpy(), theirs.weight.detach().float().numpy())


def test_numbers_that_are_not_read_are_refused_by_name(tmp_path):
    for kind in ("C64", "F4", "F8_E8M0", "F6_E2M3"):
        with pytest.raises(UserError, match=f"holds 'w' as {kind}.*convert it first"):
            read(tmp_path, file_of({"w": entry(kind, [8], 0, 8)}, bytes(8)))


# --- files of other kinds ---------------------------------------------------------------------------------------------


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        for name in names:
            parts.writestr(name, b"...")
    return file.getvalue()


def npz():
    file = io.BytesIO()
    numpy.savez(file, w=numpy.ones(2))
    return file.getvalue()


INDEX = {"metadata": {}, "weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive("archive/data.pkl", "archive/data/0"), r"is a pickle.*weights_only=True"),
        (pickle.dumps({"a": 1}, protocol=2), r"is a pickle.*weights_only=True"),
        (pickle.dumps({"a": 1}), r"is a pickle"),
        (npz(), r"is an \.npz file.*numpy\.load.*load_state_dict"),
        (json.dumps(INDEX).encode(), r"index of weights that lie in 2 files; load each.*model-1-of-2.safetensors"),
        (b'{"lr": 1}', r"a text in JSON, and no file of weights"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), r"is a file of Keras's"),
        (archive("model.weights.h5", "config.json"), r"is a file of Keras's"),
        (b"\x93NUMPY" + bytes(99), r"one array of NumPy's"),
        (b"GGUF" + bytes(99), r"is a GGUF file"),
        (file_of({"__metadata__": {"ichikara": "by hand"}}), r"a whole safetensors file, but its metadata 'ichikara'"),
        (file_of({"__metadata__": {"ichikara": "[1]"}}), r"a whole safetensors file, but its metadata 'ichikara'"),
    ],
)
def test_a_file_is_named_as_what_it_is(tmp_path, content, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, content)
    assert "damaged" not in str(caught.value)


def test_pytorch_s_own_files_are_named(tmp_path, torch):
    for new in (True, False):
        torch.save({"w": torch.ones(2)}, tmp_path / "w.pt", _use_new_zipfile_serialization=new)
        with pytest.raises(UserError, match=r"w\.pt is a pickle"):
            load_arrays(tmp_path / "w.pt")


def test_what_is_no_file_is_said_to_be_none(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UserError, match="there is no file"):
            load_arrays(path)


# --- headers that lie -------------------------------------------------------------------------------------------------

WHOLE = file_of({"a": entry("F32", [2], 0, 8), "b": entry("U8", [3], 8, 11)}, bytes(range(11)))


@pytest.mark.parametrize("length", [0, 7, 8, 9, 40, len(WHOLE) - 12, len(WHOLE) - 1])
def test_a_file_that_was_cut_short_is_damaged(tmp_path, length):
    assert set(read(tmp_path, WHOLE)[0]) == {"a", "b"}
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path, WHOLE[:length])
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path, WHOLE + bytes(1))


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry("F32", [2], 0, 8), "b": entry("U8", [3], 4, 7)},  # they overlap
        {"a": entry("F32", [2], 0, 8), "b": entry("U8", [2], 9, 11)},  # there is a hole
        {"a": entry("F32", [2], 3, 11), "b": entry("U8", [3], 0, 3), "c": entry("U8", [3], 0, 3)},
        {"a": entry("F32", [2**61], 0, 2**63 - 8)},
        {"a": entry("U8", [2**62, 0, 2**62], 0, 0), "b": entry("U8", [11], 0, 11)},
        {"a": entry("U8", [1] * 65, 0, 1), "b": entry("U8", [10], 1, 11)},
        {"a": entry("U8", [11], 11, 0)},
        {"a": entry("U8", [11.0], 0, 11)},
        {"a": entry("U8", [True], 0, 1), "b": entry("U8", [10], 1, 11)},
        {"a": entry("U8", [-1, -11], 0, 11)},
        {"a": {"dtype": "U8", "shape": [11]}},
        {"a": []},
        [],
        {"__metadata__": 3, "a": entry("U8", [11], 0, 11)},
        {"__metadata__": {"x": 1}, "a": entry("U8", [11], 0, 11)},
        b'{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"a":{"dtype":"U8","shape":[11],"data_offsets":[0,11]}}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"1" * 10_000,
    ],
)
def test_a_header_that_lies_is_damage(tmp_path, header):
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path, file_of(header, bytes(11)))


@pytest.mark.parametrize("size", [2**64 - 1, 2**63, 2**40, 10**8 + 1])
def test_nothing_is_allocated_on_a_header_s_word(tmp_path, size):
    huge = {"a": entry("F64", [size // 8], 0, size // 8 * 8)}
    path = tmp_path / "w.safetensors"
    for content in (file_of(b"{}", size=size), file_of(huge)):
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(UserError, match="damaged"):
            load_arrays(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2_000_000


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["BOOL", "U8", "I64", "F16", "BF16", "F32", "F8_E4M3", "F8_E5M2", "C64", "f32", ""])
LENGTHS = st.integers(-1, 6) | st.sampled_from([2**31, 2**62, 2**63, 2**64, 2**70])
ENTRIES = (
    st.fixed_dictionaries(
        {
            "dtype": KINDS | ANYTHING,
            "shape": st.lists(LENGTHS, max_size=4) | ANYTHING,
            "data_offsets": st.lists(LENGTHS, min_size=2, max_size=2) | ANYTHING,
        }
    )
    | ANYTHING
)
HEADERS = (
    st.dictionaries(st.text(max_size=4), ENTRIES, max_size=3)
    | st.fixed_dictionaries({"__metadata__": st.dictionaries(st.text(max_size=4), ANYTHING) | ANYTHING, "a": ENTRIES})
    | st.fixed_dictionaries({"__metadata__": st.fixed_dictionaries({"ichikara": ANYTHING | st.text()})})
    | ANYTHING
)


def loaded_or_said(path):
    """What is in a file; the error's words where it is refused. No other error comes out."""
    try:
        return load_arrays(path)
    except UserError as error:
        return str(error)


@settings(max_examples=60)
@given(HEADERS, st.binary(max_size=12), st.none() | st.integers(0, 2**64 - 1))
@example({"a": entry("U8", [0, 2**62, 2**62], 0, 0)}, b"", None)
def test_a_header_of_any_kind_is_read_or_refused(tmp_path_factory, header, body, size):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(file_of(header, body, size))
    found = loaded_or_said(path)
    if isinstance(found, str):
        assert str(path) in found
        return
    arrays, about = found
    assert isinstance(about, dict)
    named = {name for name in header if name != "__metadata__"}
    assert set(arrays) == named
    for name, array in arrays.items():
        assert list(array.shape) == header[name]["shape"]


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.safetensors"
    path.write_bytes(content)
    found = loaded_or_said(path)
    assert not isinstance(found, str) or str(path) in found


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_file_of_which_some_bytes_changed_is_read_or_refused(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "changed.safetensors"
    content = bytearray(WHOLE)
    for place, byte in changes:
        content[place] = byte
    path.write_bytes(content)
    found = loaded_or_said(path)
    assert not isinstance(found, str) or str(path) in found


def test_a_saved_state_survives_the_whole_way(tmp_path):
    model = nn.Linear(2, 2)
    save_arrays(tmp_path / "w", model.state_dict())
    other = nn.Linear(2, 2)
    other.load_state_dict(load_arrays(tmp_path / "w")[0])
    x = ichikara.asarray([[1.0, 2.0]])
    assert other(x).tolist() == model(x).tolist()
