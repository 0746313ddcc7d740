# SPDX-License-Identifier: Apache-2.0
"""Owners and consumers: storing, asking, granting, revoking, and what can be proven of it."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import random
import signal
import threading
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import isthmus
import pytest
from conftest import COMPANY, MARKS, Shared
from isthmus import settings
from test_client import CHUNK

#: A producer of these tests' own.
OWNER = "//Dave"


@pytest.fixture(scope="module")
def owner(shared: Shared) -> isthmus.Client:
    owner = shared.connect(OWNER)
    owner.register("Museum", kind="government")
    return owner


@pytest.fixture
def place(owner: isthmus.Client, request: pytest.FixtureRequest) -> int:
    """A dataset of the test's own. Names of records are unique among all that an owner has, so they begin with its number."""
    return owner.create_dataset(request.node.name[-60:]).number


def test_a_dataset_is_shared_asked_for_granted_and_revoked(shared: Shared, owner: isthmus.Client, place: int) -> None:
    company = shared.connect()
    stored = owner.store(MARKS, f"{place} marks.csv", dataset=place)
    assert (stored.name, stored.leaf, stored.size, stored.readers) == (f"{place} marks.csv", 0, len(MARKS), 0)
    assert stored.block is not None and not stored.resumed and stored.files is None and stored.location is None
    with pytest.raises(ValueError, match="unknown purpose `studies`: expected one of unspecified, research"):
        company.request(owner.account, "0..3", "a study", dataset=place, code="studies")
    asked = company.request(owner.account, "0..3", "a study", dataset=place, term=500, offer="0.25", code="research")
    assert (asked.leaves, asked.offer, asked.term, asked.verdict) == (range(0, 3), Decimal("0.25"), 500, "NoPolicy")
    assert (asked.purpose, asked.code) == ("a study", "research")
    assert asked in company.requests(mine=True) and asked in owner.requests()
    with pytest.raises(isthmus.Refused, match=f"request {asked.number} for these leaves is already open"):
        company.request(owner.account, range(0, 3), "the same study", dataset=place)
    grant = owner.authorize(asked)
    assert grant.code == "research"
    assert (grant.leaves, grant.reader, grant.paid, grant.state) == (range(0, 3), company.account, asked.offer, "active")
    assert grant in company.grants() and grant in owner.grants() and asked not in owner.requests()
    assert company.open(owner.account, place, f"{place} marks.csv").read() == MARKS
    assert owner.store(b"more", f"{place} more.csv", dataset=place).readers == 1
    revoked = owner.revoke(grant.number)
    assert (revoked.reader, revoked.epoch, revoked.renewed, revoked.stopped) == (company.account, 1, [], None)
    assert 0 < revoked.refunded <= Decimal("0.25")
    with pytest.raises(PermissionError, match=f"grant was revoked|whose grant {grant.number} is revoked"):
        company.open(owner.account, place, f"{place} marks.csv")
    with pytest.raises(PermissionError, match="the caller's grant was revoked"):
        company.open(owner.account, place, stored.key)
    names = [event.name for event in owner.trace("dataset", owner.account, place)]
    assert names == ["DatasetCreated", "Stored", "AccessRequested", "Authorized", "Stored", "EpochStarted", "Revoked"]
    # The range was paid for, and its records are evidence while that can be disputed.
    with pytest.raises(isthmus.Refused, match="RecordPaidFor"):
        owner.remove(f"{place} more.csv")
    owner.store(b"last", f"{place} last.csv", dataset=place)
    assert owner.remove(f"{place} last.csv") is None
    with pytest.raises(FileNotFoundError):
        owner.remove(f"{place} last.csv")


def test_access_is_granted_without_a_request_and_requests_end(shared: Shared, owner: isthmus.Client, place: int) -> None:
    company, stranger = shared.connect(), shared.connect("//Alice")
    owner.store(MARKS, f"{place} marks.csv", dataset=place, leaf=7)
    until = date(2099, 1, 31)
    grant = owner.authorize(to=company.account, leaves=7, dataset=place, term=100, until=until, when="before(2098-01-01)")
    assert (grant.leaves, grant.until) == (range(7, 8), datetime(2099, 1, 31, tzinfo=timezone.utc))
    assert grant.condition == "before(2098-01-01)"
    with pytest.raises(LookupError, match="has no encryption key on the chain"):
        owner.authorize(to=stranger.account, leaves=7, dataset=place)
    stranger.publish_key()
    stranger.publish_key()
    assert owner.authorize(to=stranger.account, leaves=7, dataset=place).reader == stranger.account
    first, second = (stranger.request(owner.account, leaf, "curiosity", dataset=place) for leaf in (1, 2))
    owner.reject(first, "not without a contract")
    assert stranger.cancel(second) is None
    assert stranger.requests(mine=True) == []
    for ended in (lambda: owner.authorize(first), lambda: stranger.cancel(second), lambda: owner.reject(10_000)):
        with pytest.raises(LookupError, match="has no open request"):
            ended()
    with pytest.raises(LookupError, match="has given no grant 10000"):
        owner.revoke(10_000)


