# SPDX-License-Identifier: Apache-2.0
"""`isthmus gateway` as programs see it that know nothing of Isthmus: pyarrow's own S3 client, which is that of AWS for C++,
and Python's HTTP client, also for Delta Sharing. With --all, also Polars' own S3 client and, in an environment of its own, that of
Delta Sharing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import fsspec
import pytest
from conftest import COMPANY, SCHOOL, Shared
from gateway import Gateway, running
from isthmus import _native
from test_tools import COLUMNS, as_parquet, table

pyarrow = pytest.importorskip("pyarrow")
dataset = pytest.importorskip("pyarrow.dataset")
parquet = pytest.importorskip("pyarrow.parquet")
fs = pytest.importorskip("pyarrow.fs")

REVOKED = "the caller's grant was revoked"
MIB = 1 << 20


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
    with running(shared, folder, number) as gateway:
        gateway.grant = grant
        yield gateway


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


def test_delta_sharing_describes_a_folder_as_a_table(gateway: Gateway, content: pyarrow.Table) -> None:
    profile = json.loads(gateway.profile.read_text())
    assert profile["endpoint"] == f"{gateway.url}/delta-sharing"
    assert profile["bearerToken"] == gateway.secrets["isthmus_token"]
    share, schema, table = gateway.table()
    shares = json.loads(gateway.get("/delta-sharing/shares")[2])
    assert share in [entry["name"] for entry in shares["items"]]
    listed = json.loads(gateway.get(f"/delta-sharing/shares/{share}/schemas/{schema}/tables")[2])
    assert [entry["name"] for entry in listed["items"]] == [table]
    path = f"/delta-sharing/shares/{share}/schemas/{schema}/tables/{table}"
    version = gateway.get(f"{path}/version")[1]["delta-table-version"]
    status, headers, body = gateway.get(f"{path}/query", "POST", b'{"limitHint": 10000000}')
    assert (status, headers["delta-table-version"]) == (200, version)
    _, metadata, *files = map(json.loads, body.splitlines())
    columns = json.loads(metadata["metaData"]["schemaString"])["fields"]
    assert [(column["name"], column["type"]) for column in columns] == [(name, "long") for name in content.column_names]
    assert [json.loads(file["file"]["stats"])["numRecords"] for file in files] == [content.num_rows, 1000]
    # The address needs no token.
    with urllib.request.urlopen(files[1]["file"]["url"], timeout=600) as answer:
        read = parquet.read_table(io.BytesIO(answer.read()))
    assert read.equals(content.slice(0, 1000))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(files[1]["file"]["url"].replace("&expires=", "&expires=1"), timeout=600)


def delta_client(gateway: Gateway, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with the client of Delta Sharing, which needs older versions of pandas and pyarrow than ours."""
    python = os.environ.get("ISTHMUS_OTHER_PYTHON")
    if not python:
        pytest.skip("scripts/test-python --all installs the client of Delta Sharing")
    table = f"{gateway.profile}#{'.'.join(gateway.table())}"
    program = Path(__file__).with_name("delta_client.py")
    line = [python, str(program), str(gateway.profile), table, str(out), *arguments]
    return subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)


@pytest.mark.long
def test_the_client_of_delta_sharing_loads_a_table(gateway: Gateway, content: pyarrow.Table, tmp_path: Path) -> None:
    out = tmp_path / "read.parquet"
    done = delta_client(gateway, out)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert ".".join(gateway.table()) in told["tables"]
    assert (told["version"], told["limited"]) == (told["version again"], 10)
    read = parquet.read_table(out)
    assert read.equals(pyarrow.concat_tables([content, content.slice(0, 1000)]).combine_chunks())


@pytest.mark.long
def test_polars_reads_over_its_own_s3_client(gateway: Gateway, content: pyarrow.Table) -> None:
    polars = pytest.importorskip("polars")
    options = {name: value for name, value in gateway.secrets.items() if name.startswith("aws")}
    options |= {"aws_endpoint_url": gateway.url, "aws_region": "us-east-1", "aws_allow_http": "true"}
    lazy = polars.scan_parquet(f"s3://{gateway.bucket}/tables/2025/*.parquet", storage_options=options)
    read = lazy.select("column3").collect()
    assert read["column3"].to_list()[: content.num_rows] == content["column3"].to_pylist()


