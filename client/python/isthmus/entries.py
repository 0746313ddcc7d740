# SPDX-License-Identifier: Apache-2.0
"""What the chain lists: datasets, records and grants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any


def ist(amount: int) -> Decimal:
    """Returns an amount in IST, which the chain counts in its smallest unit."""
    return Decimal(amount).scaleb(-12)


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
    #: The condition under which it is good, if it has one.
    condition: str | None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Grant:
        leaves = range(entry.pop("first"), entry.pop("end"))
        until = entry.pop("until")
        date = None if until is None else datetime.fromtimestamp(until, timezone.utc)
        return cls(leaves=leaves, until=date, paid=ist(entry.pop("paid")), **entry)
