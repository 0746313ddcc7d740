# SPDX-License-Identifier: Apache-2.0
"""A record as a file."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from dataclasses import dataclass
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from . import _native

if TYPE_CHECKING:
    from .client import Client

#: How many bytes of a record's content are kept in memory, so that tools that read a place again do not fetch it again.
KEPT = 64 << 20
#: How far a search for the end of a line looks ahead, in bytes.
AHEAD = 8 << 10


class Opener(Protocol):
    """What opens a record, also in another process."""

    @property
    def name(self) -> str: ...

    def reading(self) -> _native.Reading | Window: ...


@dataclass(frozen=True)
class Window:
    """A part of a record that is read, as if it were all of it."""

    pack: _native.Reading
    start: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Returns bytes of the part from an offset on: fewer at its end, and none after it."""
        length = min(length, self.size - offset)
        return self.pack.read(self.start + offset, length) if length > 0 else b""

    def files(self) -> None:
        """A file in a pack lists no files."""

    def handle(self) -> tuple[bytes, bytes]:
        """Returns the two parts of the handle of the record."""
        return self.pack.handle()

    @property
    def owner(self) -> str:
        return self.pack.owner

    @property
    def key(self) -> str:
        return self.pack.key

    @property
    def content_hash(self) -> str:
        return self.pack.content_hash

    @property
    def chunk_size(self) -> int:
        return self.pack.chunk_size


@dataclass(frozen=True)
class PackedFile:
    """A file in the pack of a folder, which is a part of a record."""

    pack: NamedRecord
    name: str
    start: int
    length: int

    def reading(self) -> Window:
        return Window(self.pack.reading(), self.start, self.length)


@dataclass(frozen=True)
class NamedRecord:
    """A record that a client opens by its name."""

    client: Client
    owner: str
    dataset: int | None
    name: str

    def reading(self) -> _native.Reading:
        try:
            return _native.Reading(self.client._connection, self.owner, self.dataset, self.name)
        except FileNotFoundError as error:
            if why := self._why_hidden():
                raise PermissionError(why) from error
            raise

    def _why_hidden(self) -> str | None:
        """Returns why the account cannot find a name that the chain does not show, if its grants have all ended."""
        if self.client.account in (None, self.owner):
            return None
        received = [grant for grant in self.client.received() if grant.owner == self.owner]
        grants = [grant for grant in received if self.dataset in (None, grant.dataset)]
        if not grants or any(grant.state == "active" for grant in grants):
            return None
        last = grants[-1]
        return f"no record {self.name} is open to this account, whose grant {last.number} is {last.state}"


class RecordFile(io.BufferedIOBase):
    """A record of an owner, as a binary file. Make one with `Client.open` or `RecordHandle.open`.

    It fetches whole chunks, and keeps those that were read last. It works in a forked process, and a pickled copy opens
    the record again, at the same place. Threads may share it if each seeks before it reads: a thread reads where it has
    sought, whatever the others do in between. DuckDB does that.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._reading = opener.reading()
        self._chunks: OrderedDict[int, bytes] = OrderedDict()
        self._at = 0
        # Where threads have sought that have not read since. There are no locks in this class: one that another thread
        # holds would stay locked in a forked process.
        self._sought: dict[int, int] = {}
        #: How many bytes were fetched so far.
        self.fetched = 0

    @property
    def name(self) -> str:
        """The record's name."""
        return self._opener.name

    @property
    def owner(self) -> str:
        """The record's owner."""
        return self._reading.owner

    @property
    def key(self) -> str:
        """The record's key on the chain, in hexadecimal digits."""
        return self._reading.key

    @property
    def size(self) -> int:
        """The length of the record's content in bytes."""
        return self._reading.size

    @property
    def chunk_size(self) -> int:
        """How many bytes are fetched together."""
        return self._reading.chunk_size

    def files(self) -> list[dict[str, Any]] | None:
        """Returns the files that the record lists, if it is a stored folder; `None` if it is not."""
        return self._reading.files()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._sought.get(get_ident(), self._at)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size}
        if whence not in starts:
            raise ValueError(f"invalid whence: {whence}")
        at = starts[whence] + offset
        if at < 0:
            raise ValueError(f"negative seek position {at}")
        self._at = self._sought[get_ident()] = at
        return at

    def read(self, size: int | None = -1) -> bytes:
        start, end = self._take(size)
        pieces = []
        while start < end:
            pieces.append(self._piece(start, end))
            start += len(pieces[-1])
        return b"".join(pieces)

    def read1(self, size: int = -1) -> bytes:
        return self.read(AHEAD if size is None or size < 0 else size)

    def peek(self, size: int = 0) -> bytes:
        """Returns what comes next, without reading on: at least a byte, if there is one."""
        start = self.tell()
        end = min(start + AHEAD, self.size)
        return self._piece(start, end) if start < end else b""

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_at, (self._opener, self._reading.content_hash, self.tell())

    def __repr__(self) -> str:
        return f"<isthmus.RecordFile {self.name!r} of {self.owner}, {self.size:,} bytes>"

    def _take(self, size: int | None) -> tuple[int, int]:
        """Returns from where to where to read, and moves on."""
        if self.closed:
            raise ValueError("read of closed file")
        start = self._sought.pop(get_ident(), None)
        if start is None:
            # The file was handed to this thread: what others sought before is over.
            self._sought.clear()
            start = self._at
        rest = max(0, self.size - start)
        end = start + (rest if size is None or size < 0 else min(size, rest))
        self._at = end
        return start, end

    def _piece(self, start: int, end: int) -> bytes:
        """Returns the bytes from `start` to `end`, or to the end of the chunk that has the first of them."""
        number, skip = divmod(start, self.chunk_size)
        return self._chunk(number, end)[skip : skip + end - start]

    def _chunk(self, number: int, end: int) -> bytes:
        """Returns a chunk. If it has to be fetched, those after it that are missing up to byte `end` come with it."""
        chunk = self._chunks.get(number)
        if chunk is not None:
            # At the end of the order is what was used last.
            self._chunks[number] = self._chunks.pop(number, chunk)
            return chunk
        size, most = self.chunk_size, max(KEPT // self.chunk_size, 1)
        count = 1
        while (number + count) * size < end and number + count not in self._chunks and count < most:
            count += 1
        content = self._reading.read(number * size, count * size)
        self.fetched += len(content)
        fetched = [content[at * size :][:size] for at in range(count)]
        self._chunks.update(enumerate(fetched, number))
        while len(self._chunks) > most:
            self._chunks.popitem(last=False)
        return fetched[0]


def _open_at(opener: Opener, content_hash: str, place: int) -> RecordFile:
    file = RecordFile(opener)
    if file._reading.content_hash != content_hash:
        raise _native.NotAuthentic("the record was removed and stored again")
    file.seek(place)
    return file