def test_a_compressed_object_is_read_as_it_was(gateway: Gateway, shared: Shared, tmp_path: Path) -> None:
    lines = b"".join(b'{"number":%d,"state":"passed"}\n' % number for number in range(150_000))
    (tmp_path / "lines.ndjson").write_bytes(lines)
    store = tmp_path / "store"
    store.mkdir()
    number = str(gateway.number)
    shared.node.isthmus("dataset", "locate", number, store.as_uri(), "--finalized", key=SCHOOL)
    options = ("--dataset", number, "--leaf", "8", "--public-name", "--compress", "--finalized")
    shared.node.isthmus("store", str(tmp_path / "lines.ndjson"), *options, key=SCHOOL)
    assert sum(file.stat().st_size for file in store.iterdir()) < len(lines) / 4
    # The length that is shown is that of what is read.
    path = f"/{shared.owner}/{gateway.number}/lines.ndjson"
    status, headers, body = gateway.get(path, "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(lines)), b"")
    assert gateway.s3().get_file_info(f"{gateway.bucket}/lines.ndjson").size == len(lines)
    files = fsspec.filesystem("isthmus", client=shared.connect())
    url = f"isthmus://{shared.owner}/{gateway.number}/lines.ndjson"
    assert files.size(url) == len(lines)
    assert gateway.get(path)[::2] == (200, lines)
    for start, end in [(0, 10), (2**20 - 1, 2**20 + 1), (3_000_000, 4_200_000), (len(lines) - 3, len(lines))]:
        assert gateway.get(path, Range=f"bytes={start}-{end - 1}")[::2] == (206, lines[start:end])
        assert files.cat_file(url, start, end) == lines[start:end]


@dataclass
class Packed:
    """A dataset with a packed folder and a data frame, all of which the gateway's account may read."""

    number: int
    bucket: str
    folder: Path
    #: The content of each file, by its path in the bucket.
    files: dict[str, bytes]
    grant: int

    def sync(self, shared: Shared) -> None:
        """Stores the folder as it is now."""
        place = ("--public-name", "--dataset", str(self.number))
        shared.node.isthmus("sync", str(self.folder), *place, key=SCHOOL)

    def get(self, shared: Shared, gateway: Gateway, path: str, **headers: str) -> tuple[int, bytes]:
        """Returns the status and the content of an answer over plain HTTP."""
        return gateway.get(f"/{shared.owner}/{self.number}/{quote(path)}", **headers)[::2]


@pytest.fixture(scope="module")
def packed(
    gateway: Gateway, shared: Shared, content: pyarrow.Table, tmp_path_factory: pytest.TempPathFactory
) -> Packed:
    school = shared.connect(SCHOOL)
    number = school.create_dataset("packed for tools").number
    folder = tmp_path_factory.mktemp("packed")
    stations = folder / "stations"
    (folder / "objects").mkdir()
    (stations / "2025").mkdir(parents=True)
    school.locate(number, (folder / "objects").as_uri())
    files = {
        "2025/01.parquet": as_parquet(content.slice(0, 1000)),
        "2025/02 ü.parquet": as_parquet(content.slice(1000, 500)),
        "empty.txt": b"",
        "large.bin": random.Random(59).randbytes(3 * MIB + 5),
        "list.csv": b"name,mark\nAda,97\n",
    }
    for path, bytes_of in files.items():
        (stations / path).write_bytes(bytes_of)
    all_files = {f"stations/{path}": bytes_of for path, bytes_of in files.items()}
    # A data frame as Spark's tasks store it.
    parts = [as_parquet(content.slice(start, 100)) for start in (0, 100)]
    what: _native._ToPlan = {
        "name": "station frame",
        "dataset": number,
        "leaf": None,
        "parts": len(parts),
        "public_name": True,
    }
    planned = _native.plan_frame(school._connection, what)
    stored = [
        _native.store_part(planned["frame"], planned["keys"], at, io.BytesIO(part)) for at, part in enumerate(parts)
    ]
    paths = [f"part-{at}.parquet" for at in range(len(parts))]
    _native.commit_frame(school._connection, planned["frame"], stored, paths)
    all_files |= {f"station frame/{path}": part for path, part in zip(paths, parts, strict=True)}
    grant = shared.authorize("0..100", dataset=number)
    bucket = f"{gateway.bucket.split('-')[0]}-{number}"
    packed = Packed(number, bucket, stations, all_files, grant)
    packed.sync(shared)
    return packed


def test_the_files_of_packed_folders_and_frames_are_listed_and_their_packs_are_not(
    packed: Packed, gateway: Gateway
) -> None:
    listed = gateway.s3().get_file_info(fs.FileSelector(packed.bucket, recursive=True))
    sizes = {entry.path.removeprefix(f"{packed.bucket}/"): entry.size for entry in listed if entry.is_file}
    assert sizes == {path: len(content) for path, content in packed.files.items()}


def test_parts_of_a_packed_file_are_read_over_http(packed: Packed, gateway: Gateway, shared: Shared) -> None:
    large, path = packed.files["stations/large.bin"], "stations/large.bin"
    before = gateway.fetched()
    assert packed.get(shared, gateway, path, Range="bytes=-8") == (206, large[-8:])
    # The MiBs with these bytes, and not the pack.
    assert 1 <= gateway.fetched() - before <= 2
    for start, end in ((0, 5), (MIB - 3, MIB + 3), (2 * MIB, len(large))):
        assert packed.get(shared, gateway, path, Range=f"bytes={start}-{end - 1}") == (206, large[start:end])
    assert packed.get(shared, gateway, path, Range=f"bytes={len(large)}-")[0] == 416
    for path, content in packed.files.items():
        url = f"/{shared.owner}/{packed.number}/{quote(path)}"
        status, headers, body = gateway.get(url)
        assert (status, body == content) == (200, True), path
        # What sha256sum shows.
        assert headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}-1"'
        status, headers, body = gateway.get(url, "HEAD")
        assert (status, headers["content-length"], body) == (200, str(len(content)), b"")


