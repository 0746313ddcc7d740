# SPDX-License-Identifier: Apache-2.0
"""Data frames that tasks store, as `isthmus.spark_writer` has them stored, without Spark: what tasks get, and what is left of
jobs that end in every way."""

from __future__ import annotations

import io
import shutil
import threading
import random
from pathlib import Path

import isthmus
import pytest
from conftest import COMPANY, Shared
from isthmus import _native
from isthmus.filesystem import IsthmusFileSystem
from test_client import CHUNK

#: A producer of these tests' own.
OWNER = "//Ferdie"
PARTS = 4


@pytest.fixture(scope="module")
def owner(shared: Shared) -> isthmus.Client:
    owner = shared.connect(OWNER)
    owner.register("Weather Service", kind="government")
    return owner


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def place(owner: isthmus.Client, request: pytest.FixtureRequest, store: Path) -> int:
    """A dataset of the test's own, with a folder for its objects."""
    dataset = owner.create_dataset(request.node.name[-60:]).number
    store.mkdir()
    owner.locate(dataset, store.as_uri())
    return dataset


def plan(owner: isthmus.Client, dataset: int, leaf: int | None = None, parts: int = PARTS) -> _native._Planned:
    name = f"frame {dataset}"
    what: _native._ToPlan = {"name": name, "dataset": dataset, "leaf": leaf, "parts": parts, "public_name": False}
    return _native.plan_frame(owner._connection, what)


def write(planned: _native._Planned, number: int, content: bytes) -> bytes:
    return _native.store_part(planned["frame"], planned["keys"], number, io.BytesIO(content))


def commit(owner: isthmus.Client, planned: _native._Planned, parts: list[bytes]) -> dict:
    paths = [f"part-{number}" for number in range(PARTS)]
    return _native.commit_frame(owner._connection, planned["frame"], parts, paths)


