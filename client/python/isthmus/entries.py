# SPDX-License-Identifier: Apache-2.0
"""What the chain lists, and what calls return: datasets, records, requests, grants and events."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from .settings import ist


@dataclass(frozen=True)
class Dataset:
    """A dataset of an owner."""

    owner: str
    number: int
    name: str
    #: A revocation starts the next epoch, whose keys are new.
    epoch: int
    #: How many grants the chain keeps, and how many requests are open.
    grants: int
    requests: int
    #: What a term of a grant costs, in IST; `None` if the dataset has no policy.
    price: Decimal | None
    #: The condition that a request must meet by the policy, if there is one.
    condition: str | None

    @classmethod
    def of(cls, owner: str, entry: dict[str, Any]) -> Dataset:
        price = entry.pop("price")
        return cls(owner=owner, price=None if price is None else ist(price), **entry)


@dataclass(frozen=True)
class Record:
    """A record of an owner."""

    owner: str
    #: The name: the key, in hexadecimal digits, if the record hides its name from this account.
    name: str
    #: The record's key on the chain, in hexadecimal digits.
    key: str
    dataset: int
    epoch: int
    leaf: int
    #: How many bytes the chain keeps for it: a little more than its content has.
    encrypted_size: int
    #: Whether all of it has arrived.
    complete: bool
    #: The block that brought its last bytes.
    block: int

    @property
    def url(self) -> str:
        """The record's address, for data tools."""
        return f"isthmus://{self.owner}/{self.dataset}/{self.name}"

    @classmethod
    def of(cls, owner: str, entry: dict[str, Any]) -> Record:
        return cls(owner=owner, **entry)


@dataclass(frozen=True)
class Grant:
    """A grant: it opens a range of a dataset's leaves to a reader."""

    number: int
    owner: str
    reader: str
    #: `active`, `suspended`, `expired` or `revoked`.
    state: str
    dataset: int
    epoch: int
    #: The leaves that it opens.
    leaves: range
    #: The first block in which it is no longer active.
    expiry: int
    #: The date from which it is no longer active, if it has one.
    until: datetime | None
    #: What was paid for it, in IST.
    paid: Decimal
    #: The code of the purpose that the request stated which it answers, or `unspecified`.
    code: str
    #: The condition under which it is good, if it has one.
    condition: str | None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Grant:
        leaves = range(entry.pop("first"), entry.pop("end"))
        until = entry.pop("until")
        date = None if until is None else datetime.fromtimestamp(until, timezone.utc)
        return cls(leaves=leaves, until=date, paid=ist(entry.pop("paid")), **entry)


@dataclass(frozen=True)
class Request:
    """An open request for access."""

    number: int
    owner: str
    consumer: str
    dataset: int
    epoch: int
    #: The leaves that are asked for.
    leaves: range
    purpose: str
    #: The purpose by its code, such as `research`, or `unspecified`.
    code: str
    #: For how many blocks the grant has to last.
    term: int
    #: What the owner gets when it grants the request, in IST.
    offer: Decimal
    #: Whether the grant may not be revoked before its term is over.
    firm: bool
    #: The first block in which it is no longer open.
    valid_until: int
    #: What the dataset's policy says: `Meets`, `NoPolicy`, or why it does not meet it.
    verdict: str

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Request:
        leaves = range(entry.pop("first"), entry.pop("end"))
        return cls(leaves=leaves, offer=ist(entry.pop("offer")), **entry)


@dataclass(frozen=True)
class Stored:
    """A record that was stored."""

    owner: str
    name: str
    #: The record's key on the chain, in hexadecimal digits.
    key: str
    dataset: int
    epoch: int
    leaf: int
    #: The length of the content in bytes: of a folder, of all its files.
    size: int
    #: The block; `None` if the content was stored already, and nothing was sent.
    block: int | None
    #: How many files the folder has; `None` if it is not a folder.
    files: int | None
    #: Where the object is; `None` if the bytes are on the chain.
    location: str | None
    #: How many other accounts can read it.
    readers: int
    #: Whether an earlier upload stored part or all of it.
    resumed: bool

    @property
    def url(self) -> str:
        """The record's address, for data tools. An object is found by its key."""
        return f"isthmus://{self.owner}/{self.dataset}/{self.name if self.location is None else self.key}"


@dataclass(frozen=True)
class LeftFrame:
    """What a data frame that was not stored has left in the store: its job was killed, or is still at work."""

    dataset: int
    #: What the names of its objects begin with.
    mark: str
    location: str
    #: The leaves whose keys its tasks have.
    leaves: range
    #: How many objects there are, whole or in part, and how many bytes they have.
    objects: int
    size: int
    #: When the last one of them was written.
    modified: datetime

    @classmethod
    def of(cls, dataset: int, entry: dict[str, Any]) -> LeftFrame:
        first = entry.pop("leaf")
        leaves = range(first, first + entry.pop("parts"))
        modified = datetime.fromtimestamp(entry.pop("modified"), timezone.utc)
        return cls(dataset=dataset, leaves=leaves, modified=modified, **entry)


@dataclass(frozen=True)
class Revoked:
    """A grant that was revoked."""

    grant: int
    reader: str
    #: The block; `None` if it was revoked before.
    block: int | None
    #: What was paid back of the term, in IST.
    refunded: Decimal
    #: The epoch that began, and the grants of the other readers for it. `None` if none began.
    epoch: int | None
    renewed: list[int]
    #: The readers whose grants were not renewed, and why. Revoke again to renew them.
    skipped: list[tuple[str, str]]
    #: The reader's other grants on the dataset, which stay active.
    left: list[int]
    #: Whether another program began an epoch at the same time, and may have granted it to the reader.
    overtaken: bool
    #: What stopped the renewal early, if anything did. Revoke again to resume it.
    stopped: str | None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Revoked:
        return cls(refunded=ist(entry.pop("refunded")), **entry)


@dataclass(frozen=True)
class Event:
    """Something that happened on the chain."""

    #: What happened: for example `Authorized`.
    name: str
    block: int
    #: The transaction's index in the block; `None` for what the chain did on its own.
    transaction: int | None
    #: What the event tells, as `isthmus trace --json` shows it: amounts are in the smallest unit.
    fields: dict[str, Any]

    @classmethod
    def of(cls, told: tuple[int, int | None, str]) -> Event:
        block, transaction, text = told
        fields = json.loads(text)
        return cls(fields.pop("event"), block, transaction, fields)


@dataclass(frozen=True)
class Receipt:
    """A proof of an event, which anyone checks with `isthmus.verify` or `isthmus verify`."""

    event: Event
    #: The event's number among the data-sharing events of its block.
    number: int
    content: bytes = field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the receipt to a file, which must not be there yet."""
        with Path(path).open("xb") as file:
            file.write(self.content)


@dataclass(frozen=True)
class Verified:
    """What a receipt proves."""

    event: Event
    #: The event's number among the data-sharing events of its block.
    number: int
    #: The hash of its block, and of the chain's first one.
    block_hash: str
    genesis: str
    #: When the block was made, if it says so.
    time: datetime | None
    #: Whether the chain's verifiers are development accounts: then anyone can make such a receipt.
    development: bool


class Progress(NamedTuple):
    """How far a long call has come."""

    #: `naming`, `sending`, `checking`, `fetching`, `searching` or `calling`.
    stage: str
    #: Bytes, blocks of a search, or calls of a removal.
    done: int
    total: int
    #: The file of a folder.
    file: str | None
