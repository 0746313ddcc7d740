# SPDX-License-Identifier: Apache-2.0
"""Runs a development node, and the `isthmus` command, for tests.

ISTHMUS_NODE names the node's program. The command is ISTHMUS_CLI, or `isthmus` beside the node.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

#: How long a node may take to answer, in seconds.
START = 300


def free_port() -> int:
    """Returns a port of the loopback interface that is free, of those that the system gives to no connection meanwhile."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Node:
    """A chain of one node that makes a block when there is a transaction, and finalizes it at once."""

    def __init__(self, folder: Path) -> None:
        program = os.environ.get("ISTHMUS_NODE")
        if not program:
            raise RuntimeError("set ISTHMUS_NODE to the path of isthmus-node (scripts/build makes it)")
        self._program = program
        self.command = os.environ.get("ISTHMUS_CLI") or str(Path(program).parent / "isthmus")
        self._folder = folder
        self._port = free_port()
        self.url = f"ws://127.0.0.1:{self._port}"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the node, and waits until it answers."""
        log = (self._folder / "node.log").open("ab")
        arguments = ["--dev", "--base-path", str(self._folder / "chain"), "--rpc-port", str(self._port)]
        arguments += ["--listen-addr", f"/ip4/127.0.0.1/tcp/{free_port()}", "--no-prometheus", "--no-telemetry"]
        self._child = subprocess.Popen([self._program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        until = time.monotonic() + START
        while not self._answers():
            if self._child.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"the node did not start:\n{(self._folder / 'node.log').read_text()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "system_health", "params": []}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return "result" in json.load(answer)
        except OSError:
            return False

    def stop(self) -> None:
        """Kills the node. It can be started again."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def isthmus(self, *arguments: str, key: str) -> list[dict]:
        """Runs the command, and returns what it prints."""
        environment = os.environ | {"ISTHMUS_URL": self.url, "ISTHMUS_KEY": key, "HOME": str(self._folder)}
        line = [self.command, "--json", *arguments]
        done = subprocess.run(
            line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)}: {done.stderr}")
        return [json.loads(text) for text in done.stdout.splitlines()]
