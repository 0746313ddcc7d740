# SPDX-License-Identifier: Apache-2.0
"""A record as a file."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from . import _native

if TYPE_CHECKING:
    from .client import Client

#: How many bytes of a record's content are kept in memory, so that tools that read a place again do not fetch it again.
KEPT = 64 << 20


class RecordFile(io.BufferedReader):
    """A record of an owner, as a binary file. Make one with `Client.open`.

    It works in a forked process, and a pickled copy opens the record again, at the same place.
    """

    def __init__(self, client: Client, owner: str, dataset: int | None, record: str) -> None:
        self._opened = (client, owner, dataset, record)
        super().__init__(_Raw(_native.Reading(client._connection, owner, dataset, record)))

    @property
    def name(self) -> str:
        """The record's name."""
        return self._opened[3]

    @property
    def size(self) -> int:
        """The length of the record's content in bytes."""
        return self._reading.size

    @property
    def fetched(self) -> int:
        """How many bytes were fetched so far."""
        return self.raw.fetched

    @property
    def _reading(self) -> _native.Reading:
        return self.raw.reading

    def files(self) -> list[dict[str, Any]] | None:
        """Returns the files that the record lists, if it is a stored folder; `None` if it is not."""
        return self._reading.files()

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_at, (*self._opened, self.tell())

    def __repr__(self) -> str:
        _, owner, _, record = self._opened
        return f"<isthmus.RecordFile {record!r} of {owner}, {self.size:,} bytes>"


def _open_at(client: Client, owner: str, dataset: int | None, record: str, place: int) -> RecordFile:
    file = RecordFile(client, owner, dataset, record)
    file.seek(place)
    return file


class _Raw(io.RawIOBase):
    """The content of a record. Fetches whole chunks, and keeps those that were read last."""

    def __init__(self, reading: _native.Reading) -> None:
        self.reading = reading
        self.fetched = 0
        self._at = 0
        self._chunks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.reading.size}
        if whence not in starts:
            raise ValueError(f"invalid whence: {whence}")
        at = starts[whence] + offset
        if at < 0:
            raise ValueError(f"negative seek position {at}")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        end = min(self._at + len(view), self.reading.size)
        start = self._at
        while self._at < end:
            number, skip = divmod(self._at, self.reading.chunk_size)
            piece = self._chunk(number, end)[skip : skip + end - self._at]
            view[self._at - start :][: len(piece)] = piece
            self._at += len(piece)
        return max(0, self._at - start)

    def readall(self) -> bytes:
        buffer = bytearray(max(0, self.reading.size - self._at))
        self.readinto(buffer)
        return bytes(buffer)

    def _chunk(self, number: int, end: int) -> bytes:
        """Returns a chunk. If it has to be fetched, those after it that are missing up to byte `end` come with it."""
        if number not in self._chunks:
            size = self.reading.chunk_size
            last = number
            while (last + 1) * size < end and last + 1 not in self._chunks:
                last += 1
            # More would not be kept.
            last = min(last, number + max(KEPT // size, 1) - 1)
            content = self.reading.read(number * size, (last + 1 - number) * size)
            self.fetched += len(content)
            for at in range(number, last + 1):
                self._chunks[at] = content[(at - number) * size :][:size]
            while len(self._chunks) > max(KEPT // size, last + 1 - number):
                self._chunks.popitem(last=False)
        self._chunks.move_to_end(number)
        return self._chunks[number]
