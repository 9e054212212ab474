"""Loaders: every example once, orders that depend on the seed alone, and windows of text."""

import json

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ichikara.arrays import Generator, default_generator, seed
from ichikara.data import DataLoader, Dataset, TextLoader, load_xor, text_dataset
from ichikara.errors import UserError


def numbered(n):
    """A set whose inputs are the row numbers, and whose targets are twice these."""
    return Dataset(numpy.arange(n)[:, None], 2 * numpy.arange(n)[:, None])


def epoch(loader):
    return numpy.concatenate([inputs for inputs, _ in loader])[:, 0].astype(int).tolist()


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 50), st.booleans(), st.booleans(), st.integers(0, 1000))
def test_an_epoch_holds_each_example_once(n, batch_size, shuffle, drop_last, number):
    if drop_last and batch_size > n:
        return
    loader = DataLoader(numbered(n), batch_size, shuffle, drop_last, Generator(number))
    batches = list(loader)
    assert len(batches) == len(loader)
    for inputs, targets in batches:
        numpy.testing.assert_array_equal(targets, 2 * inputs)
        assert inputs.flags.c_contiguous
        assert inputs.flags.writeable
    sizes = [len(inputs) for inputs, _ in batches]
    whole, left = divmod(n, batch_size)
    assert sizes == [batch_size] * whole + [left] * (left > 0 and not drop_last)
    order = epoch(loader)
    assert len(set(order)) == len(order) == sum(sizes)
    if not drop_last:
        assert sorted(order) == list(range(n))
    if not shuffle:
        assert order == list(range(len(order)))


def test_each_epoch_has_a_new_order_and_a_seed_has_the_same_ones():
    first, same, other = (DataLoader(numbered(50), 7, shuffle=True, generator=Generator(i)) for i in (1, 1, 2))
    orders = [epoch(first) for _ in range(3)]
    assert orders == [epoch(same) for _ in range(3)]
    assert len({tuple(order) for order in [*orders, epoch(other)]}) == 4


def test_without_a_generator_ichikaras_seed_decides_and_only_where_there_is_chance():
    seed(3)
    first = epoch(DataLoader(numbered(50), 7, shuffle=True))
    seed(3)
    assert epoch(DataLoader(numbered(50), 7, shuffle=True)) == first
    before = default_generator().state
    DataLoader(numbered(50), 7)
    TextLoader(text_dataset("abc"), context=1, shuffle=False)
    assert default_generator().state == before


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_the_state_takes_up_the_orders_where_they_were_left(epochs):
    noise = lambda inputs, generator: inputs + generator.normal(inputs.shape)
    make = lambda number: DataLoader(numbered(20), 6, shuffle=True, generator=Generator(number), transform=noise)
    run, resumed = make(1), make(99)
    for _ in range(epochs):
        list(run)
    resumed.state = json.loads(json.dumps(run.state))
    for _ in range(2):
        for (inputs, targets), (inputs2, targets2) in zip(run, resumed, strict=True):
            assert inputs.tobytes() == inputs2.tobytes()
            assert targets.tobytes() == targets2.tobytes()
    assert run.state == resumed.state


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_batch_may_be_changed_without_harm(shuffle):
    data = load_xor()
    before = data.checksum
    for inputs, targets in DataLoader(data, 2, shuffle):
        inputs += 5
        targets += 5
    assert data.checksum == before


def test_the_transform_sees_the_inputs_of_each_batch_and_a_generator():
    seen = []

    def flip(inputs, generator):
        seen.append((inputs.shape, type(generator)))
        return inputs[:, ::-1]

    loader = DataLoader(load_xor(), 3, transform=flip)
    inputs, targets = next(iter(loader))
    assert inputs.tolist() == [[0, 0], [1, 0], [0, 1]]
    assert inputs.flags.c_contiguous
    assert targets.tolist() == [0, 1, 1]
    assert seen == [((3, 2), Generator)]


