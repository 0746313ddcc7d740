# SPDX-License-Identifier: Apache-2.0
"""Data frames that tasks store, as `isthmus.spark_writer` has them stored, without Spark: what tasks get, and what is left of
jobs that end in every way."""

from __future__ import annotations

import io
import json
import os
import shutil
import threading
import random
from pathlib import Path

import isthmus
import pytest
from conftest import Shared
from isthmus import _native
from isthmus.filesystem import IsthmusFileSystem
from test_client import CHUNK

#: A producer of these tests' own.
OWNER, READER = "//Ferdie", "//Eve"
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


def plan(
    owner: isthmus.Client, dataset: int, leaf: int | None = None, parts: int = PARTS, name: str = "frame"
) -> _native._Planned:
    name = f"{name} {dataset}"
    what: _native._ToPlan = {"name": name, "dataset": dataset, "leaf": leaf, "parts": parts, "public_name": False}
    return _native.plan_frame(owner._connection, what)


def write(planned: _native._Planned, number: int, content: bytes) -> bytes:
    return _native.store_part(planned["frame"], planned["keys"], number, io.BytesIO(content))


def commit(owner: isthmus.Client, planned: _native._Planned, parts: list[bytes]) -> dict:
    paths = [f"part-{number}" for number in range(PARTS)]
    return _native.commit_frame(owner._connection, planned["frame"], parts, paths)


def abort(owner: isthmus.Client, planned: _native._Planned) -> tuple[bool, bool, list[tuple[int, str]]]:
    return _native.abort_frame(owner._connection, planned["frame"])


def elsewhere(folder: Path) -> Path:
    """Returns the home of a user on another machine, who has the same account."""
    home = folder / "elsewhere"
    home.mkdir()
    return home


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
    assert committed["spent"] and committed["left"] is None and committed["exposed"] == []
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
    reader = shared.connect(READER)
    reader.publish_key()
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
    assert abort(owner, planned) == (False, True, [])
    assert list(store.iterdir()) == [] and owner.records(dataset=place) == []
    with pytest.raises(isthmus.Refused, match="it was given up"):
        commit(owner, planned, [part])
    assert abort(owner, planned) == (False, True, [])
    # The next frame gets other leaves: those of the parts and of the list are spent.
    assert plan(owner, place)["leaf"] == PARTS + 1


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
    with pytest.raises(isthmus.Refused, match="it was given up"):
        commit(owner, planned, [part])
    assert owner.records(dataset=place) == []


def test_a_frame_that_is_stored_is_not_aborted_any_more(owner: isthmus.Client, place: int, store: Path) -> None:
    planned = plan(owner, place)
    committed = commit(owner, planned, [write(planned, 0, b"stored")])
    # As when the answer of the node was lost, and Spark aborts the job.
    assert abort(owner, planned) == (True, True, [])
    assert owner.open(owner.account, place, committed["key"]).files() is not None
    assert len(list(store.iterdir())) == 2


