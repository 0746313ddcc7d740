# SPDX-License-Identifier: Apache-2.0
"""Stores data frames from Spark: `frame.write.format("isthmus").mode("append").save("isthmus://OWNER/DATASET/NAME")`.

The driver chooses a leaf for each partition, and gives the tasks the keys of those leaves and the store's address. A task
encrypts its partition as a Parquet file, and sends it to the store. When all are there, the driver puts all of them on the
chain in one transaction. See `isthmus.spark`.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow
import pyarrow.parquet
from pyspark import TaskContext
from pyspark.sql.datasource import DataSourceArrowWriter, WriterCommitMessage
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from . import _native
from .client import Client, connect, tell_exposed
from .filesystem import IsthmusFileSystem

#: For how many partitions leaves are planned, unless the option `parts` says otherwise.
PARTS = 32
#: About how many bytes of Arrow batches make a row group.
ROW_GROUP = 64 << 20

log = logging.getLogger("isthmus")


def plan(options: Any, schema: StructType, overwrite: bool) -> IsthmusWriter:
    """Plans what a job stores, where the driver runs."""
    if "passphrase" in options:
        # The options of a data source are shown, and copied to other processes.
        raise ValueError("the passphrase is no option: set ISTHMUS_PASSPHRASE where the driver runs")
    if overwrite:
        words = "nothing is overwritten: use mode('append') and another name, or remove the record first"
        raise ValueError(words)
    path = IsthmusFileSystem._strip_protocol(options.get("path") or "")
    owner, _, below = path.partition("/")
    dataset, _, name = below.partition("/")
    if not name or "/" in name:
        raise ValueError(f"expected save('isthmus://OWNER/DATASET/NAME'), not {options.get('path')!r}")
    client = connect(
        options.get("url"),
        key=options.get("key"),
        genesis=options.get("genesis"),
        max_cost=options.get("maxcost"),
        # A frame is only left alone when it is final.
        finalized=True,
    )
    if owner != client.account:
        raise PermissionError(f"only {owner} stores in its datasets, and this account is {client.account}")
    # What can be refused is refused before leaves are planned.
    columns = to_arrow_schema(schema, timezone="UTC")
    what: _native._ToPlan = {
        "name": name,
        "dataset": IsthmusFileSystem(client=client).number(owner, dataset),
        "leaf": _number(options, "leaf", None),
        "parts": _number(options, "parts", PARTS) or 0,
        "public_name": _is_set(options, "publicname"),
    }
    planned = _native.plan_frame(client._connection, what)
    try:
        _keep(planned["mark"], client)
    except BaseException:
        # Spark aborts only what it got a writer for.
        _native.abort_frame(client._connection, planned["frame"])
        raise
    log.info("storing %s from leaf %s on, as objects %s…", name, planned["leaf"], planned["mark"])
    return IsthmusWriter(columns, planned["frame"], planned["keys"], planned["mark"], what["parts"])


@dataclass(frozen=True)
class PartStored(WriterCommitMessage):
    """What a task stored: `None` if its partition has no rows."""

    part: bytes | None


class IsthmusWriter(DataSourceArrowWriter):
    """Writes partitions, in tasks, and registers them, where the driver runs.

    It is copied to the tasks, with the keys of this frame's leaves, and with no other secret. What the driver connects with
    stays there, in a file.
    """

    def __init__(self, schema: pyarrow.Schema, frame: bytes, keys: bytes, mark: str, parts: int) -> None:
        self._schema = schema
        self._frame = frame
        self._keys = keys
        self._mark = mark
        self._parts = parts

    def write(self, iterator: Iterator[pyarrow.RecordBatch]) -> PartStored:
        """Encrypts a partition and sends it, in a task. Each attempt stores an object of its own."""
        number = _partition()
        parquet = Parquet(iterator, self._schema)
        # The first partition is stored in any case, so that a frame without rows has columns.
        if number and parquet.is_empty:
            return PartStored(None)
        return PartStored(_native.store_part(self._frame, self._keys, number, cast(IO[bytes], parquet)))

    def commit(self, messages: list[WriterCommitMessage | None]) -> None:
        """Registers all partitions in one transaction, when all tasks have stored theirs."""
        parts = [stored.part for stored in messages if isinstance(stored, PartStored) and stored.part is not None]
        paths = [f"part-{number:05}.parquet" for number in range(self._parts)]
        committed = _native.commit_frame(self._client()._connection, self._frame, parts, paths)
        log.info("stored %s partitions in block %s: %s", len(parts), committed["block"], committed["key"])
        if committed["left"]:
            log.warning("objects %s… may be left in the store: %s", self._mark, committed["left"])
        self._ended(committed["spent"], committed["exposed"])

    def abort(self, messages: Sequence[WriterCommitMessage | None]) -> None:
        """Deletes what all attempts of all tasks stored."""
        stored, spent, exposed = _native.abort_frame(self._client()._connection, self._frame)
        if stored:
            log.warning("the data frame is on the chain, although the job failed after that")
        self._ended(spent, exposed)

    def _client(self) -> Client:
        """Connects as the account that planned the frame."""
        path = _kept(self._mark)
        try:
            kept = json.loads(path.read_text())
        except FileNotFoundError:
            words = (
                f"{path} is not there, which says how the driver connects: a data frame is committed on the machine, and by the user "
                "and with the HOME, that planned it. Client.frames_left finds what it has stored, and give_up_frame deletes that"
            )
            raise RuntimeError(words) from None
        return Client(kept)

    def _ended(self, spent: bool, exposed: list[tuple[int, str]]) -> None:
        tell_exposed(spent, exposed)
        _kept(self._mark).unlink(missing_ok=True)


class Parquet:
    """A partition as a Parquet file, which is made while it is read: nothing is written to a disk.

    All partitions have the columns that the driver computed, also those without rows.
    """

    def __init__(self, batches: Iterator[pyarrow.RecordBatch], columns: pyarrow.Schema) -> None:
        self._batches = (batch for batch in batches if batch.num_rows)
        self._next = next(self._batches, None)
        #: Whether there are no rows.
        self.is_empty = self._next is None
        self._made = _Made()
        self._columns = columns
        self._writer: pyarrow.parquet.ParquetWriter | None = pyarrow.parquet.ParquetWriter(self._made, columns)

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes of the file: of a row group, at least, whatever the size. None after its end."""
        while not self._made.pieces and self._writer is not None:
            self._row_group(self._writer)
        return self._made.take()

    def _row_group(self, writer: pyarrow.parquet.ParquetWriter) -> None:
        """Writes the next row group or, if there is none, the end of the file."""
        group, size = [], 0
        while self._next is not None and size < ROW_GROUP:
            group.append(self._next)
            size += self._next.nbytes
            self._next = next(self._batches, None)
        if group:
            # Spark makes batches in the time zone of the session, for example.
            table = pyarrow.Table.from_batches(group).cast(self._columns)
            writer.write_table(table, row_group_size=table.num_rows)
        else:
            writer.close()
            self._writer = None


