# SPDX-License-Identifier: Apache-2.0
"""Unmodified tools of S3 users against `isthmus gateway`: boto3, rclone and the command line of AWS, with the settings of
docs/gateway.md. The bucket has an object, whose bytes are outside the chain, and a record in blocks."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from conftest import SCHOOL, Shared
from gateway import Gateway, running
from node import Node

#: The length of a chunk's content.
CHUNK = 1022 * 1024
MARKS = b"name,mark\nAda,97\n"
#: It has no settings of its own, and an error is an answer: nothing is requested again.
RCLONE = ("rclone", "--config", os.devnull, "--retries", "1", "--low-level-retries", "1")
OUT_OF_RANGE = "the record is outside the range of the caller's grant"


@dataclass
class Served:
    """A gateway, and what it serves."""

    gateway: Gateway
    #: The content of each file.
    files: dict[str, bytes]
    #: The number of a dataset of which the grant expires, and when.
    expiring: int
    until: datetime

    def environment(self, folder: Path) -> dict[str, str]:
        """Returns what docs/gateway.md sets for programs of AWS and for rclone."""
        gateway = self.gateway
        given = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        given |= {"HOME": str(folder), "AWS_SHARED_CREDENTIALS_FILE": str(gateway.profile.with_name("credentials"))}
        given |= {"AWS_PROFILE": "isthmus", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": gateway.url}
        given |= {"RCLONE_CONFIG_ISTHMUS_TYPE": "s3", "RCLONE_CONFIG_ISTHMUS_PROVIDER": "Other"}
        return given | {"RCLONE_CONFIG_ISTHMUS_ENV_AUTH": "true", "RCLONE_CONFIG_ISTHMUS_ENDPOINT": gateway.url}

    def run(self, folder: Path, *line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        """Runs a program with these settings, and more."""
        if not shutil.which(line[0]):
            pytest.skip(f"{line[0]} is not installed")
        environment = self.environment(folder) | more
        return subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)

    def output(self, folder: Path, *line: str) -> bytes:
        """Runs a program that succeeds, and returns what it prints."""
        done = self.run(folder, *line)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@pytest.fixture(scope="module")
def served(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    school, reader = shared.connect(SCHOOL), shared.connect().account
    folder = tmp_path_factory.mktemp("s3")
    number, expiring = (school.create_dataset(name).number for name in ("for S3", "for S3, for a while"))
    shared.store(folder, "later.csv", b"not shared", leaf=20, dataset=number)
    shared.store(folder, "brief.csv", MARKS, leaf=0, dataset=expiring)
    objects = folder / "objects"
    objects.mkdir()
    school.locate(number, objects.as_uri())
    files = {"object.bin": random.Random(5).randbytes(3 * CHUNK + 5), "in blocks.csv": MARKS}
    # An object contains no name, so one that is not public is listed by its key.
    stored = [school.store(content, name, dataset=number, public_name=True) for name, content in files.items()]
    assert [bool(record.location) for record in stored] == [True, False]
    shared.authorize("0..10", dataset=number)
    until = datetime.now(timezone.utc) + timedelta(seconds=10)
    school.authorize(to=reader, leaves=0, dataset=expiring, until=until)
    with running(shared, folder, number) as gateway:
        yield Served(gateway, files, expiring, until)


def test_an_object_and_its_ranges_are_read_over_http_and_s3(served: Served, shared: Shared) -> None:
    gateway, content = served.gateway, served.files["object.bin"]
    path = f"/{shared.owner}/{gateway.number}/object.bin"
    status, headers, body = gateway.get(path)
    assert (status, headers["content-length"], body == content) == (200, str(len(content)), True)
    with gateway.s3().open_input_file(f"{gateway.bucket}/object.bin") as file:
        # Within a chunk, over a border, and the shorter last one.
        for start, end in ((0, 5), (CHUNK - 3, CHUNK + 3), (CHUNK + 7, 3 * CHUNK + 1), (3 * CHUNK, len(content))):
            status, headers, body = gateway.get(path, Range=f"bytes={start}-{end - 1}")
            assert (status, headers["content-range"]) == (206, f"bytes {start}-{end - 1}/{len(content)}")
            assert body == content[start:end]
            assert file.read_at(end - start, start) == content[start:end]
    assert gateway.get(path, Range=f"bytes={len(content)}-")[0] == 416


def test_boto3_lists_downloads_and_is_told_why_it_is_refused(served: Served, tmp_path: Path) -> None:
    stores = os.environ.get("ISTHMUS_STORES")
    if not stores:
        pytest.skip("ISTHMUS_STORES is not set: scripts/stores installs boto3, with moto")
    program = Path(__file__).with_name("boto3_client.py")
    bucket = served.gateway.bucket
    line = [str(Path(stores, "bin", "python")), str(program), bucket, "later.csv", str(tmp_path)]
    told = json.loads(served.output(tmp_path, *line))
    assert told["sizes"] == {name: len(content) for name, content in served.files.items()}
    assert told["ends"] == {name: [206, content[-10:].hex()] for name, content in served.files.items()}
    assert {name: (tmp_path / name).read_bytes() for name in served.files} == served.files
    assert told["refusals"]["get"] == [403, OUT_OF_RANGE]
    # Answers to HEAD have no body.
    assert told["refusals"]["head"] == [403, "Forbidden"]


def test_rclone_lists_copies_reads_a_range_and_is_refused(served: Served, tmp_path: Path) -> None:
    bucket, content = f"isthmus:{served.gateway.bucket}", served.files["object.bin"]
    listed = served.output(tmp_path, *RCLONE, "lsf", "--format", "sp", bucket).decode().splitlines()
    assert listed == [f"{len(content)};{name}" for name, content in sorted(served.files.items())]
    served.output(tmp_path, *RCLONE, "copy", bucket, str(tmp_path / "copied"))
    copied = {path.name: path.read_bytes() for path in (tmp_path / "copied").iterdir()}
    assert copied == served.files
    part = served.output(tmp_path, *RCLONE, "cat", "--offset", str(CHUNK - 3), "--count", "6", f"{bucket}/object.bin")
    assert part == content[CHUNK - 3 :][:6]
    # It takes what it may not ask for by HEAD for a folder, and finds that empty.
    assert served.output(tmp_path, *RCLONE, "cat", f"{bucket}/later.csv") == b""
    keys = {"ACCESS_KEY_ID": served.gateway.secrets["aws_access_key_id"], "SECRET_ACCESS_KEY": "x" * 20, "ENV_AUTH": "false"}
    wrong = {f"RCLONE_CONFIG_ISTHMUS_{name}": value for name, value in keys.items()}
    refused = served.run(tmp_path, *RCLONE, "lsf", bucket, **wrong)
    assert refused.returncode != 0 and b"status code: 403" in refused.stderr, refused.stderr.decode()
    written = served.run(tmp_path, *RCLONE, "copy", str(tmp_path / "copied" / "in blocks.csv"), f"{bucket}/new")
    assert written.returncode != 0 and b"AccessDenied" in written.stderr, written.stderr.decode()


def test_the_command_line_of_aws_lists_and_copies(served: Served, tmp_path: Path) -> None:
    bucket = f"s3://{served.gateway.bucket}"
    listed = served.output(tmp_path, "aws", "s3", "ls", f"{bucket}/").decode().splitlines()
    assert [line.split(maxsplit=3)[2:] for line in listed] == [
        [str(len(content)), name] for name, content in sorted(served.files.items())
    ]
    served.output(tmp_path, "aws", "s3", "cp", f"{bucket}/object.bin", str(tmp_path))
    assert (tmp_path / "object.bin").read_bytes() == served.files["object.bin"]
    refused = served.run(tmp_path, "aws", "s3", "cp", f"{bucket}/later.csv", str(tmp_path))
    assert refused.returncode != 0 and b"(403)" in refused.stderr, refused.stderr.decode()


def test_a_grant_that_expires_ends_reading(served: Served, shared: Shared, tmp_path: Path) -> None:
    path = f"/{shared.owner}/{served.expiring}/brief.csv"
    left = served.until + timedelta(seconds=1) - datetime.now(timezone.utc)
    if left > timedelta(0):
        time.sleep(left.total_seconds())
    # The next block has a time after that.
    shared.node.isthmus("transfer", shared.owner, "1", key="//Alice")
    status, headers, body = served.gateway.get(path)
    expired = "the caller's grant has expired"
    assert (status, body.decode().strip(), headers["x-isthmus-reason"]) == (403, expired, expired)
    bucket = f"{served.gateway.bucket.rpartition('-')[0]}-{served.expiring}"
    listed = served.run(tmp_path, *RCLONE, "lsf", f"isthmus:{bucket}")
    assert listed.returncode != 0 and f"AccessDenied: {expired}".encode() in listed.stderr, listed.stderr.decode()


def test_a_dead_node_is_an_error_of_the_service(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.start()
    try:
        node.isthmus("register", "School", key=SCHOOL)
        node.isthmus("dataset", "create", "marks", key=SCHOOL)
        node.isthmus("key", "publish", key="//Charlie")
        shared = Shared(node, node.isthmus("list", "datasets", key=SCHOOL)[0]["owner"], b"")
        shared.store(tmp_path, "marks.csv", MARKS, leaf=0)
        shared.authorize("0..1")
        with running(shared, tmp_path, 0) as gateway:
            path = f"/{shared.owner}/0/marks.csv"
            assert gateway.get(path)[2] == MARKS
            node.stop()
            status, headers, body = gateway.get(path)
            assert status == 503 and "node" in headers["x-isthmus-reason"], body
            with pytest.raises(OSError, match="503|SERVICE_UNAVAILABLE|SLOW_DOWN"):
                gateway.s3().open_input_stream(f"{gateway.bucket}/marks.csv").read()
    finally:
        node.stop()
