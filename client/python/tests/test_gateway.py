# SPDX-License-Identifier: Apache-2.0
"""`isthmus gateway` as programs see it that know nothing of Isthmus: pyarrow's own S3 client, which is that of AWS for C++,
and Python's HTTP client. With --all, also Polars' own S3 client."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import COMPANY, SCHOOL, Shared
from test_tools import COLUMNS, as_parquet, table

pyarrow = pytest.importorskip("pyarrow")
dataset = pytest.importorskip("pyarrow.dataset")
fs = pytest.importorskip("pyarrow.fs")

REVOKED = "the caller's grant was revoked"


@dataclass
class Gateway:
    """A gateway that runs for the company, and what it printed first."""

    child: subprocess.Popen[str]
    url: str
    bucket: str
    number: int
    grant: int
    secrets: dict[str, str]
    metrics: Path
    errors: Path

    def s3(self, **options: Any) -> fs.S3FileSystem:
        given = {"access_key": self.secrets["aws_access_key_id"], "secret_key": self.secrets["aws_secret_access_key"]}
        # An error is an answer: nothing is requested again.
        retry = fs.AwsStandardS3RetryStrategy(max_attempts=1)
        address = {"endpoint_override": self.url, "scheme": "http", "region": "eu-central-1"}
        return fs.S3FileSystem(**given | address | {"retry_strategy": retry} | options)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        """Asks over plain HTTP with the token, and returns the status, the headers and the content."""
        headers = {"Authorization": f"Bearer {self.secrets['isthmus_token']}"} | headers
        request = urllib.request.Request(self.url + path, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def next(self) -> dict[str, Any]:
        """Returns the next line that it prints."""
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        assert line, self.errors.read_text()
        return json.loads(line)

    def fetched(self) -> int:
        """Returns how many chunks it fetched so far. When a request that is refused is counted, all before it is."""
        refused = self.counted("refusals")
        assert self.get("/", Host="evil.example")[0] == 403
        end = time.monotonic() + 30
        while self.counted("refusals") == refused:
            assert time.monotonic() < end
            time.sleep(0.05)
        return self.counted("fetched_chunks")

    def counted(self, name: str) -> int:
        """Returns a number from the file of metrics, which is written once a second."""
        text = self.metrics.read_text() if self.metrics.exists() else ""
        found = re.search(rf"isthmus_gateway_{name}_total\{{.*\}} (\d+)", text)
        return int(found[1]) if found else 0


@pytest.fixture(scope="module")
def content() -> pyarrow.Table:
    return table(3)


@pytest.fixture(scope="module")
def gateway(shared: Shared, content: pyarrow.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Stores a folder of tables and a file outside of the grant, and starts a gateway."""
    shared.node.isthmus("dataset", "create", "open to tools", key=SCHOOL)
    [number] = [entry.number for entry in shared.connect(SCHOOL).datasets() if entry.name == "open to tools"]
    folder = tmp_path_factory.mktemp("gateway")
    tables = folder / "tables"
    (tables / "2025").mkdir(parents=True)
    (tables / "2025" / "01 ü+.parquet").write_bytes(as_parquet(content))
    (tables / "2025" / "02.parquet").write_bytes(as_parquet(content.slice(0, 1000)))
    (tables / "marks.csv").write_bytes(b"name,mark\nAda,97\n")
    place = ("--dataset", str(number))
    shared.node.isthmus("store", str(tables), *place, "--leaf", "0", key=SCHOOL)
    shared.store(folder, "late.csv", b"not shared", leaf=20, dataset=number)
    grant = shared.authorize("0..10", dataset=number)
    credentials, errors, metrics = folder / "credentials", folder / "errors", folder / "gateway.prom"
    line = [shared.node.command, "--json", "gateway", "--listen", "127.0.0.1:0", "--credentials", str(credentials)]
    line += ["--metrics", str(metrics), "--key", COMPANY, "--url", shared.node.url]
    with errors.open("w") as log:
        child = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    gateway = Gateway(child, "", "", number, grant, {}, metrics, errors)
    try:
        started = gateway.next()
        gateway.url = started["url"]
        assert started["credentials"] == str(credentials)
        buckets = {}
        while number not in buckets:
            bucket = gateway.next()
            buckets[bucket["dataset"]] = bucket["bucket"]
            assert bucket["owner"] == shared.owner
        gateway.bucket = buckets[number]
        assert os.stat(credentials).st_mode & 0o777 == 0o600
        parsed = configparser.ConfigParser()
        parsed.read(credentials)
        gateway.secrets = dict(parsed["isthmus"])
        assert gateway.secrets["aws_access_key_id"] == started["accessKey"]
        yield gateway
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_an_s3_client_lists_what_was_granted_and_nothing_else(gateway: Gateway) -> None:
    s3 = gateway.s3()
    assert gateway.bucket in [entry.path for entry in s3.get_file_info(fs.FileSelector("/"))]
    listed = s3.get_file_info(fs.FileSelector(gateway.bucket, recursive=True))
    sizes = {entry.path.removeprefix(f"{gateway.bucket}/"): entry.size for entry in listed if entry.is_file}
    assert set(sizes) == {"tables/2025/01 ü+.parquet", "tables/2025/02.parquet", "tables/marks.csv"}
    assert sizes["tables/marks.csv"] == 17
    folders = s3.get_file_info(fs.FileSelector(f"{gateway.bucket}/tables"))
    assert {entry.base_name for entry in folders} == {"2025", "marks.csv"}
    assert listed[0].mtime is None or listed[0].mtime.year >= 2024