def test_nothing_else_takes_the_leaves_of_a_frame(
    owner: isthmus.Client, place: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = plan(owner, place)
    assert planned["leaf"] == 0
    with pytest.raises(isthmus.Refused, match="leaf 2 of dataset .* is taken, or planned for a data frame"):
        owner.store(b"there", f"{place} there", dataset=place, leaf=2, object=False)
    # Leaf 4 is the list's.
    for number, is_object in ((PARTS + 1, False), (PARTS + 2, True)):
        assert owner.store(b"between", f"{place} {number}", dataset=place, object=is_object).leaf == number
    with pytest.raises(isthmus.Refused, match="leaf 3 of dataset .* is taken, or planned"):
        plan(owner, place, leaf=3)
    # As when the driver of the first one was killed, and its job is run again.
    again = plan(owner, place)
    assert again["leaf"] == PARTS + 3
    with monkeypatch.context() as patch:
        patch.setenv("HOME", str(elsewhere(tmp_path)))
        # Another machine finds both marks in the store.
        third = plan(owner, place)
        assert third["leaf"] == 2 * PARTS + 4
        with pytest.raises(isthmus.Refused, match="planned elsewhere"):
            commit(owner, planned, [])
    committed = commit(owner, planned, [write(planned, 0, b"stored")])
    assert committed["spent"] and committed["exposed"] == []
    assert abort(owner, again) == (False, True, [])
    # The mark of the third frame is in the store, and its leaves are not spent.
    assert plan(owner, place, name="later")["leaf"] == 3 * PARTS + 5


def test_a_driver_without_a_home_of_its_own_is_told_to_set_one(
    owner: isthmus.Client, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    with pytest.raises(OSError, match="set HOME to a folder of this user that stays"):
        plan(owner, place)


def interrupt(owner: isthmus.Client, place: int, content: bytes) -> None:
    """Stores an object whose input fails in the end."""

    class Lost(io.RawIOBase):
        rest = content

        def read(self, size: int = -1) -> bytes:
            if not self.rest:
                raise ArithmeticError("the input is lost")
            most = CHUNK if size < 0 else size
            piece, self.rest = self.rest[:most], self.rest[most:]
            return piece

    with pytest.raises(isthmus.Refused, match="the input is lost"):
        owner.store(Lost(), f"{place} lost", dataset=place, object=True)


def state_folder() -> Path:
    return Path(os.environ["HOME"], ".local", "state", "isthmus")


def test_leaves_of_uploads_that_left_something_are_not_planned(owner: isthmus.Client, place: int, store: Path) -> None:
    content = random.Random(place).randbytes(3 * CHUNK)
    before = set(state_folder().glob("*.upload"))
    interrupt(owner, place, content)
    [journal] = set(state_folder().glob("*.upload")) - before
    # As after a restart of the machine: no one knows what the store has.
    words = journal.read_text().split(" ")
    journal.write_text(" ".join([words[0], "earlier", *words[2:]]))
    assert owner.store(content, f"{place} lost", dataset=place, leaf=1, object=True).leaf == 1
    assert not journal.exists()
    noted = (state_folder() / f"isthmus-{owner.account}-uploads.left").read_text()
    [left] = [line for line in map(json.loads, noted.splitlines()) if line["sent"]["dataset"] == place]
    assert left["sent"]["leaf"] == 0 and left["sent"]["location"] == store.as_uri()
    with pytest.raises(isthmus.Refused, match="leaf 0 of dataset .* is taken, or planned"):
        plan(owner, place, leaf=0, parts=1)
    planned = plan(owner, place)
    assert planned["leaf"] == 2
    assert abort(owner, planned) == (False, True, [])


def test_leaves_of_interrupted_uploads_are_not_planned(owner: isthmus.Client, place: int) -> None:
    content = random.Random(place).randbytes(3 * CHUNK)
    interrupt(owner, place, content)
    state = state_folder()
    # As when a folder was synchronised until its pack was sent.
    pack = {"dataset": place, "epoch": 0, "leaf": 2, "location": "file:///store"}
    noted = {"key": "07" * 32, "header": "", "length": 1, "root": "", "sent": pack}
    packs = state / f"isthmus-{owner.account}-{place}.packs"
    packs.write_text(f"\n{json.dumps(noted)}")
    damaged = state / f"isthmus-{owner.account}-{place}.upload"
    try:
        for leaf in (0, 2):
            with pytest.raises(isthmus.Refused, match=f"leaf {leaf} of dataset .* is taken, or planned"):
                plan(owner, place, leaf=leaf, parts=1)
        damaged.write_bytes(b"")
        with pytest.raises(OSError, match="begin a new epoch of the dataset"):
            plan(owner, place)
        damaged.unlink()
        planned = plan(owner, place)
        assert planned["leaf"] == 3
    finally:
        packs.unlink()
        damaged.unlink(missing_ok=True)
    # The upload goes on where it began.
    assert owner.store(content, f"{place} lost", dataset=place, object=True).leaf == 0
    assert abort(owner, planned) == (False, True, [])


def test_notes_that_cannot_be_read_are_not_taken_for_none(
    owner: isthmus.Client, place: int, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def there() -> int:
        return owner.store(b"there", f"{place} there", dataset=place, object=False).leaf

    home = elsewhere(tmp_path)
    # Locks are held in another folder while the user's own cannot be used.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("HOME", str(home))
    planned = plan(owner, place)
    part = write(planned, 0, b"stored")
    local, hidden = home / ".local", home / "hidden"
    local.rename(hidden)
    local.write_bytes(b"no folder")
    for attempt in (there, lambda: plan(owner, place), lambda: commit(owner, planned, [part])):
        with pytest.raises(OSError, match="which leaves data frames have"):
            attempt()
    local.unlink()
    hidden.rename(local)
    [notes] = local.rglob("*.frames")
    notes.write_bytes(b"[{")
    for attempt in (there, lambda: plan(owner, place), lambda: commit(owner, planned, [part])):
        with pytest.raises(OSError, match="give the frames up that frames_left shows, and remove the file"):
            attempt()
    # That can be done.
    [left] = owner.frames_left(place)
    owner.give_up_frame(left)
    assert list(store.iterdir()) == [] and notes.read_bytes() == b"[{"
    notes.unlink()
    assert there() == PARTS + 1


def test_records_that_tasks_could_open_are_named(
    owner: isthmus.Client, place: int, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = plan(owner, place), plan(owner, place, name="second")
    parts = [write(first, 0, b"stored")]
    with monkeypatch.context() as patch:
        # Another machine does not know what is planned here, and stores where it likes.
        patch.setenv("HOME", str(elsewhere(tmp_path)))
        foreign = {
            leaf: owner.store(b"foreign", f"{place} {leaf}", dataset=place, leaf=leaf, object=is_object).key
            for leaf, is_object in ((1, False), (2, True), (PARTS + 1, True), (2 * PARTS + 1, True))
        }
    committed = commit(owner, first, parts)
    assert not committed["spent"] and committed["exposed"] == [(1, foreign[1]), (2, foreign[2])]
    lost = write(second, 0, b"lost")
    named = f"could open them: record {foreign[PARTS + 1]} at leaf {PARTS + 1}"
    with pytest.raises(isthmus.Refused, match=named):
        commit(owner, second, [lost])
    # The other record has the leaf of the second frame's list. That is no frame, and no task has its key.
    assert abort(owner, second) == (False, False, [(PARTS + 1, foreign[PARTS + 1])])
    # What is left are the first frame's part and list, and the other machine's objects.
    assert len(list(store.iterdir())) == 5 and owner.frames_left(place) == []
    assert abort(owner, first)[0] and len(list(store.iterdir())) == 5


def test_another_frame_at_the_same_leaves_is_not_this_one(
    owner: isthmus.Client, place: int, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = plan(owner, place)
    write(planned, 0, b"stored")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("HOME", str(elsewhere(tmp_path)))
        for file in list(store.iterdir()):
            shutil.move(file, hidden)
        other = plan(owner, place)
        assert other["leaf"] == planned["leaf"]
        committed = commit(owner, other, [write(other, 0, b"the other frame")])
    for file in list(hidden.iterdir()):
        shutil.move(file, store)
    stored, spent, exposed = abort(owner, planned)
    assert (stored, spent) == (False, False) and [leaf for leaf, _ in exposed] == [0]
    # Nothing of the frame that is stored was deleted.
    assert len(list(store.iterdir())) == 2
    files = IsthmusFileSystem(client=owner)
    assert files.cat_file(f"{owner.account}/{place}/{committed['key']}/part-0") == b"the other frame"


def test_a_commit_after_the_end_by_another_machine_fails(
    owner: isthmus.Client, place: int, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = plan(owner, place)
    part = write(planned, 0, b"stored")
    kept = tmp_path / "kept"
    shutil.copytree(store, kept)
    [left] = owner.frames_left(place)
    with monkeypatch.context() as patch:
        patch.setenv("HOME", str(elsewhere(tmp_path)))
        owner.give_up_frame(left)
    assert list(store.iterdir()) == []
    # As if the commit had looked at its parts before they were deleted.
    shutil.copytree(kept, store, dirs_exist_ok=True)
    with pytest.raises(isthmus.Refused, match="another program took its leaf"):
        commit(owner, planned, [part])
    assert owner.records(dataset=place) == []
    assert abort(owner, planned) == (False, True, []) and list(store.iterdir()) == []


def test_a_frame_is_committed_or_aborted_and_never_half_of_both(
    owner: isthmus.Client, place: int, store: Path
) -> None:
    planned = plan(owner, place)
    parts = [write(planned, 0, b"stored")]
    committed: list[dict] = []
    raised: list[Exception] = []

    def race() -> None:
        try:
            committed.append(commit(owner, planned, parts))
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=race)
    thread.start()
    ended = abort(owner, planned)
    thread.join()
    assert len(committed) + len(raised) == 1
    assert all(isinstance(error, isthmus.Refused) and "it was given up" in str(error) for error in raised), raised
    # Which of them is first is luck. Whichever it is, the other one knows.
    assert ended == (bool(committed), True, [])
    assert len(list(store.iterdir())) == len(owner.records(dataset=place)) == 2 * len(committed)
    assert owner.frames_left(place) == []


def test_leaves_that_a_reader_has_paid_for_stay_planned(
    shared: Shared, owner: isthmus.Client, place: int, store: Path
) -> None:
    reader = shared.connect(READER)
    owner.authorize(reader.request(owner.account, "0..100", "a study", dataset=place, offer=1))
    planned = plan(owner, place)
    write(planned, 0, b"stored")
    # Nothing can be spent there. No commit was made, and so none can be on its way.
    assert abort(owner, planned) == (False, False, [])
    assert list(store.iterdir()) == []
    with pytest.raises(isthmus.Refused, match="it was given up"):
        commit(owner, planned, [])
    assert owner.store(b"next", f"{place} next", dataset=place, object=False).leaf == PARTS + 1
    second = plan(owner, place)
    assert second["leaf"] == PARTS + 2
    committed = commit(owner, second, [write(second, 0, b"stored")])
    assert not committed["spent"] and committed["exposed"] == [] and committed["left"] is None
    # The leaves that no part took stay planned.
    assert owner.store(b"last", f"{place} last", dataset=place, object=False).leaf == 2 * PARTS + 3
    assert abort(owner, second) == (True, False, [])


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