def test_one_attempt_of_each_part_is_stored_in_one_transaction(
    shared: Shared, owner: isthmus.Client, place: int, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.store(b"before", f"{place} before", dataset=place, object=False)
    planned = plan(owner, place)
    assert planned["leaf"] == 1
    large = random.Random(place).randbytes(2 * CHUNK + 9)
    with monkeypatch.context() as patch:
        # Where a task runs, nothing is known of the account.
        patch.delenv("HOME")
        first, second = write(planned, 0, b"lost attempt"), write(planned, 0, large)
        third = write(planned, 2, b"small")
    names = {file.name for file in store.iterdir()}
    assert len(names) == 5 and all(name.startswith(planned["mark"]) for name in names)
    assert [record.name for record in owner.records(dataset=place)] == [f"{place} before"]
    with pytest.raises(isthmus.Refused, match="part 0 is there twice"):
        commit(owner, planned, [first, second])
    committed = commit(owner, planned, [second, third])
    assert (committed["leaf"], committed["parts"], committed["size"]) == (1, 2, len(large) + 5)
    assert committed["spent"] and committed["left"] is None
    records = {record.leaf: record for record in owner.records(dataset=place)}
    assert sorted(records) == [0, 1, 3, 5] and {records[leaf].block for leaf in (1, 3, 5)} == {committed["block"]}
    assert records[5].name == f"frame {place}" and records[5].key == committed["key"]
    # Two parts, one of them with a list of its chunks, and the list of the parts.
    assert len(list(store.iterdir())) == 4 and owner.frames_left(place) == []
    files = IsthmusFileSystem(client=owner)
    root = f"{owner.account}/{place}/frame {place}"
    assert files.find(root) == [f"{root}/part-0", f"{root}/part-2"]
    assert files.cat_file(f"{root}/part-0") == large and files.cat_file(f"{root}/part-2") == b"small"
    # Nothing can take a leaf whose key the tasks have.
    with pytest.raises(isthmus.Refused, match="leaf 4 of dataset .* is taken"):
        owner.store(b"later", f"{place} later", dataset=place, leaf=4)
    reader = shared.connect(COMPANY)
    owner.authorize(to=reader.account, leaves="1..6", dataset=place)
    theirs = IsthmusFileSystem(client=reader)
    with theirs.open(f"{owner.account}/{place}/{committed['key']}/part-0") as file:
        file.seek(CHUNK)
        assert file.read() == large[CHUNK:]
    assert owner.remove(f"frame {place}") == 2


def test_a_frame_that_is_aborted_leaves_nothing(owner: isthmus.Client, place: int, store: Path) -> None:
    planned = plan(owner, place)
    part = write(planned, 1, b"stored")
    (store / f"{planned['mark']}{'ab' * 16}.unfinished").write_bytes(b"a task was killed")

    class Lost(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ArithmeticError("the input is lost")

    with pytest.raises(ArithmeticError, match="the input is lost"):
        _native.store_part(planned["frame"], planned["keys"], 0, Lost())
    with pytest.raises(ValueError, match="planned for 4 parts, and this is part 4"):
        write(planned, PARTS, b"one too many")
    assert _native.abort_frame(owner._connection, planned["frame"]) == (False, True)
    assert list(store.iterdir()) == [] and owner.records(dataset=place) == []
    with pytest.raises(isthmus.Refused, match="it is not there"):
        commit(owner, planned, [part])
    assert _native.abort_frame(owner._connection, planned["frame"]) == (False, True)
    # The next frame gets other leaves.
    assert plan(owner, place)["leaf"] == PARTS


def test_what_a_killed_driver_leaves_is_found_and_given_up(owner: isthmus.Client, place: int, store: Path) -> None:
    foreign = store / ("cd" * 32)
    foreign.write_bytes(b"of another owner")
    planned = plan(owner, place)
    # Before any task has stored anything, the mark is there.
    [left] = owner.frames_left(place)
    assert (left.mark, left.objects, left.leaves) == (planned["mark"], 0, range(0, PARTS))
    part = write(planned, 0, b"stored")
    [left] = owner.frames_left(place)
    assert (left.objects, left.size, left.location) == (1, len(b"stored") + 16, store.as_uri())
    assert owner.records(dataset=place) == []
    owner.give_up_frame(left)
    assert list(store.iterdir()) == [foreign] and owner.frames_left(place) == []
    with pytest.raises(LookupError, match="no frame with the mark"):
        owner.give_up_frame(left)
    with pytest.raises(isthmus.Refused, match="it is not there"):
        commit(owner, planned, [part])
    assert owner.records(dataset=place) == []


def test_a_frame_that_is_stored_is_not_aborted_any_more(owner: isthmus.Client, place: int, store: Path) -> None:
    planned = plan(owner, place)
    committed = commit(owner, planned, [write(planned, 0, b"stored")])
    # As when the answer of the node was lost, and Spark aborts the job.
    assert _native.abort_frame(owner._connection, planned["frame"]) == (True, True)
    assert owner.open(owner.account, place, committed["key"]).files() is not None
    assert len(list(store.iterdir())) == 2


def test_a_place_that_another_program_took_is_said(owner: isthmus.Client, place: int) -> None:
    planned = plan(owner, place, leaf=10)
    parts = [write(planned, 0, b"stored")]
    owner.store(b"in between", f"{place} between", dataset=place, leaf=10, object=False)
    with pytest.raises(isthmus.Refused, match="another program took its leaf"):
        commit(owner, planned, parts)
    with pytest.raises(isthmus.Refused, match="leaf 10 of dataset .* is taken"):
        plan(owner, place, leaf=8)
    # Without a leaf, the frame goes where all of it fits.
    assert plan(owner, place, parts=2)["leaf"] == 0
    assert _native.abort_frame(owner._connection, planned["frame"])[1]


def test_mistakes_are_said(shared: Shared, owner: isthmus.Client, place: int) -> None:
    for parts in (0, 257):
        with pytest.raises(ValueError, match=f"a frame has 1 to 256 parts, not {parts}"):
            plan(owner, place, parts=parts)
    planned = plan(owner, place)
    with pytest.raises(ValueError, match="part 1 has no bytes"):
        write(planned, 1, b"")
    with pytest.raises(ValueError, match="the same release"):
        write({**planned, "frame": planned["frame"][:-1]}, 0, b"stored")
    with pytest.raises(PermissionError, match="planned by another account"):
        _native.abort_frame(shared.connect()._connection, planned["frame"])
    with pytest.raises(isthmus.NotAuthentic, match="part 0 is not encrypted with the frame's key"):
        other = {**planned, "keys": planned["keys"][::-1]}
        commit(owner, planned, [write(other, 0, b"stored")])
    commit(owner, planned, [write(planned, 0, b"stored")])
    with pytest.raises(FileExistsError, match="is stored already"):
        plan(owner, place)
    with pytest.raises(isthmus.Refused, match="has no locations"):
        plan(owner, owner.create_dataset("without a store").number)