def test_one_column_of_twelve_fetches_at_most_a_third(gateway: Gateway, content: pyarrow.Table) -> None:
    path = f"{gateway.bucket}/tables/2025/01 ü+.parquet"
    read = dataset.dataset(path, filesystem=gateway.s3(), format="parquet").to_table(columns=["column5"])
    assert read.equals(content.select(["column5"]))
    chunks = -(-len(as_parquet(content)) // (1022 * 1024))
    assert 0 < gateway.fetched() <= chunks / 3 and COLUMNS == 12
    whole = dataset.dataset(f"{gateway.bucket}/tables/2025", filesystem=gateway.s3(), format="parquet")
    assert whole.count_rows() == content.num_rows + 1000
    assert whole.to_table().slice(0, content.num_rows).equals(content)
    assert gateway.fetched() < 2 * chunks


def test_plain_http_has_ranges(gateway: Gateway, shared: Shared) -> None:
    path = f"/{shared.owner}/{gateway.number}/tables/marks.csv"
    status, headers, body = gateway.get(path)
    assert (status, body, headers["content-type"]) == (200, b"name,mark\nAda,97\n", "text/csv")
    assert gateway.get(path, Range="bytes=-3")[::2] == (206, b"97\n")
    status, headers, _ = gateway.get(path, Range="bytes=17-")
    assert (status, headers["content-range"]) == (416, "bytes */17")
    status, headers, body = gateway.get(path, "HEAD")
    assert (status, headers["content-length"], body) == (200, "17", b"")
    assert gateway.get(path, Host="evil.example")[0] == 403
    assert gateway.get(path, Origin="https://evil.example")[0] == 403
    assert gateway.get(path, Authorization="")[0] == 401
    status, _, body = gateway.get(f"/{shared.owner}/open%20to%20tools/tables/2025/")
    assert status == 200 and [file["path"] for file in json.loads(body)][1] == "tables/2025/02.parquet"
    # Its reads are in the log: who, what, which bytes.
    while (line := gateway.next())["who"] != "token":
        pass
    assert (line["path"], line["from"], line["to"], line["failed"]) == ("tables/marks.csv", 0, 17, None)


def test_what_was_not_granted_is_not_read(gateway: Gateway, shared: Shared) -> None:
    s3 = gateway.s3()
    with pytest.raises(OSError):
        s3.open_input_stream(f"{gateway.bucket}/late.csv")
    # The name of this one is public, so the chain says why it is refused. An S3 client asks by HEAD, and shows no reason.
    status, _, body = gateway.get(f"/{shared.owner}/{gateway.number}/late.csv")
    assert status == 403 and b"outside the range of the caller's grant" in body
    status, _, body = gateway.get(f"/{shared.owner}/{gateway.number}/none.csv")
    assert status == 404 and b"no file none.csv" in body
    with pytest.raises(OSError, match="only reads"), s3.open_output_stream(f"{gateway.bucket}/new") as stream:
        stream.write(b"x")
    with pytest.raises(OSError):
        gateway.s3(secret_key="x" * 20).get_file_info(fs.FileSelector("/"))
    assert "the signature is wrong" in gateway.errors.read_text()


@pytest.mark.long
def test_polars_reads_over_its_own_s3_client(gateway: Gateway, content: pyarrow.Table) -> None:
    polars = pytest.importorskip("polars")
    options = {name: value for name, value in gateway.secrets.items() if name.startswith("aws")}
    options |= {"aws_endpoint_url": gateway.url, "aws_region": "us-east-1", "aws_allow_http": "true"}
    lazy = polars.scan_parquet(f"s3://{gateway.bucket}/tables/2025/*.parquet", storage_options=options)
    read = lazy.select("column3").collect()
    assert read["column3"].to_list()[: content.num_rows] == content["column3"].to_pylist()


def test_a_revoked_reader_is_told_so_in_the_middle(gateway: Gateway, shared: Shared) -> None:
    s3 = gateway.s3()
    path = f"{gateway.bucket}/tables/2025/01 ü+.parquet"
    with s3.open_input_file(path) as file:
        assert file.read(4) == b"PAR1"
        shared.node.isthmus("revoke", str(gateway.grant), key=SCHOOL)
        # What is asked for now is in the gateway's memory. This client does not show the sentence of a refused read.
        with pytest.raises(OSError, match="ACCESS_DENIED"):
            file.read_at(65536, 0)
    assert f"(403): {REVOKED}" in gateway.errors.read_text()
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        s3.get_file_info(fs.FileSelector(gateway.bucket))
    status, headers, body = gateway.get(f"/{shared.owner}/{gateway.number}/tables/marks.csv")
    assert (status, body.decode().strip(), headers["x-isthmus-reason"]) == (403, REVOKED, REVOKED)
    assert gateway.bucket not in [entry.path for entry in s3.get_file_info(fs.FileSelector("/"))]


def test_an_address_that_others_reach_is_refused(shared: Shared) -> None:
    line = [shared.node.command, "gateway", "--listen", "0.0.0.0:0", "--key", COMPANY, "--url", shared.node.url]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "--allow-remote" in done.stderr
