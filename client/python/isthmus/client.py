# SPDX-License-Identifier: Apache-2.0
"""The client: a connection to a chain, and what can be asked over it."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import _native
from .entries import Dataset, Grant, Record
from .file import RecordFile

#: The node's address, unless an argument or an environment variable names another.
DEFAULT_URL = "ws://127.0.0.1:9944"

log = logging.getLogger("isthmus")


def connect(
    url: str | Sequence[str] | None = None,
    *,
    key: str | os.PathLike[str] | None = None,
    passphrase: str | None = None,
    timeout: int = 60,
    genesis: str | None = None,
    trust_node: bool = False,
    post_quantum_only: bool = False,
) -> Client:
    """Connects to a node, and opens the key of the account to act as.

    What is not given comes from the variables that the `isthmus` command reads: ISTHMUS_URL, ISTHMUS_KEY,
    ISTHMUS_PASSPHRASE and ISTHMUS_GENESIS.

    `url` is the WebSocket address of a node. With several, the next one is asked when one is lost, lies or lags.
    `key` is a key file or, on a development chain, an account such as `//Alice`; without one, the client can list what
    is public. `timeout` is for how many seconds a node may be silent. `genesis` is the hash of the chain's first block;
    without it, the first use of an address decides which chain it leads to. `trust_node` believes a node on this
    machine without proofs.

    Raises ConnectionError if no node answers, PermissionError if the passphrase does not open the key file, and
    NotAuthentic if the node has another chain.
    """
    key = os.fspath(key) if key is not None else os.environ.get("ISTHMUS_KEY") or None
    if key is not None and not key.startswith("//"):
        # A worker process that gets a copy of the client may be in another folder.
        key = str(Path(key).absolute())
    settings = {
        "urls": _urls(url),
        "key": key,
        "timeout": timeout,
        "genesis": genesis or os.environ.get("ISTHMUS_GENESIS") or None,
        "trust_node": trust_node,
        "post_quantum_only": post_quantum_only,
    }
    return Client(settings, passphrase)


class Client:
    """A connection to a chain. Make one with `connect`.

    Threads may share it, and it works in a forked process, which makes a connection of its own. A pickled copy has the
    path of the key file and no secret: where it is loaded, ISTHMUS_PASSPHRASE opens the file.
    """

    def __init__(self, settings: dict[str, Any], passphrase: str | None = None) -> None:
        self._settings = settings
        passphrase = passphrase or os.environ.get("ISTHMUS_PASSPHRASE") or None
        options = settings | {"passphrase": passphrase, "memory": _memory(), "tell": log.warning}
        self._connection = _native.Connection(options)

    def __reduce__(self) -> tuple[Any, ...]:
        return Client, (self._settings,)

    def __repr__(self) -> str:
        return f"<isthmus.Client at {' '.join(self._settings['urls'])}, as {self.account or 'no account'}>"

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
        return RecordFile(self, owner, dataset, record)

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

    def list(self, what: str, owner: str | None = None) -> list[Dataset] | list[Record] | list[Grant]:
        """Lists `datasets`, `records`, or grants that were `given` or `received`, as `isthmus list` does."""
        lists = {"datasets": self.datasets, "records": self.records, "given": self.given, "received": self.received}
        if what not in lists:
            raise ValueError(f"expected {', '.join(lists)}: {what!r}")
        return lists[what](owner)

    def requests_sent(self) -> dict[str, int]:
        """Counts the requests that this process has sent to nodes, by method."""
        return self._connection.requests()

    def _grants(self, account: str | None, received: bool) -> list[Grant]:
        entries = self._connection.grants(self._or_self(account), received)
        return sorted((Grant.of(entry) for entry in entries), key=lambda grant: grant.number)

    def _or_self(self, account: str | None) -> str:
        account = account or self.account
        if account is None:
            raise ValueError("whose? Name an account, or connect with key=")
        return account


def _urls(url: str | Sequence[str] | None) -> list[str]:
    """Returns the nodes' addresses: several are a list, or text with spaces between them."""
    if url is None:
        url = os.environ.get("ISTHMUS_URL") or DEFAULT_URL
    return url.split() if isinstance(url, str) else list(url)


def _memory() -> str | None:
    """Returns the folder in which the command remembers chains; `None` if the user has none for settings."""
    home = os.environ.get("HOME")
    settings = os.environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
    return f"{settings}/isthmus" if settings else None
