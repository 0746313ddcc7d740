# SPDX-License-Identifier: Apache-2.0
"""Handles: what another process needs to read one record, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from . import _native, settings
from .file import RecordFile, Window


@dataclass(frozen=True)
class RecordHandle:
    """Opens one record without an account. Make one with `Client.handle`.

    Its parts can be pickled: they are nodes, the record's entry as the chain proved it, and the key of this record. Who
    has the handle can read the record, and no other one, also after the grant has ended: it is a secret.
    """

    #: The nodes to fetch from.
    urls: tuple[str, ...]
    #: For how many seconds a node may be silent.
    timeout: int
    #: The hash of the chain's first block.
    genesis: str
    owner: str
    #: The record's name.
    name: str
    #: What the chain has about the record.
    entry: bytes = field(repr=False)
    #: The key that opens the record.
    secret: bytes = field(repr=False)
    #: Where the file begins in the record, and its length, if the record is a pack of a folder.
    start: int = 0
    length: int | None = None

    def open(self) -> RecordFile:
        """Opens the record as a file. Its bytes are fetched by their hashes, and checked.

        Raises ConnectionError if no node answers, and ValueError if the handle is of another chain or release.
        """
        return RecordFile(self)

    def reading(self) -> _native.Reading | Window:
        connection = _connection(self.urls, self.timeout, self.genesis)
        reading = _native.Reading.with_handle(connection, self.entry, self.secret)
        return reading if self.length is None else Window(reading, self.start, self.length)


@lru_cache(maxsize=8)
def _connection(urls: tuple[str, ...], timeout: int, genesis: str) -> _native.Connection:
    """Connects to a chain without an account. Handles of one chain share the connection."""
    return _native.Connection(settings.options(urls=list(urls), timeout=timeout, genesis=genesis))
