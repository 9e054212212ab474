"""The vault: opened once, remembered for ever, whoever asks and whatever breaks."""

import errno
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

import ichikara.data.atomic
import ichikara.data.vault
from ichikara.data import TestVault, load_moons, load_xor
from ichikara.errors import UserError, VaultOpenedError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vault.json"


@pytest.fixture(params=["memory", "file"])
def vault(request, path):
    return TestVault(load_xor(), path if request.param == "file" else None)


def test_the_first_opening_gives_the_data_and_is_recorded(vault):
    assert vault.openings == []
    assert vault.open(by="evaluate").checksum == load_xor().checksum
    (opening,) = vault.openings
    assert (opening.by, opening.again) == ("evaluate", False)
    when = datetime.fromisoformat(opening.when)
    assert when.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)


def test_a_second_opening_is_refused_and_says_when_and_by_what(vault):
    vault.open(by="evaluate")
    when = vault.openings[0].when
    with pytest.raises(VaultOpenedError, match=f"by evaluate at {when.replace('+', '[+]')}.*again=True"):
        vault.open(by="someone else")
    assert len(vault.openings) == 1
    assert VaultOpenedError.exit_code == 3


def test_a_second_opening_by_name_is_granted_and_counted(vault):
    vault.open(by="one")
    vault.open(by="two", again=True)
    vault.open(by="three", again=True)
    assert [(opening.by, opening.again) for opening in vault.openings] == [
        ("one", False),
        ("two", True),
        ("three", True),
    ]
    with pytest.raises(VaultOpenedError, match=r"by one .*2 more since"):
        vault.open(by="four")


def test_nothing_of_the_data_shows_outside(vault):
    assert repr(vault) == "TestVault(4 examples, opened 0 times)"
    vault.open(by="evaluate")
    assert repr(vault) == "TestVault(4 examples, opened 1 time)"
    assert [name for name in vars(TestVault) if not name.startswith("_")] == ["open", "openings"]
    assert all(name.startswith("_") for name in vars(vault))


@pytest.mark.parametrize("by", ["", "  ", None, 3])
def test_who_opens_has_to_be_said(vault, by):
    with pytest.raises(UserError, match="by names what opens the vault"):
        vault.open(by=by)
    assert vault.openings == []


def test_again_is_true_or_false(vault):
    with pytest.raises(UserError, match="again is true or false"):
        vault.open(by="evaluate", again="no")


def test_a_vault_holds_a_dataset():
    with pytest.raises(UserError, match="holds a Dataset, not list"):
        TestVault([1, 2])


# The record in a file


def test_the_record_outlives_the_vault(path):
    TestVault(load_xor(), path).open(by="テスト")
    vault = TestVault(load_xor(), str(path))
    assert [opening.by for opening in vault.openings] == ["テスト"]
    with pytest.raises(VaultOpenedError, match="by テスト"):
        vault.open(by="again")
    record = json.loads(path.read_text("utf-8"))
    assert record["data"] == {"name": "xor", "examples": 4, "checksum": load_xor().checksum}


def test_two_vaults_of_one_record_know_of_each_other(path):
    one, two = TestVault(load_xor(), path), TestVault(load_xor(), path)
    one.open(by="one")
    with pytest.raises(VaultOpenedError, match="by one"):
        two.open(by="two")
    assert two.openings == one.openings


@pytest.mark.parametrize("opened", [False, True])
def test_another_test_set_under_the_same_record_is_refused(path, opened):
    vault = TestVault(load_xor(), path)
    if opened:
        vault.open(by="evaluate")
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"record of another test set \(xor.*this is moons"):
        TestVault(load_moons(), path)
    assert path.read_bytes() == before


DAMAGES = [
    b"",
    b"{",
    b"[]",
    b"3",
    b"\xff\xfe",
    b'{"format": "something else", "openings": [], "data": {}}',
    b'{"format": "ichikara vault 1", "openings": []}',
    b'{"format": "ichikara vault 1", "openings": 3, "data": {"name": "xor", "checksum": "0"}}',
    b'{"format": "ichikara vault 1", "openings": [{"by": 1}], "data": {"name": "xor", "checksum": "0"}}',
    b'{"format": "ichikara vault 1", "openings": [{"by": 1, "when": "", "again": false}], "data": {}}',
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_reported_and_never_overwritten(path, damage):
    vault = TestVault(load_xor(), path)
    path.write_bytes(damage)
    for attempt in (lambda: TestVault(load_xor(), path), lambda: vault.open(by="evaluate", again=True)):
        with pytest.raises(UserError, match="is damaged") as caught:
            attempt()
        assert not isinstance(caught.value, VaultOpenedError)
        assert path.read_bytes() == damage


def test_a_record_cut_anywhere_does_not_open_the_vault(path):
    vault = TestVault(load_xor(), path)
    vault.open(by="evaluate")
    whole = path.read_bytes()
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged"):
            vault.open(by="evaluate", again=True)


def test_a_record_that_vanished_does_not_open_the_vault(path):
    vault = TestVault(load_xor(), path)
    path.unlink()
    with pytest.raises(UserError, match="cannot read the record"):
        vault.open(by="evaluate")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot keep a record"):
        TestVault(load_xor(), tmp_path / "none" / "vault.json")


def test_a_full_disk_keeps_the_vault_shut_and_the_record_whole(path, monkeypatch):
    vault = TestVault(load_xor(), path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ichikara.data.atomic.os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device; the vault stays closed"):
        vault.open(by="evaluate")
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert vault.openings == []
    assert [file.name for file in path.parent.iterdir() if file.suffix == ".tmp"] == []
    vault.open(by="evaluate")


@pytest.mark.parametrize("shared", [True, False])
def test_of_many_threads_one_wins(path, shared):
    vaults = [TestVault(load_xor(), path)] * 8 if shared else [TestVault(load_xor(), path) for _ in range(8)]
    barrier, won, lost = threading.Barrier(8), [], []

    def enter(i):
        barrier.wait()
        try:
            vaults[i].open(by=f"thread {i}")
            won.append(f"thread {i}")
        except VaultOpenedError:
            lost.append(i)

    threads = [threading.Thread(target=enter, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert [opening.by for opening in vaults[0].openings] == won


def test_of_two_processes_one_wins(path):
    code = """
import sys
from ichikara.data import TestVault, load_xor
from ichikara.errors import VaultOpenedError
print("ready", flush=True)
sys.stdin.readline()
try:
    TestVault(load_xor(), sys.argv[1]).open(by="process " + sys.argv[2])
    print("won")
except VaultOpenedError:
    print("lost")
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(i)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for i in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert sorted(results) == ["lost", "lost", "lost", "won"]
    winner = results.index("won")
    assert [opening.by for opening in TestVault(load_xor(), path).openings] == [f"process {winner}"]
