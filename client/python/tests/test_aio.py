# SPDX-License-Identifier: Apache-2.0
"""The client for asyncio: the same calls, awaited and cancelled."""

from __future__ import annotations

import asyncio
import inspect
import random
import threading

import isthmus
import pytest
from conftest import COMPANY, SCHOOL, Shared
from isthmus import aio
from test_client import CHUNK

#: What has no twin: two list or count what is here, and one is a step of others.
WITHOUT = {"list", "requests_sent", "handle_of"}


def test_each_call_has_a_twin() -> None:
    for name, method in inspect.getmembers(isthmus.Client, inspect.isfunction):
        if name.startswith("_") or name in WITHOUT:
            continue
        twin = getattr(aio.AsyncClient, name)
        assert inspect.iscoroutinefunction(twin) and twin.__doc__, name
        assert list(inspect.signature(twin).parameters) == list(inspect.signature(method).parameters), name


def test_records_are_read_by_several_tasks_at_once(shared: Shared) -> None:
    async def read() -> None:
        client = await aio.connect(shared.node.url, key=COMPANY)
        grants, records = await asyncio.gather(client.received(), client.records(shared.owner, 0))
        assert shared.owner in [grant.owner for grant in grants]
        assert {"marks.csv", "large.bin"} <= {record.name for record in records}
        [created, *_] = await client.trace("dataset", shared.owner, 0)
        assert created.name == "DatasetCreated"
        assert "isthmus.aio.AsyncClient at" in repr(client) and client.account in repr(client)
        async with await client.open(shared.owner, 0, "large.bin") as file:
            assert (file.name, file.size) == ("large.bin", len(shared.large))
            parts = await asyncio.gather(*(file.read(CHUNK + 7) for _ in range(6)))
            assert b"".join(parts) == shared.large and file.tell() == file.size
            assert await file.read() == b""
            file.seek(-5, 2)
            assert await file.read(100) == shared.large[-5:]
        with pytest.raises(ValueError, match="closed file"):
            await file.read()
        with pytest.raises(PermissionError, match="outside the range"):
            await client.open(shared.owner, 0, "secret.csv")

    asyncio.run(read())


def test_the_loop_runs_while_a_node_is_silent(shared: Shared) -> None:
    async def wait() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.put_nowait(writer)
            while await reader.read(1 << 16):
                pass

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(aio.connect(f"ws://127.0.0.1:{port}", timeout=86_400))
        # The server is of this loop.
        connection = await accepted.get()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The thread still waits for the node: it ends when the node does.
        server.close()
        connection.close()
        await connection.wait_closed()

    asyncio.run(wait())


def test_a_store_that_is_cancelled_ends_and_is_resumed(shared: Shared) -> None:
    content = random.Random(65).randbytes(2 * CHUNK)

    async def make() -> int:
        client = await aio.connect(shared.node.url, key=SCHOOL)
        return (await client.create_dataset("awaited")).number

    async def cancel(dataset: int) -> None:
        client, loop, over = await aio.connect(shared.node.url, key=SCHOOL), asyncio.get_running_loop(), threading.Event()

        def tell(at: isthmus.Progress) -> None:
            if at.stage == "sending":
                loop.call_soon_threadsafe(task.cancel)
                over.wait()

        task = asyncio.create_task(client.store(content, "awaited.bin", dataset=dataset, progress=tell))
        with pytest.raises(asyncio.CancelledError):
            await task
        over.set()

    async def resume(dataset: int) -> None:
        client = await aio.connect(shared.node.url, key=SCHOOL)
        stored = await client.store(content, "awaited.bin", dataset=dataset)
        assert stored.resumed
        async with await client.open(shared.owner, dataset, "awaited.bin") as file:
            assert await file.read() == content

    dataset = asyncio.run(make())
    # The end of a loop waits for its threads.
    asyncio.run(cancel(dataset))
    asyncio.run(resume(dataset))