def test_what_is_left_of_a_range_with_erased_leaves_is_granted(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISTHMUS_PASSPHRASE", "three plain words")
    key, company = str(tmp_path / "archive.key"), shared.connect()
    [made] = shared.node.isthmus("key", "generate", key, key=COMPANY)
    shared.node.isthmus("transfer", made["account"], "1000", key="//Alice")
    shared.node.isthmus("register", "Archive", "--kind", "other", key=key)
    shared.node.isthmus("dataset", "create", "letters", "--erasable", key=key)
    archive = isthmus.connect(shared.node.url, key=key, passphrase="three plain words")
    for leaf in range(3):
        archive.store(b"a letter", f"letter-{leaf}", leaf=leaf)
    shared.node.isthmus("dataset", "erase", "0", "--leaves", "1..2", "--yes", key=key)
    with pytest.raises(isthmus.Refused, match=r"leaves 1\.\.2 were erased, and 0\.\.1 and 2\.\.3 are left"):
        archive.authorize(to=company.account, leaves="0..3")
    given = archive.authorize_left(to=company.account, leaves="0..3")
    assert [(grant.leaves, grant.reader) for grant in given] == [(range(leaf, leaf + 1), company.account) for leaf in (0, 2)]
    assert company.open(archive.account, 0, "letter-2").read() == b"a letter"
    # A request is rejected, and what is left of it granted.
    asked = company.request(archive.account, "1..4", "a study")
    assert [grant.leaves for grant in archive.authorize_left(asked)] == [range(2, 4)]
    assert archive.requests() == []
    # Where nothing was erased, there is one grant.
    [whole] = archive.authorize_left(to=company.account, leaves="5..9")
    assert whole.leaves == range(5, 9)


def test_what_is_refused_is_pythons_kind_of_error(shared: Shared, owner: isthmus.Client, place: int) -> None:
    company = shared.connect()
    with pytest.raises(PermissionError, match="Only a registered producer"):
        company.create_dataset("mine")
    with pytest.raises(FileNotFoundError, match="has no dataset"):
        company.store(b"", "nothing")
    with pytest.raises(FileNotFoundError, match="has no dataset 999"):
        owner.store(b"", "nothing", dataset=999)
    owner.create_dataset("another")
    with pytest.raises(ValueError, match="has several datasets: choose one"):
        owner.store(b"", "nothing")
    with pytest.raises(PermissionError, match="this needs a key"):
        shared.connect(None).register("Stranger")
    with pytest.raises(ValueError, match="expected school, government"):
        company.register("Company", kind="circus")
    with pytest.raises(ValueError, match="pass a request, or to= and leaves="):
        owner.authorize(to=company.account)
    with pytest.raises(ValueError, match="a request is granted as it asks"):
        owner.authorize(3, leaves=1)
    with pytest.raises(isthmus.Refused, match="this would cost .* IST, and the limit is 0.000001 IST"):
        isthmus.connect(shared.node.url, key=OWNER, max_cost="0.000001").store(MARKS, f"{place} marks.csv", dataset=place)


def test_files_folders_and_file_objects_are_stored(owner: isthmus.Client, place: int, tmp_path: Path) -> None:
    large = random.Random(5).randbytes(3 * CHUNK + 5)
    (tmp_path / f"{place} large.bin").write_bytes(large)
    told: list[isthmus.Progress] = []
    stored = owner.store(tmp_path / f"{place} large.bin", dataset=place, progress=told.append)
    assert (stored.name, stored.size) == (f"{place} large.bin", len(large))
    assert {at.stage for at in told} == {"naming", "sending"} and told[-1][1:3] == (len(large), len(large))
    # The same content again is compared, and not sent.
    again = owner.store(large, f"{place} large.bin", dataset=place)
    assert again.block is None and again.key == stored.key
    with pytest.raises(FileExistsError, match="is stored already"):
        owner.store(large[1:], f"{place} large.bin", dataset=place)
    # A file object may be a record itself, which is fetched while it is stored.
    copied = owner.store(owner.open(owner.account, place, f"{place} large.bin"), f"{place} copy.bin", dataset=place)
    assert owner.open(owner.account, place, f"{place} copy.bin").read() == large and copied.size == len(large)
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    (folder / "below" / "b.txt").write_bytes(b"bb")
    stored = owner.store(str(folder), dataset=place)
    assert (stored.name, stored.files, stored.size) == ("folder", 2, 3)
    assert owner.remove("folder") == 2
    assert owner.store(io.BytesIO(b"public"), f"{place} public.txt", dataset=place, public_name=True).readers == 0
    assert f"{place} public.txt" in [record.name for record in isthmus.connect(owner._settings["urls"]).records(owner.account)]


def test_what_cannot_be_stored_is_said(owner: isthmus.Client, place: int, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.csv"):
        owner.store(tmp_path / "none.csv", dataset=place)
    with pytest.raises(ValueError, match="missing name="):
        owner.store(b"", dataset=place)
    with pytest.raises(TypeError, match="binary mode"):
        owner.store(io.StringIO("text"), "text", dataset=place)
    with pytest.raises(TypeError, match="expected a path, bytes or a binary file, not int"):
        owner.store(7, "seven", dataset=place)  # type: ignore[arg-type]

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ArithmeticError("broken")

    with pytest.raises(ArithmeticError, match="broken"):
        owner.store(Broken(), "broken", dataset=place)


def test_a_callback_or_ctrl_c_ends_a_call_that_can_be_resumed(owner: isthmus.Client, place: int) -> None:
    large = random.Random(6).randbytes(2 * CHUNK)

    def stop(progress: isthmus.Progress) -> None:
        if progress.stage == "sending":
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        owner.store(large, f"{place} large.bin", dataset=place, progress=stop)
    stored = owner.store(large, f"{place} large.bin", dataset=place)
    assert stored.resumed
    assert owner.open(owner.account, place, f"{place} large.bin").read() == large

    reading = threading.Event()

    class Silent(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            signal.raise_signal(signal.SIGINT)
            reading.wait()
            return b""

    with pytest.raises(KeyboardInterrupt):
        owner.store(Silent(), "silent", dataset=place)
    reading.set()


def test_objects_are_in_a_folder(owner: isthmus.Client, place: int, tmp_path: Path) -> None:
    with pytest.raises(isthmus.Refused, match=f"dataset {place} has no locations"):
        owner.store(b"small", f"{place} small", dataset=place, object=True)
    owner.locate(place, tmp_path.as_uri())
    large = random.Random(7).randbytes(3 * CHUNK)
    stored = owner.store(io.BytesIO(large), f"{place} large.bin", dataset=place)
    assert (stored.location, stored.size) == (tmp_path.as_uri(), len(large))
    small = owner.store(b"small", f"{place} small", dataset=place, object=True)
    again = owner.store(large, f"{place} large.bin", dataset=place)
    assert (again.block, again.location, again.url) == (None, stored.location, stored.url)
    with pytest.raises(FileExistsError):
        owner.store(large[1:], f"{place} large.bin", dataset=place)
    assert small.location and owner.store(large, f"{place} in blocks", dataset=place, object=False).location is None
    for record, content in ((stored, large), (small, b"small")):
        assert owner.open(owner.account, place, record.key).read() == content
        assert record.url.endswith(record.key)
        handle = owner.handle(owner.account, place, record.key)
        assert pickle.loads(pickle.dumps(handle)).open().read() == content


def test_a_receipt_proves_an_event(shared: Shared, owner: isthmus.Client, place: int, tmp_path: Path) -> None:
    stored = owner.store(MARKS, f"{place} marks.csv", dataset=place)
    assert stored.block is not None
    receipt = shared.connect(None).receipt(stored.block)
    assert (receipt.event.name, receipt.event.fields["key"]) == ("Stored", stored.key)
    receipt.save(tmp_path / "stored.receipt")
    for proof in (receipt, receipt.content, tmp_path / "stored.receipt"):
        verified = isthmus.verify(proof, genesis=owner.genesis)
        assert (verified.event, verified.development) == (receipt.event, True)
    with pytest.raises(isthmus.NotAuthentic):
        isthmus.verify(receipt.content[:-1])
    with pytest.raises(isthmus.NotAuthentic):
        isthmus.verify(receipt, genesis="0x" + "11" * 32)
    with pytest.raises(LookupError, match="has the history only from block 1 on"):
        owner.receipt(0)
    events = owner.trace("record", owner.account, f"{place} marks.csv", first=stored.block)
    assert events == [receipt.event]
    with pytest.raises(ValueError, match="expected record, dataset, reader or account"):
        owner.trace("planet", owner.account)


def _read(handle: isthmus.RecordHandle, results: multiprocessing.Queue) -> None:
    results.put(handle.open().read(5))


def test_a_handle_opens_one_record_without_an_account(
    shared: Shared, owner: isthmus.Client, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = random.Random(8).randbytes(2 * CHUNK + 7)
    owner.store(large, f"{place} large.bin", dataset=place)
    owner.store(MARKS, f"{place} marks.csv", dataset=place)
    grant = owner.authorize(to=shared.connect().account, leaves="0..2", dataset=place)
    company = shared.connect()
    handles = {name: company.handle(owner.account, place, f"{place} {name}") for name in ("large.bin", "marks.csv")}
    pickled = {name: pickle.dumps(handle) for name, handle in handles.items()}
    for name, handle in handles.items():
        assert handle.secret.hex() not in repr(handle)
        others = [other.secret for other in handles.values() if other != handle]
        assert handle.secret in pickled[name]
        for secret in (*others, COMPANY.encode(), OWNER.encode()):
            assert secret not in pickled[name]
    # Elsewhere, nothing is known of the account.
    monkeypatch.delenv("HOME")
    file = pickle.loads(pickled["large.bin"]).open()
    assert (file.name, file.owner, file.size) == (f"{place} large.bin", owner.account, len(large))
    file.seek(CHUNK - 3)
    assert file.read(6) == large[CHUNK - 3 :][:6] and file.fetched == 2 * CHUNK
    assert pickle.loads(pickle.dumps(file)).read(6) == large[CHUNK + 3 :][:6]
    assert handles["marks.csv"].open().read() == MARKS
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        results = context.Queue()
        child = context.Process(target=_read, args=(handles["large.bin"], results))
        child.start()
        assert results.get(timeout=600) == large[:5]
        child.join()
    # A key that was delivered stays good, as that of any reader does.
    owner.revoke(grant)
    assert handles["large.bin"].open().read() == large
    large_handle = handles["large.bin"]
    wrong = {**vars(large_handle), "secret": handles["marks.csv"].secret}
    with pytest.raises(isthmus.NotAuthentic):
        isthmus.RecordHandle(**wrong).open().read()
    with pytest.raises(ValueError, match="the same release"):
        isthmus.RecordHandle(**{**vars(large_handle), "entry": b"\x00" + large_handle.entry[1:]}).open()
    with pytest.raises(isthmus.NotAuthentic, match="WrongGenesis"):
        isthmus.RecordHandle(**{**vars(large_handle), "genesis": "0x" + "11" * 32}).open()


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [(range(0, 12), "0..12"), (3, "3..4"), ("0..12", "0..12"), ("2026-03..2026-05", "2026-03..2026-05")],
)
def test_leaves_are_given_as_people_write_them(leaves: range | int | str, expected: str) -> None:
    assert settings.span(leaves) == expected


@pytest.mark.parametrize("leaves", [range(3, 3), range(0, 4, 2), -1, None])
def test_other_leaves_are_refused(leaves: object) -> None:
    with pytest.raises(ValueError, match="expected leaves such as"):
        settings.span(leaves)  # type: ignore[arg-type]


@pytest.mark.parametrize("leaves", ["..4", "4..", "4", "3..3", "a...b", ""])
def test_text_that_asks_for_no_leaves_is_refused(leaves: str, shared: Shared) -> None:
    client = shared.connect()
    with pytest.raises(ValueError, match="expected leaves by numbers"):
        client.request(shared.owner, leaves, "a study")
    with pytest.raises(ValueError, match="expected leaves by numbers"):
        client.authorize(to=shared.owner, leaves=leaves)


AMOUNTS = [(2, 2 * 10**12), ("0.25", 25 * 10**10), (Decimal("1e-12"), 1), (0.1, 10**11), (0, 0)]


@pytest.mark.parametrize(("amount", "expected"), AMOUNTS)
def test_amounts_are_in_ist(amount: Decimal, expected: int) -> None:
    assert settings.units(amount) == expected
    assert settings.ist(expected) == Decimal(str(amount))


@pytest.mark.parametrize("amount", [-1, "1e-13", "one", float("nan"), float("inf"), None])
def test_other_amounts_are_refused(amount: object) -> None:
    with pytest.raises(ValueError, match="expected an amount in IST"):
        settings.units(amount)  # type: ignore[arg-type]


def test_dates_begin_in_utc() -> None:
    assert settings.seconds("1970-01-02") == settings.seconds(date(1970, 1, 2)) == 86_400
    assert settings.seconds(None) is None
    with pytest.raises(ValueError, match="no time zone"):
        settings.seconds(datetime(2027, 1, 1))


def test_text_is_a_date_as_the_command_reads_it() -> None:
    assert settings.seconds("1970-01-02T00:01Z") == settings.seconds("1970-01-02T00:01:00Z") == 86_460
    for text in ["19700102", "1970-W01-5", "1970-1-2", "1970-01-02T00:01", "soon", ""]:
        with pytest.raises(ValueError, match="expected a time, such as 2027-01-01"):
            settings.seconds(text)