class _Made:
    """Collects what is written, until it is taken."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._length = 0

    def write(self, content: Any) -> int:
        piece = bytes(content)
        self.pieces.append(piece)
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._length

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken


def _partition() -> int:
    """Returns the number of the partition that this task writes."""
    context = TaskContext.get()
    if context is None:
        raise RuntimeError("a partition is written by a task of Spark")
    return context.partitionId()


def _number(options: Any, name: str, default: int | None) -> int | None:
    """Returns a number that is given by an option."""
    text = options.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise ValueError(f"expected a number as the option {name}: {text!r}")
    # What is too large is refused by its name, too.
    return min(int(text), 0xFFFF if name == "parts" else 0xFFFF_FFFF)


def _is_set(options: Any, name: str) -> bool:
    """Returns whether an option is set to true."""
    text: str = options.get(name, "false").lower()
    if text not in ("true", "false"):
        raise ValueError(f"expected true or false as the option {name}: {text!r}")
    return text == "true"


def _keep(mark: str, client: Client) -> None:
    """Keeps what the driver connects with, for its process that commits. It has the path of the key file, and no secret of it.

    Spark copies the writer to tasks as it is, so this cannot be a part of it.
    """
    path = _kept(mark)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as kept:
        json.dump(client._settings, kept)


def _kept(mark: str) -> Path:
    """Returns the file of what the driver connects with: in the folder in which the command keeps its state."""
    home = os.environ.get("HOME")
    folder = Path(home, ".local", "state", "isthmus") if home else Path(tempfile.gettempdir())
    return folder / f"isthmus-frame-{mark}.json"