def test_what_a_transform_draws_has_no_say_in_the_orders():
    def draw(inputs, generator):
        generator.normal((1000,))
        return inputs

    plain, drawing = (
        DataLoader(load_xor(), 3, shuffle=True, generator=Generator(0), transform=t) for t in (None, draw)
    )
    for _ in range(3):
        for one, other in zip(plain, drawing, strict=True):
            assert one[0].tolist() == other[0].tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size is a whole number of at least 1, not 0"),
        ({"batch_size": 2.5}, "batch_size is a whole number"),
        ({"batch_size": True}, "batch_size is a whole number"),
        ({"shuffle": 1}, "shuffle is true or false"),
        ({"batch_size": 5, "drop_last": True}, "leaves no batch of the 4 examples of xor"),
        ({"generator": 0}, "generator is a Generator"),
        ({"dataset": ([1], [2])}, "takes a Dataset, not tuple"),
        ({"dataset": load_xor()[:0]}, "xor holds no examples"),
    ],
)
def test_each_misuse_is_answered(options, words):
    with pytest.raises(UserError, match=words):
        DataLoader(**{"dataset": load_xor(), **options})


# Text


TEXT = "".join(chr(ord("a") + i % 26) + chr(ord("A") + i // 26) for i in range(200))


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 8), st.integers(0, 1000))
def test_windows_are_pieces_of_the_text_and_targets_follow(context, batch_size, number):
    data = text_dataset(TEXT)
    loader = TextLoader(data, batch_size, context, batches=5, generator=Generator(number))
    batches = list(loader)
    assert len(batches) == len(loader) == 5
    for inputs, targets in batches:
        assert inputs.shape == targets.shape == (batch_size, context)
        assert inputs.dtype == targets.dtype == "int64"
        for row, following in zip(inputs, targets, strict=True):
            window = "".join(data.classes[i] for i in [*row, following[-1]])
            assert window in TEXT
            numpy.testing.assert_array_equal(row[1:], following[:-1])


def test_every_window_can_be_drawn_the_last_included():
    data = text_dataset("abcdef")
    loader = TextLoader(data, 64, context=3, batches=4, generator=Generator(0))
    starts = numpy.concatenate([inputs[:, 0] for inputs, _ in loader])
    assert set(starts.tolist()) == {0, 1, 2}  # abc→d, bcd→e, cde→f


def test_end_to_end_windows_read_the_text_once():
    data = text_dataset(TEXT)
    loader = TextLoader(data, batch_size=4, context=7, shuffle=False)
    batches = list(loader)
    assert [len(inputs) for inputs, _ in batches] == [4] * 14 + [1]
    read = numpy.concatenate([inputs.ravel() for inputs, _ in batches])
    numpy.testing.assert_array_equal(read, data.inputs[: len(read)])
    assert len(data) - len(read) < 7


def test_text_batches_depend_on_the_seed_and_can_be_taken_up():
    make = lambda number: TextLoader(text_dataset(TEXT), 4, 8, generator=Generator(number))
    first, same, other = make(1), make(1), make(2)
    total = lambda loader: numpy.concatenate([inputs for inputs, _ in loader]).tolist()
    once = total(first)
    assert once == total(same) != total(other)
    other.state = first.state
    assert total(first) == total(other) != once


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"context": 4}, r"has 4 characters; a context of 4 needs at least 5"),
        ({"context": 0}, "context is a whole number of at least 1"),
        ({"context": 2, "batches": 0}, "batches is a whole number of at least 1"),
        ({"context": 2, "batches": 9, "shuffle": False}, "has 1 batches of windows"),
        ({"dataset": load_xor(), "context": 1}, "xor is a classification set; use a DataLoader"),
    ],
)
def test_each_misuse_of_text_is_answered(options, words):
    with pytest.raises(UserError, match=words):
        TextLoader(**{"dataset": text_dataset("abcd"), **options})


def test_a_context_of_the_whole_text_fits():
    ((inputs, targets),) = TextLoader(text_dataset("abcd"), context=3)
    assert (inputs.tolist(), targets.tolist()) == ([[0, 1, 2]], [[1, 2, 3]])
