# SPDX-License-Identifier: Apache-2.0
"""Connections, lists, files and errors."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import random
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import isthmus
import pytest
from conftest import COMPANY, MARKS, SCHOOL, Shared
from isthmus.filesystem import IsthmusFileSystem
from node import Node, free_port

#: The length of a chunk's content.
CHUNK = 1022 * 1024


def test_a_record_is_read_as_it_was_stored(shared: Shared, client: isthmus.Client) -> None:
    with client.open(shared.owner, 0, "marks.csv") as file:
        assert file.read() == MARKS
        assert (file.name, file.size) == ("marks.csv", len(MARKS))
    with client.open(shared.owner, None, "large.bin") as file:
        assert file.read() == shared.large
        assert file.read(1) == b""


def test_only_the_chunks_that_are_read_are_fetched(shared: Shared, client: isthmus.Client) -> None:
    with client.open(shared.owner, 0, "large.bin") as file:
        assert file.fetched == 0
        file.seek(2 * CHUNK + 5)
        assert file.read(10) == shared.large[2 * CHUNK + 5 :][:10]
        assert file.fetched == CHUNK
        # Again, and over the border to the next one.
        file.seek(3 * CHUNK - 10)
        assert file.read(20) == shared.large[3 * CHUNK - 10 :][:20]
        assert file.fetched == 2 * CHUNK
        # The last chunk is shorter.
        file.seek(-3, os.SEEK_END)
        assert file.read() == shared.large[-3:]
        assert file.fetched == 2 * CHUNK + len(shared.large) % CHUNK


def test_a_file_behaves_as_one_of_the_disk(shared: Shared, client: isthmus.Client) -> None:
    chance, disk = random.Random(7), io.BytesIO(shared.large)
    with client.open(shared.owner, 0, "large.bin") as file:
        for _ in range(200):
            whence = chance.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
            offset = chance.randint(-2_000_000, len(shared.large))
            try:
                place = disk.seek(offset, whence)
            except ValueError:
                continue
            # A place of `BytesIO` before the start is an error for SEEK_SET alone.
            disk.seek(place)
            assert file.seek(place) == place
            length = chance.choice([0, 1, 100, CHUNK, 2_500_000])
            assert file.read(length) == disk.read(length), (place, length)
            assert file.tell() == disk.tell()
        with pytest.raises((ValueError, OSError)):
            file.seek(-1)
    with io.TextIOWrapper(client.open(shared.owner, 0, "marks.csv")) as text:
        assert [line.strip() for line in text] == ["name,mark", "Ada,97", "Grace,95"]


def test_a_client_is_closed_at_the_end_of_its_block(shared: Shared) -> None:
    with isthmus.connect(shared.node.url, key=COMPANY) as client:
        file = client.open(shared.owner, 0, "marks.csv")
        assert client.account is not None
    client.close()
    with pytest.raises(ValueError, match="the client is closed"):
        client.records(shared.owner)
    assert "closed" in repr(client)
    # What was opened can be read on, and a copy of the client is open.
    assert file.read() == MARKS
    assert pickle.loads(pickle.dumps(client)).datasets(shared.owner)


@pytest.mark.parametrize("timeout", [0, -1, 0.5, 86_401])
def test_a_timeout_has_whole_seconds(timeout: float) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        isthmus.connect("ws://127.0.0.1:1", timeout=timeout)  # type: ignore[arg-type]


def test_the_package_has_a_version() -> None:
    assert isthmus.__version__.count(".") >= 2


def test_lists_show_what_is_public(shared: Shared, client: isthmus.Client) -> None:
    [marks] = [dataset for dataset in client.datasets(shared.owner) if dataset.name == "marks"]
    assert (marks.number, marks.epoch, marks.price) == (0, 0, None)
    records = {record.name: record for record in client.records(shared.owner, 0)}
    assert {"marks.csv": 0, "large.bin": 1, "secret.csv": 9}.items() <= {
        name: record.leaf for name, record in records.items()
    }.items()
    assert records["large.bin"].url == f"isthmus://{shared.owner}/0/large.bin"
    assert records["large.bin"].complete and records["large.bin"].encrypted_size > len(shared.large)
    [grant] = [grant for grant in client.received() if grant.dataset == 0]
    assert (grant.owner, grant.reader, grant.state) == (shared.owner, client.account, "active")
    assert grant.leaves == range(0, 4)
    assert grant in client.given(shared.owner)
    assert client.list("records", shared.owner) == client.records(shared.owner)
    with pytest.raises(ValueError, match="datasets, records, given, received: 'grants'"):
        client.list("grants")


def test_hidden_names_are_known_to_those_who_may_read(shared: Shared, tmp_path: Path) -> None:
    shared.node.isthmus("dataset", "create", "hidden", key=SCHOOL)
    school, company, stranger = (shared.connect(key) for key in (SCHOOL, COMPANY, "//Alice"))
    [hidden] = [entry.number for entry in school.datasets() if entry.name == "hidden"]
    for leaf, name in enumerate(["first.csv", "second.csv"]):
        shared.store(tmp_path, name, name.encode(), leaf=leaf, dataset=hidden, public=False)
    shared.authorize("0..1", dataset=hidden)

    def names(client: isthmus.Client) -> list[str]:
        return [record.name for record in client.records(shared.owner, hidden)]

    keys = [record.key for record in stranger.records(shared.owner, hidden)]
    assert names(stranger) == keys and names(school) == ["first.csv", "second.csv"]
    assert names(company) == ["first.csv", keys[1]]
    for client, name in [(school, "second.csv"), (company, "first.csv"), (company, keys[0])]:
        with client.open(shared.owner, hidden, name) as file:
            assert file.read() == (b"first.csv" if file.key == keys[0] else b"second.csv")
    for name in ["second.csv", "none.csv"]:
        with pytest.raises(FileNotFoundError, match="the owner has no record with this key"):
            company.open(shared.owner, hidden, name)
    files = IsthmusFileSystem(client=company)
    path = f"{shared.owner}/{hidden}/first.csv"
    assert files.ls(f"{shared.owner}/{hidden}", detail=False) == [path]
    assert files.cat(path) == b"first.csv" and files.modified(path) is not None


def test_a_copy_of_a_file_does_not_mix_versions(shared: Shared, tmp_path: Path) -> None:
    shared.store(tmp_path, "version.csv", b"one", leaf=3)
    with shared.connect().open(shared.owner, 0, "version.csv") as file:
        copied = pickle.dumps(file)
        assert pickle.loads(copied).read() == b"one"
        shared.node.isthmus("remove", "version.csv", key=SCHOOL)
        shared.store(tmp_path, "version.csv", b"two", leaf=2)
        with pytest.raises(isthmus.NotAuthentic, match="removed and stored again"):
            pickle.loads(copied)


def test_what_may_not_be_read_is_an_error_with_the_chains_sentence(shared: Shared, client: isthmus.Client) -> None:
    with pytest.raises(PermissionError, match="outside the range of the caller's grant"):
        client.open(shared.owner, 0, "secret.csv")
    with pytest.raises(PermissionError, match="the caller has no grant"):
        shared.connect("//Alice").open(shared.owner, 0, "marks.csv")
    with pytest.raises(FileNotFoundError, match="the owner has no record with this key"):
        client.open(shared.owner, 0, "nothing.csv")
    with pytest.raises(FileNotFoundError, match="the record marks.csv is in dataset 0"):
        client.open(shared.owner, 1, "marks.csv")
    with pytest.raises(ValueError, match="expected an address"):
        client.open("school", 0, "marks.csv")
    with pytest.raises(ValueError, match="longer than the 32 bytes"):
        client.open(shared.owner, 0, "x" * 33)
    with pytest.raises(PermissionError, match="needs a key"):
        shared.connect(None).open(shared.owner, 0, "marks.csv")


def test_a_grant_that_ends_ends_the_reading(shared: Shared, tmp_path: Path) -> None:
    shared.node.isthmus("dataset", "create", "ending", key=SCHOOL)
    [ending] = [entry for entry in shared.connect(SCHOOL).datasets() if entry.name == "ending"]
    shared.store(tmp_path, "ending.bin", shared.large, leaf=0, dataset=ending.number)
    grant = shared.authorize("0..1", dataset=ending.number)
    client = shared.connect()
    file = client.open(shared.owner, ending.number, "ending.bin")
    assert file.read(5) == shared.large[:5]
    shared.node.isthmus("revoke", str(grant), key=SCHOOL)
    with pytest.raises(PermissionError, match="revoked"):
        file.seek(3 * CHUNK)
        file.read(5)
    with pytest.raises(PermissionError, match="revoked"):
        client.open(shared.owner, ending.number, "ending.bin")


def test_an_empty_genesis_is_no_check(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="is empty: unset ISTHMUS_GENESIS"):
        isthmus.connect(shared.node.url, genesis="")
    monkeypatch.setenv("ISTHMUS_GENESIS", "")
    with pytest.raises(ValueError, match="is empty: unset ISTHMUS_GENESIS"):
        isthmus.connect(shared.node.url)


def test_no_node_and_no_chain_are_errors_of_the_connection(shared: Shared, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="no node answers"):
        isthmus.connect(f"ws://127.0.0.1:{free_port()}")
    with pytest.raises(isthmus.NotAuthentic, match="WrongGenesis"):
        isthmus.connect(shared.node.url, genesis="0x" + "11" * 32)
    with pytest.raises(ValueError, match="expected the hash of a block"):
        isthmus.connect(shared.node.url, genesis="0x11")
    with pytest.raises(FileNotFoundError, match="none.key"):
        isthmus.connect(shared.node.url, key=tmp_path / "none.key")


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[tuple[Node, isthmus.RecordFile, bytes]]:
    """A node with a record of its owner, and the record as a file of which only the start was read."""
    node = Node(tmp_path)
    node.start()
    node.isthmus("register", "School", key=SCHOOL)
    node.isthmus("dataset", "create", "marks", key=SCHOOL)
    content = random.Random(3).randbytes(3 * CHUNK)
    (tmp_path / "large").write_bytes(content)
    node.isthmus("store", str(tmp_path / "large"), key=SCHOOL)
    client = isthmus.connect(node.url, key=SCHOOL)
    file = client.open(client.account, 0, "large")
    assert file.read(5) == content[:5]
    file.seek(2 * CHUNK)
    yield node, file, content
    node.stop()


def test_a_reading_goes_on_when_its_node_is_back(mortal: tuple[Node, isthmus.RecordFile, bytes]) -> None:
    node, file, content = mortal
    node.stop()
    node.start()
    assert file.read(5) == content[2 * CHUNK :][:5]


@pytest.mark.long  # The connection is tried again for half a minute.
def test_a_node_that_stays_dead_is_an_error(mortal: tuple[Node, isthmus.RecordFile, bytes]) -> None:
    node, file, _ = mortal
    node.stop()
    with pytest.raises(ConnectionError):
        file.read(5)


def test_threads_share_a_client(shared: Shared, client: isthmus.Client) -> None:
    def part(number: int) -> bytes:
        with client.open(shared.owner, 0, "large.bin") as file:
            file.seek(number * 500_000)
            return file.read(500_000)

    with ThreadPoolExecutor(8) as threads:
        assert b"".join(threads.map(part, range(10))) == shared.large


def test_a_thread_reads_where_it_has_sought(shared: Shared, client: isthmus.Client) -> None:
    # As DuckDB does: threads share a file, and each seeks and reads, with the others in between.
    with client.open(shared.owner, 0, "large.bin") as file, ThreadPoolExecutor(1) as other:
        file.seek(100)
        other.submit(file.seek, 2_000_000).result()
        assert file.read(5) == shared.large[100:105]
        assert other.submit(file.read, 5).result() == shared.large[2_000_000:2_000_005]
        # A file that is handed on goes on where it was.
        file.seek(300)
        assert other.submit(file.read, 5).result() == shared.large[300:305]
        assert file.read(5) == shared.large[305:310]
        assert other.submit(file.read, 5).result() == shared.large[310:315]


def _read_from(file: isthmus.RecordFile, results: multiprocessing.Queue) -> None:
    results.put((file.tell(), file.read(1000)))


def _marks(client: isthmus.Client, owner: str) -> bytes:
    with client.open(owner, 0, "marks.csv") as file:
        return file.read()


def test_a_forked_process_reads_on(shared: Shared, client: isthmus.Client) -> None:
    file = client.open(shared.owner, 0, "large.bin")
    file.seek(4_000_000)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=_read_from, args=(file, results)) for _ in range(3)]
    for child in children:
        child.start()
    for _ in children:
        assert results.get(timeout=600) == (4_000_000, shared.large[4_000_000:][:1000])
    for child in children:
        child.join()
        assert child.exitcode == 0
    # The parent, too, and it may fork again.
    assert file.read(10) == shared.large[4_000_000:][:10]
    with context.Pool(2) as pool:
        assert pool.starmap(_marks, [(client, shared.owner)] * 4) == [MARKS] * 4


def test_a_spawned_process_gets_the_path_of_the_key_and_no_secret(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passphrase = "three plain words"
    monkeypatch.setenv("ISTHMUS_PASSPHRASE", passphrase)
    key = tmp_path / "school.key"
    shared.node.isthmus("key", "generate", str(key), key=COMPANY)
    client = isthmus.connect(shared.node.url, key=key)
    copy = pickle.dumps(client)
    assert str(key).encode() in copy and passphrase.encode() not in copy
    assert pickle.loads(copy).account == client.account
    monkeypatch.delenv("ISTHMUS_PASSPHRASE")
    with pytest.raises(PermissionError, match="set ISTHMUS_PASSPHRASE"):
        pickle.loads(copy)
    with pytest.raises(PermissionError, match="the passphrase does not open"):
        isthmus.connect(shared.node.url, key=key, passphrase="three other words")
    # A file takes its place with it.
    file = shared.connect().open(shared.owner, 0, "large.bin")
    file.seek(4_900_000)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=_read_from, args=(file, results))
    child.start()
    assert results.get(timeout=600) == (4_900_000, shared.large[4_900_000:][:1000])
    child.join()


def test_other_threads_run_while_one_waits_and_ctrl_c_ends_the_wait(shared: Shared) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def interrupt() -> None:
            connection, _ = silent.accept()
            os.kill(os.getpid(), signal.SIGINT)
            # It never answers, and ends when the client is gone.
            while connection.recv(1 << 16):
                pass

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            isthmus.connect(f"ws://127.0.0.1:{silent.getsockname()[1]}", timeout=86_400)
        thread.join()


def test_things_read_well(shared: Shared, client: isthmus.Client) -> None:
    assert repr(client) == f"<isthmus.Client at {shared.node.url}, as {client.account}>"
    file = client.open(shared.owner, 0, "large.bin")
    assert repr(file) == f"<isthmus.RecordFile 'large.bin' of {shared.owner}, 5,000,000 bytes>"
    assert "leaves=range(0, 4)" in repr(client.received())
