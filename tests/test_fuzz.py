"""Spoilt files of every kind: a reader raises a `UserError` or reads them, and takes no memory on a header's word."""

import tracemalloc

import pytest
from fuzz import EDITS, READERS, attempt, spoilt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MEMORY = 64 * 2**20  # bytes; the files have a thousand at most


@pytest.mark.parametrize("name", READERS)
def test_a_valid_file_is_read(name, tmp_path):
    reader = READERS[name]
    for content in reader.examples:
        path = (tmp_path / "valid").with_suffix(reader.suffix)
        path.write_bytes(reader.wrap(content))
        reader.read(path)


@pytest.mark.parametrize("name", READERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.data())
def test_a_spoilt_file_is_refused_in_words(name, tmp_path, data):
    reader = READERS[name]
    put = st.sampled_from(reader.words) | st.binary(max_size=8) if reader.words else st.binary(max_size=8)
    edit = st.tuples(st.sampled_from(EDITS), st.integers(0, 2**16), st.integers(0, 32), put)
    content = spoilt(data.draw(st.sampled_from(reader.examples)), data.draw(st.lists(edit, max_size=5)))
    tracemalloc.start()
    try:
        attempt(reader, reader.wrap(content), tmp_path / "spoilt")
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
