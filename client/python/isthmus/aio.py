# SPDX-License-Identifier: Apache-2.0
"""The client for programs that use asyncio.

    import isthmus.aio

    client = await isthmus.aio.connect(key="company.key")
    grants = await client.received()
    async with await client.open(owner, 0, "2025-03.parquet") as file:
        content = await file.read()

`AsyncClient` has the calls of `isthmus.Client`, with the same arguments, results and errors. Each runs in a thread of asyncio's
(`asyncio.to_thread`), without Python's lock while it waits, so the event loop runs on. Functions for progress are called in that thread.

A task that is cancelled stops waiting at once. Its call ends, too, when it next tells its progress, if it is `store`, `remove`,
`trace` or `receipt`; the same `store` again resumes. Other calls run to their end in their threads: a transaction that was on its
way may still be sent, so look at the lists before you repeat it. `asyncio.run` waits for these threads before it returns.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from . import client as blocking
from .client import Client, Tell
from .entries import Progress
from .file import RecordFile

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


async def connect(*arguments: Any, **options: Any) -> AsyncClient:
    """Connects to a node, as `isthmus.connect` does, with the same arguments and errors."""
    return AsyncClient(await asyncio.to_thread(blocking.connect, *arguments, **options))


def _twin(
    method: Callable[Concatenate[Client, Arguments], Value],
) -> Callable[Concatenate[AsyncClient, Arguments], Coroutine[Any, Any, Value]]:
    """Returns a method that does the same in a thread."""
    tells = "progress" in inspect.signature(method).parameters

    @functools.wraps(method)
    async def twin(self: AsyncClient, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> Value:
        cancelled = threading.Event()
        if tells:
            options["progress"] = _until(cancelled, cast("Tell | None", options.get("progress")))
        try:
            return await asyncio.to_thread(method, self.client, *arguments, **options)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    return twin


def _until(cancelled: threading.Event, progress: Tell | None) -> Tell:
    """Returns a function for progress that ends its call when no one waits for it any more."""

    def tell(at: Progress) -> None:
        if progress is not None:
            progress(at)
        if cancelled.is_set():
            raise InterruptedError("the task that waited for this call was cancelled")

    return tell


class AsyncClient:
    """A connection to a chain, whose calls are awaited. Make one with `isthmus.aio.connect`."""

    def __init__(self, client: Client) -> None:
        #: The client whose calls these are.
        self.client = client

    def __repr__(self) -> str:
        return repr(self.client).replace("isthmus.Client", "isthmus.aio.AsyncClient", 1)

    @property
    def account(self) -> str | None:
        """The address of the account to act as; `None` without a key."""
        return self.client.account

    @property
    def genesis(self) -> str:
        """The hash of the chain's first block."""
        return self.client.genesis

    async def open(self, owner: str, dataset: int | None, record: str) -> AsyncFile:
        """Opens a record, as `Client.open` does, as a file whose `read` is awaited."""
        return AsyncFile(await asyncio.to_thread(self.client.open, owner, dataset, record))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    close = _twin(Client.close)
    handle = _twin(Client.handle)
    called = _twin(Client.called)
    datasets = _twin(Client.datasets)
    records = _twin(Client.records)
    received = _twin(Client.received)
    given = _twin(Client.given)
    grants = _twin(Client.grants)
    requests = _twin(Client.requests)
    register = _twin(Client.register)
    publish_key = _twin(Client.publish_key)
    create_dataset = _twin(Client.create_dataset)
    locate = _twin(Client.locate)
    store = _twin(Client.store)
    remove = _twin(Client.remove)
    request = _twin(Client.request)
    cancel = _twin(Client.cancel)
    reject = _twin(Client.reject)
    authorize = _twin(Client.authorize)
    authorize_left = _twin(Client.authorize_left)
    revoke = _twin(Client.revoke)
    trace = _twin(Client.trace)
    receipt = _twin(Client.receipt)
    frames_left = _twin(Client.frames_left)
    give_up_frame = _twin(Client.give_up_frame)


class AsyncFile:
    """A record as a file whose bytes are awaited. Make one with `AsyncClient.open`.

    Several tasks may read at once: each read begins where the one before it ends, also if that one still waits or was cancelled.
    """

    def __init__(self, file: RecordFile) -> None:
        #: The file that is read.
        self.file = file
        self._at = 0

    def __repr__(self) -> str:
        return repr(self.file).replace("isthmus.RecordFile", "isthmus.aio.AsyncFile", 1)

    async def __aenter__(self) -> AsyncFile:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The record's name."""
        return self.file.name

    @property
    def size(self) -> int:
        """The length of the record's content in bytes."""
        return self.file.size

    def tell(self) -> int:
        """Returns where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Chooses where the next read begins. Nothing is fetched, so this is not awaited."""
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}
        if whence not in starts:
            raise ValueError(f"invalid whence: {whence}")
        at = starts[whence] + offset
        if at < 0:
            raise ValueError(f"negative seek position {at}")
        self._at = at
        return at

    async def read(self, size: int | None = -1) -> bytes:
        """Reads that number of bytes, or all up to the end. Only the chunks that have them are fetched."""
        start, rest = self._at, max(0, self.size - self._at)
        length = rest if size is None or size < 0 else min(size, rest)
        self._at = start + length
        try:
            return await asyncio.to_thread(self._read_at, start, length)
        except Exception:
            # What was not read is read next, unless another read has started meanwhile.
            if self._at == start + length:
                self._at = start
            raise

    def close(self) -> None:
        """Closes the file."""
        self.file.close()

    def _read_at(self, start: int, length: int) -> bytes:
        # A thread reads where it has sought, whatever the others do in between.
        self.file.seek(start)
        return self.file.read(length)
