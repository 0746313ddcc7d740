# SPDX-License-Identifier: Apache-2.0
"""Runs `isthmus gateway` for tests."""

from __future__ import annotations

import configparser
import json
import os
import queue
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import COMPANY, Shared

fs = pytest.importorskip("pyarrow.fs")


@dataclass
class Gateway:
    """A gateway that runs for the company, and what it printed first."""

    child: subprocess.Popen[str]
    #: What it prints, a line each. It is read at once, so that it never waits for a reader.
    lines: queue.Queue[str]
    url: str
    bucket: str
    number: int
    secrets: dict[str, str]
    metrics: Path
    errors: Path
    profile: Path
    #: A grant of the company on the bucket's dataset.
    grant: int = 0

    def s3(self, **options: Any) -> fs.S3FileSystem:
        given = {"access_key": self.secrets["aws_access_key_id"], "secret_key": self.secrets["aws_secret_access_key"]}
        # An error is an answer: nothing is requested again.
        retry = fs.AwsStandardS3RetryStrategy(max_attempts=1)
        address = {"endpoint_override": self.url, "scheme": "http", "region": "eu-central-1"}
        return fs.S3FileSystem(**given | address | {"retry_strategy": retry} | options)

    def get(
        self, path: str, method: str = "GET", data: bytes | None = None, **headers: str
    ) -> tuple[int, Any, bytes]:
        """Asks over plain HTTP with the token, and returns the status, the headers and the content."""
        headers = {"Authorization": f"Bearer {self.secrets['isthmus_token']}"} | headers
        request = urllib.request.Request(self.url + path, data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def table(self) -> tuple[str, str, str]:
        """Returns the names of a share, a schema and a table of Delta Sharing."""
        return self.bucket.split("-")[0], f"open_to_tools_{self.number}", "tables_2025"

    def next(self) -> dict[str, Any]:
        """Returns the next line that it prints."""
        try:
            return json.loads(self.lines.get(timeout=600))
        except queue.Empty:
            raise AssertionError(self.errors.read_text()) from None

    def fetched(self) -> int:
        """Returns how many chunks it fetched so far. When a request that is refused is counted, all before it is."""
        refused = self.counted("refusals")
        assert self.get("/", Host="evil.example")[0] == 403
        end = time.monotonic() + 300
        while self.counted("refusals") == refused:
            assert time.monotonic() < end
            time.sleep(0.05)
        return self.counted("fetched_chunks")

    def counted(self, name: str) -> int:
        """Returns a number from the file of metrics, which is written once a second."""
        text = self.metrics.read_text() if self.metrics.exists() else ""
        found = re.search(rf"isthmus_gateway_{name}_total\{{.*\}} (\d+)", text)
        return int(found[1]) if found else 0


@contextmanager
def running(shared: Shared, folder: Path, number: int) -> Iterator[Gateway]:
    """Runs a gateway for the company until the end of the block, and waits until it has the bucket of a dataset."""
    credentials, errors, metrics = folder / "credentials", folder / "errors", folder / "gateway.prom"
    profile = folder / "isthmus.share"
    line = [shared.node.command, "--json", "gateway", "--listen", "127.0.0.1:0", "--credentials", str(credentials)]
    line += ["--metrics", str(metrics), "--profile", str(profile), "--key", COMPANY, "--url", shared.node.url]
    with errors.open("w") as log:
        child = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    lines: queue.Queue[str] = queue.Queue()
    assert child.stdout is not None
    reader = threading.Thread(target=lambda stdout: [lines.put(line) for line in stdout], args=(child.stdout,))
    reader.start()
    gateway = Gateway(child, lines, "", "", number, {}, metrics, errors, profile)
    try:
        started = gateway.next()
        gateway.url = started["url"]
        assert started["credentials"] == str(credentials)
        buckets = {}
        while number not in buckets:
            bucket = gateway.next()
            # Tests before may have had datasets of others granted.
            if bucket["owner"] == shared.owner:
                buckets[bucket["dataset"]] = bucket["bucket"]
        gateway.bucket = buckets[number]
        assert started["profile"] == str(profile)
        assert {os.stat(path).st_mode & 0o777 for path in (credentials, profile)} == {0o600}
        parsed = configparser.ConfigParser()
        parsed.read(credentials)
        gateway.secrets = dict(parsed["isthmus"])
        assert gateway.secrets["aws_access_key_id"] == started["accessKey"]
        yield gateway
    finally:
        child.kill()
        child.wait()
        reader.join()
        child.stdout.close()
