# SPDX-License-Identifier: Apache-2.0
"""The client: a connection to a chain, and what can be asked over it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from . import _native, settings
from .entries import Dataset, Event, Grant, LeftFrame, Progress, Receipt, Record, Request, Revoked, Stored
from .file import NamedRecord, RecordFile, Window
from .handle import RecordHandle

#: What is called with the progress of a long call. An exception that it raises ends the call.
Tell = Callable[[Progress], object]
#: For how many blocks a grant lasts by default, as in the command.
TERM = 10_000
#: The longest time for which a node may be silent, in seconds, as in the command.
LONGEST_TIMEOUT = 86_400
#: What is said of a data frame whose leaves could not be spent.
UNSPENT = (
    "a reader has paid for leaves whose keys the tasks had, so they are not spent. Programs of this user on this machine do not use "
    "them until the dataset has a new epoch: begin one before another machine stores in the dataset"
)


def tell_exposed(spent: bool, exposed: list[tuple[int, str]]) -> None:
    """Says which leaves of a data frame are not its own, or may become another record's."""
    if exposed:
        named = ", ".join(f"record {key} at leaf {leaf}" for leaf, key in exposed)
        settings.log.warning("the workers of this job could open records of other programs: %s", named)
    elif not spent:
        settings.log.warning(UNSPENT)


def connect(
    url: str | Sequence[str] | None = None,
    *,
    key: str | os.PathLike[str] | None = None,
    passphrase: str | None = None,
    timeout: int = 60,
    genesis: str | None = None,
    trust_node: bool = False,
    post_quantum_only: bool = False,
    finalized: bool = False,
    max_cost: Decimal | int | str | None = None,
) -> Client:
    """Connects to a node, and opens the key of the account to act as.

    What is not given comes from the variables that the `isthmus` command reads: ISTHMUS_URL, ISTHMUS_KEY,
    ISTHMUS_PASSPHRASE and ISTHMUS_GENESIS.

    `url` is the WebSocket address of a node. With several, the next one is asked when one is lost, lies or lags.
    `key` is a key file or, on a development chain, an account such as `//Alice`; without one, the client can list what
    is public. `timeout` is for how many seconds a node may be silent. `genesis` is the hash of the chain's first block;
    without it, the first use of an address decides which chain it leads to. `trust_node` believes a node on this
    machine without proofs. With `finalized`, calls that send transactions wait until they are finalized. `max_cost` is
    the most, in IST, that all of them may cost together, with deposits.

    Raises ConnectionError if no node answers, PermissionError if the passphrase does not open the key file, ValueError for a
    timeout of less than a second, and NotAuthentic if the node has another chain.
    """
    if not isinstance(timeout, int) or not 1 <= timeout <= LONGEST_TIMEOUT:
        raise ValueError(f"expected a timeout of 1 to {LONGEST_TIMEOUT} whole seconds: {timeout!r}")
    key = os.fspath(key) if key is not None else os.environ.get("ISTHMUS_KEY") or None
    if key is not None and not key.startswith("//"):
        # A worker process that gets a copy of the client may be in another folder.
        key = str(Path(key).absolute())
    chosen = {
        "urls": settings.urls(url),
        "key": key,
        "timeout": timeout,
        "genesis": settings.genesis(genesis),
        "trust_node": trust_node,
        "post_quantum_only": post_quantum_only,
        "finalized": finalized,
        "max_cost": None if max_cost is None else settings.units(max_cost),
    }
    return Client(chosen, passphrase)