def test_pyarrow_reads_a_packed_folder_and_a_frame(
    packed: Packed, gateway: Gateway, content: pyarrow.Table
) -> None:
    for path, expected in (("stations/2025", content.slice(0, 1500)), ("station frame", content.slice(0, 200))):
        read = dataset.dataset(f"{packed.bucket}/{path}", filesystem=gateway.s3(), format="parquet")
        assert read.to_table().equals(expected), path


def test_delta_sharing_describes_a_packed_folder_and_a_frame_as_tables(
    packed: Packed, gateway: Gateway, content: pyarrow.Table
) -> None:
    share = packed.bucket.split("-")[0]
    tables = f"/delta-sharing/shares/{share}/schemas/packed_for_tools_{packed.number}/tables"
    listed = json.loads(gateway.get(tables)[2])
    assert {entry["name"] for entry in listed["items"]} == {"station_frame", "stations_2025"}
    status, _, body = gateway.get(f"{tables}/station_frame/query", "POST", b"{}")
    assert status == 200, body
    _, _, *files = map(json.loads, body.splitlines())
    read = []
    for file in files:
        with urllib.request.urlopen(file["file"]["url"], timeout=600) as answer:
            read.append(parquet.read_table(io.BytesIO(answer.read())))
    assert pyarrow.concat_tables(read).equals(content.slice(0, 200))


def test_a_packed_folder_is_read_as_it_is_now_and_not_after_a_revocation(
    packed: Packed, gateway: Gateway, shared: Shared
) -> None:
    # The pack with the old list.csv stays, since most of it is still used.
    assert packed.get(shared, gateway, "stations/list.csv")[0] == 200
    (packed.folder / "list.csv").write_bytes(b"name,mark\nAda,98\n")
    (packed.folder / "empty.txt").unlink()
    packed.sync(shared)
    assert packed.get(shared, gateway, "stations/list.csv") == (200, b"name,mark\nAda,98\n")
    assert packed.get(shared, gateway, "stations/empty.txt")[0] == 404
    unchanged = "stations/2025/01.parquet"
    assert packed.get(shared, gateway, unchanged) == (200, packed.files[unchanged])
    shared.node.isthmus("revoke", str(packed.grant), key=SCHOOL)
    # What is asked for now is in the gateway's memory.
    for path in (unchanged, "stations/list.csv", "station frame/part-0.parquet"):
        status, body = packed.get(shared, gateway, path)
        assert (status, body.decode().strip()) == (403, REVOKED)


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
    share, schema, table = gateway.table()
    status, _, body = gateway.get(f"/delta-sharing/shares/{share}/schemas/{schema}/tables/{table}/metadata")
    assert (status, json.loads(body)) == (403, {"errorCode": "PERMISSION_DENIED", "message": REVOKED})


@pytest.mark.long
def test_the_client_of_delta_sharing_shows_why_it_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    done = delta_client(gateway, tmp_path / "read.parquet", "only-load")
    assert done.returncode == 1 and f"'message': \"{REVOKED}\"" in done.stderr, done.stderr


def test_an_address_that_others_reach_is_refused(shared: Shared) -> None:
    line = [shared.node.command, "gateway", "--listen", "0.0.0.0:0", "--key", COMPANY, "--url", shared.node.url]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2 and "--allow-remote" in done.stderr