class Client:
    """A connection to a chain. Make one with `connect`.

    Threads may share it, and it works in a forked process, which makes a connection of its own. A pickled copy has the
    path of the key file and no secret: where it is loaded, ISTHMUS_PASSPHRASE opens the file.
    """

    def __init__(self, chosen: dict[str, Any], passphrase: str | None = None) -> None:
        self._settings = chosen
        passphrase = passphrase or os.environ.get("ISTHMUS_PASSPHRASE") or None
        options = settings.options(**chosen, passphrase=passphrase, memory=settings.memory())
        self._open: _native.Connection | None = _native.Connection(options)

    @property
    def _connection(self) -> _native.Connection:
        if self._open is None:
            raise ValueError("the client is closed")
        return self._open

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the client: calls of it raise ValueError from then on. Files that are open can be read on.

        Nothing has to be closed: a connection ends when no client and no file uses it any more.
        """
        self._open = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Client, (self._settings,)

    def __repr__(self) -> str:
        state = "closed" if self._open is None else f"as {self.account or 'no account'}"
        return f"<isthmus.Client at {' '.join(self._settings['urls'])}, {state}>"

    @property
    def account(self) -> str | None:
        """The address of the account to act as; `None` without a key."""
        return self._connection.account()

    @property
    def genesis(self) -> str:
        """The hash of the chain's first block."""
        return self._connection.genesis()

    def open(self, owner: str, dataset: int | None, record: str) -> RecordFile:
        """Opens a record as a binary file that can be read and sought.

        Only what is read is fetched, in chunks of about 1 MiB. Each is checked against the chain and decrypted.
        `dataset` is the number of the owner's dataset; with `None`, the record may be in any.

        Raises FileNotFoundError if the owner has no such record there, and PermissionError if the account has no grant
        that opens it: also while it is read, once the grant has ended.
        """
        return RecordFile(NamedRecord(self, owner, dataset, record))

    def handle(
        self, owner: str, dataset: int | None, record: str, *, url: str | Sequence[str] | None = None
    ) -> RecordHandle:
        """Opens a record, and returns what another process needs to read it: the record's key, and no other secret.

        The process needs no account, and fetches from the nodes at `url`, by default those of this client.

        Raises what `open` raises.
        """
        return self.handle_of(self.open(owner, dataset, record), url=url)

    def handle_of(self, file: RecordFile, *, url: str | Sequence[str] | None = None) -> RecordHandle:
        """Returns the handle of a record that is open."""
        reading = file._reading
        entry, secret = reading.handle()
        start, length = (reading.start, reading.size) if isinstance(reading, Window) else (0, None)
        urls = tuple(self._settings["urls"] if url is None else settings.urls(url))
        timeout = self._settings["timeout"]
        return RecordHandle(urls, timeout, self.genesis, file.owner, file.name, entry, secret, start, length)

    def datasets(self, owner: str | None = None) -> list[Dataset]:
        """Lists the datasets of an owner: by default, of this account."""
        owner = self._or_self(owner)
        return [Dataset.of(owner, entry) for entry in self._connection.datasets(owner)]

    def records(self, owner: str | None = None, dataset: int | None = None) -> list[Record]:
        """Lists the records of an owner, by dataset, epoch and leaf: all of them, or those of a dataset."""
        owner = self._or_self(owner)
        records = (Record.of(owner, entry) for entry in self._connection.records(owner))
        wanted = (record for record in records if dataset in (None, record.dataset))
        return sorted(wanted, key=lambda record: (record.dataset, record.epoch, record.leaf))

    def received(self, account: str | None = None) -> list[Grant]:
        """Lists the grants that an account received: by default, this one."""
        return self._grants(account, received=True)

    def given(self, account: str | None = None) -> list[Grant]:
        """Lists the grants that an account gave: by default, this one."""
        return self._grants(account, received=False)

    def called(self, what: Grant | Request | Record, card: str | os.PathLike[str]) -> str | None:
        """Returns what the dataset's card calls the leaves of a grant or a request, or the leaf of a record.

        It is text that `request` and `authorize` take, such as `2025-03..2025-05`; `None` if the card has no names that stand
        for these leaves and no others.

        Raises NotAuthentic if the file is not the card whose hash is on the chain, and LookupError if there is none.
        """
        leaves = range(what.leaf, what.leaf + 1) if isinstance(what, Record) else what.leaves
        placed: _native._Placed = {
            "owner": what.owner,
            "dataset": what.dataset,
            "epoch": what.epoch,
            "first": leaves.start,
            "end": leaves.stop,
            "card": os.fspath(card),
        }
        return _native.called(self._connection, placed)

    def requests_sent(self) -> dict[str, int]:
        """Counts the requests that this process has sent to nodes, by method."""
        return self._connection.requests_sent()

    def register(self, name: str, kind: str = "other") -> None:
        """Registers the account as a producer: a `school`, `government`, `business` or `other`."""
        _native.register(self._connection, name, kind)

    def publish_key(self) -> None:
        """Registers a key to which grants are sealed, unless one is registered. Without one, a reader has to make a request."""
        _native.publish(self._connection)

    def create_dataset(self, name: str) -> Dataset:
        """Creates a dataset, and returns it."""
        number = _native.create_dataset(self._connection, name)
        return next(dataset for dataset in self.datasets() if dataset.number == number)

    def locate(self, dataset: int, *locations: str) -> None:
        """Publishes where the objects of a dataset are: URLs such as `file:///folder`, or none to withdraw them."""
        _native.locate(self._connection, dataset, list(locations))

    def store(
        self,
        source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes],
        name: str | None = None,
        *,
        dataset: int | None = None,
        leaf: int | None = None,
        object: bool | None = None,
        public_name: bool = False,
        progress: Tell | None = None,
    ) -> Stored:
        """Encrypts and stores a file or a folder, bytes, or what a binary file object has.

        `name` is by default that of the file, `dataset` the account's only one, and `leaf` the next free one. An
        interrupted call resumes when it is made again, and the same content is not sent twice. With `object`, the
        encrypted bytes go to the first location of the dataset that can be written to; by default, what is longer than
        1 MiB does, if the dataset has locations. `public_name` shows the name to everyone.

        What a file object has is read to its end first, unless it is stored as an object.

        Raises FileExistsError if another content is stored under the name, and FileNotFoundError if there is no such
        file or dataset.
        """
        what: _native._ToStore = {
            "path": None,
            "content": None,
            "file": None,
            "name": name,
            "dataset": dataset,
            "leaf": leaf,
            "object": object,
            "public_name": public_name,
        }
        if isinstance(source, (str, os.PathLike)):
            what["path"] = os.fspath(source)
        elif isinstance(source, (bytes, bytearray, memoryview)):
            what["content"] = bytes(source)
        elif hasattr(source, "read"):
            what["file"] = source
        else:
            raise TypeError(f"expected a path, bytes or a binary file, not {type(source).__name__}")
        stored = _native.store(self._connection, what, _teller(progress))
        return Stored(owner=self._or_self(None), **stored)

    def frames_left(self, dataset: int) -> list[LeftFrame]:
        """Lists what data frames have left in the store of a dataset of this account that are not on the chain.

        Their jobs were killed, or are still at work: see `LeftFrame.modified`.
        """
        return [LeftFrame.of(dataset, entry) for entry in _native.frames_left(self._connection, dataset)]

    def give_up_frame(self, left: LeftFrame) -> None:
        """Deletes what a data frame has left in the store, and spends its leaves. Its job can no longer store it.

        Waits until it is proven that the frame cannot come onto the chain any more. What the tasks could open of other programs'
        records is logged as a warning. Raises LookupError if nothing is left of it.
        """
        _, spent, exposed = _native.give_up_frame(self._connection, left.dataset, left.mark)
        tell_exposed(spent, exposed)

    def remove(self, name: str, *, alone: bool = False, progress: Tell | None = None) -> int | None:
        """Removes a record of the account, or a folder with its files; with `alone`, only the record itself.

        Returns how many files were removed with a folder. Nodes that keep old blocks keep the encrypted bytes.
        """
        _, files = _native.remove(self._connection, name, alone, _teller(progress))
        return files

    def request(
        self,
        owner: str,
        leaves: range | int | str,
        purpose: str,
        *,
        dataset: int | None = None,
        epoch: int | None = None,
        card: str | os.PathLike[str] | None = None,
        term: int = TERM,
        offer: Decimal | int | float | str = 0,
        firm: bool = False,
        code: str = "unspecified",
    ) -> Request:
        """Asks an owner for access to leaves, and returns the request.

        `leaves` are `range(0, 12)`, one number, or text: `0..12`, which ends before leaf 12, or the first and the last by the
        names of records or, with the dataset's `card`, by its names and dates, such as `2026-03..2026-05`.
        `purpose` is public, and `code` says the same to policies: for example `research`. `dataset` is by default the owner's only one, and `epoch` the current one. `term` is for how
        many blocks the grant has to last, and `offer` what the owner gets for it, in IST: it is held until then.
        """
        asked: _native._Asked = {
            "owner": owner,
            "dataset": dataset,
            "epoch": epoch,
            "leaves": settings.span(leaves),
            "card": None if card is None else os.fspath(card),
            "purpose": purpose,
            "code": code,
            "term": term,
            "offer": settings.units(offer),
            "firm": firm,
        }
        return Request.of(_native.request(self._connection, asked))

    def requests(self, *, mine: bool = False) -> list[Request]:
        """Lists the open requests that the account received or, with `mine`, made."""
        entries = _native.requests(self._connection, mine)
        return sorted((Request.of(entry) for entry in entries), key=lambda request: request.number)

    def cancel(self, request: Request | int) -> int | None:
        """Cancels a request of the account. One with an offer can still be granted until the block that is returned."""
        return _native.cancel(self._connection, _number(request))

    def reject(self, request: Request | int, reason: str = "") -> None:
        """Rejects a request to the account. `reason` is public."""
        _native.reject(self._connection, _number(request), reason)

    def authorize(
        self,
        request: Request | int | None = None,
        *,
        to: str | None = None,
        leaves: range | int | str | None = None,
        dataset: int | None = None,
        epoch: int | None = None,
        card: str | os.PathLike[str] | None = None,
        all_between: bool = False,
        term: int = TERM,
        until: date | datetime | str | None = None,
        when: str | None = None,
        confirmations: int | None = None,
    ) -> Grant:
        """Grants a request exactly as it asks, or grants access `to` a reader that did not ask, and returns the grant.

        A request is answered once it is finalized or, for chains without verifiers, once it has `confirmations` blocks.
        Without a request, `leaves` are opened for `term` blocks, and at most `until` a date, under the condition
        `when`. They are written as in `request`. Between two records that are named, another one is refused by its name,
        unless `all_between` is set. A range in which leaves were erased is refused: `authorize_left` grants what is left.
        """
        [grant] = self._give(
            False,
            request,
            to=to,
            leaves=leaves,
            dataset=dataset,
            epoch=epoch,
            card=card,
            all_between=all_between,
            term=term,
            until=until,
            when=when,
            confirmations=confirmations,
        )
        return grant

    def authorize_left(
        self,
        request: Request | int | None = None,
        *,
        to: str | None = None,
        leaves: range | int | str | None = None,
        dataset: int | None = None,
        epoch: int | None = None,
        card: str | os.PathLike[str] | None = None,
        all_between: bool = False,
        term: int = TERM,
        until: date | datetime | str | None = None,
        when: str | None = None,
        confirmations: int | None = None,
    ) -> list[Grant]:
        """Grants what `authorize` does and, of a range in which leaves were erased, what is left: a grant for each range.

        A request for such a range is rejected in the same step, once it is final, with a reason that names the erased
        leaves. One that offers a payment or asks for a firm term is refused, because only its answer is paid for.
        """
        return self._give(
            True,
            request,
            to=to,
            leaves=leaves,
            dataset=dataset,
            epoch=epoch,
            card=card,
            all_between=all_between,
            term=term,
            until=until,
            when=when,
            confirmations=confirmations,
        )

    def _give(
        self,
        left: bool,
        request: Request | int | None,
        *,
        to: str | None,
        leaves: range | int | str | None,
        dataset: int | None,
        epoch: int | None,
        card: str | os.PathLike[str] | None,
        all_between: bool,
        term: int,
        until: date | datetime | str | None,
        when: str | None,
        confirmations: int | None,
    ) -> list[Grant]:
        """Gives grants, and with `left` several."""
        if request is not None:
            if to is not None or leaves is not None:
                raise ValueError("a request is granted as it asks: pass it alone, or pass to= and leaves=")
            return [Grant.of(grant) for grant in _native.answer(self._connection, _number(request), confirmations, left)]
        if to is None or leaves is None:
            raise ValueError("pass a request, or to= and leaves=")
        offered: _native._Offered = {
            "reader": to,
            "dataset": dataset,
            "epoch": epoch,
            "leaves": settings.span(leaves),
            "card": None if card is None else os.fspath(card),
            "all_between": all_between,
            "term": term,
            "until": settings.seconds(until),
            "when": when,
            "left": left,
        }
        return [Grant.of(grant) for grant in _native.authorize(self._connection, offered)]

    def grants(self) -> list[Grant]:
        """Lists the grants that the account gave and received."""
        grants = {grant.number: grant for grant in self.given() + self.received()}
        return [grants[number] for number in sorted(grants)]

    def revoke(self, grant: Grant | int) -> Revoked:
        """Revokes a grant of the account, and renews the other readers' grants for the epoch that begins.

        What was delivered is not recalled: a reader may have kept keys and data.
        """
        return Revoked.of(_native.revoke(self._connection, _number(grant)))

    def trace(
        self,
        what: str,
        account: str,
        of: int | str | None = None,
        *,
        first: int | None = None,
        last: int | None = None,
        progress: Tell | None = None,
    ) -> list[Event]:
        """Returns the history of a record, a dataset, a reader or an account, each event checked against its block.

            client.trace("record", owner, "2025-03.parquet")
            client.trace("dataset", owner, 0)
            client.trace("reader", account)

        `first` and `last` are blocks: by default, all that are finalized and of which the node has the history.
        """
        traced: _native._Traced = {
            "what": what,
            "account": account,
            "dataset": of if isinstance(of, int) else None,
            "record": of if isinstance(of, str) else None,
            "first": first,
            "last": last,
        }
        _, events = _native.trace(self._connection, traced, _teller(progress))
        return [Event.of(event) for event in events]

    def receipt(self, block: int, event: int | None = None, *, progress: Tell | None = None) -> Receipt:
        """Makes a proof of an event that `isthmus.verify` checks without a node, once the block is finalized.

        `event` is its number among the data-sharing events of the block, by default the only one.
        """
        number, told, content = _native.receipt(self._connection, block, event, _teller(progress))
        return Receipt(Event.of(told), number, content)

    def _grants(self, account: str | None, received: bool) -> list[Grant]:
        entries = self._connection.grants(self._or_self(account), received)
        return sorted((Grant.of(entry) for entry in entries), key=lambda grant: grant.number)

    def _or_self(self, account: str | None) -> str:
        account = account or self.account
        if account is None:
            raise ValueError("whose? Name an account, or connect with key=")
        return account

    # The last one, because its name would hide `list` in the others' types.
    def list(self, what: str, owner: str | None = None) -> list[Dataset] | list[Record] | list[Grant]:
        """Lists `datasets`, `records`, or grants that were `given` or `received`, as `isthmus list` does."""
        lists: dict[str, Callable[[str | None], Any]] = {
            "datasets": self.datasets,
            "records": self.records,
            "given": self.given,
            "received": self.received,
        }
        if what not in lists:
            raise ValueError(f"expected {', '.join(lists)}: {what!r}")
        return lists[what](owner)


def _number(named: Request | Grant | int) -> int:
    return named if isinstance(named, int) else named.number


def _teller(progress: Tell | None) -> Callable[[str, int, int, str | None], object] | None:
    return None if progress is None else lambda *told: progress(Progress(*told))
