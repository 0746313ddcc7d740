# SPDX-License-Identifier: Apache-2.0
"""`isthmus://` in fsspec, pandas and pyarrow and, where they are installed, in Polars and DuckDB."""

from __future__ import annotations

import io
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import fsspec
import isthmus
import pytest
from conftest import COMPANY, MARKS, SCHOOL, Shared
from node import free_port

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

#: A table's columns, rows, and rows a group: a column of a group has half a megabyte.
COLUMNS, ROWS, GROUP = 12, 250_000, 62_500


def table(seed: int) -> pyarrow.Table:
    """Returns a table of numbers that no encoding makes shorter."""
    chance = random.Random(seed)
    values = [pyarrow.py_buffer(chance.randbytes(8 * ROWS)) for _ in range(COLUMNS)]
    columns = [pyarrow.Array.from_buffers(pyarrow.int64(), ROWS, [None, value]) for value in values]
    return pyarrow.table(columns, names=[f"column{number}" for number in range(COLUMNS)])


def as_parquet(content: pyarrow.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(content, buffer, row_group_size=GROUP, use_dictionary=False, compression="none")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def content() -> pyarrow.Table:
    return table(1)


@pytest.fixture(scope="module")
def stored(shared: Shared, content: pyarrow.Table, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Stores the table, a folder, and another table that is not shared, in a dataset `tables`; returns the first's file."""
    shared.node.isthmus("dataset", "create", "tables", key=SCHOOL)
    [number] = [entry.number for entry in shared.connect(SCHOOL).datasets() if entry.name == "tables"]
    folder = tmp_path_factory.mktemp("tables")
    file = as_parquet(content)
    shared.store(folder, "table.parquet", file, leaf=0, dataset=number)
    parts = folder / "parts"
    (parts / "deeper").mkdir(parents=True)
    (parts / "a.csv").write_bytes(b"name,mark\nAda,97\n")
    (parts / "deeper" / "b.csv").write_bytes(b"name,mark\nGrace,95\n")
    place = ("--dataset", str(number), "--leaf", "1", "--name", "parts")
    shared.node.isthmus("store", str(parts), *place, key=SCHOOL)
    shared.store(folder, "late.parquet", as_parquet(table(2).slice(0, 100)), leaf=20, dataset=number)
    shared.authorize("0..10", dataset=number)
    return file


@pytest.fixture
def files(shared: Shared, stored: bytes, client: isthmus.Client) -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("isthmus", client=client)


@pytest.fixture
def url(shared: Shared, stored: bytes) -> str:
    return f"isthmus://{shared.owner}/tables/table.parquet"


def test_pandas_reads_a_csv_and_a_table(
    shared: Shared, url: str, content: pyarrow.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a user does, with nothing imported but pandas.
    monkeypatch.setenv("ISTHMUS_URL", shared.node.url)
    monkeypatch.setenv("ISTHMUS_KEY", "//Charlie")
    marks = pandas.read_csv(f"isthmus://{shared.owner}/0/marks.csv")
    assert marks.to_csv(index=False).encode() == MARKS
    assert pandas.read_parquet(url).equals(content.to_pandas())


def read(tool: str, url: str, **options: Any) -> pyarrow.Table:
    """Reads a whole table with a tool, which is skipped if it is not installed."""
    module = pytest.importorskip(tool)
    import isthmus.tools

    if tool == "pandas":
        return pyarrow.Table.from_pandas(module.read_parquet(url, storage_options=options), preserve_index=False)
    if tool == "pyarrow":
        return isthmus.tools.dataset(url, **options).to_table()
    if tool == "polars":
        return isthmus.tools.scan(url, **options).collect().to_arrow()
    with module.connect() as connection:
        isthmus.tools.connect_duckdb(connection, **options)
        return connection.sql(f"SELECT * FROM '{url}'").to_arrow_table()


TOOLS = pytest.mark.parametrize("tool", ["pandas", "pyarrow", "polars", "duckdb"])


@TOOLS
def test_a_whole_table_is_equal(tool: str, url: str, content: pyarrow.Table, client: isthmus.Client) -> None:
    assert read(tool, url, client=client).equals(content)


#: Why a table cannot be read: Python's kind of the error, and its sentence. The last one takes a while to become true.
REFUSALS = {
    "out of range": (PermissionError, "outside the range of the caller's grant"),
    "unreachable": (ConnectionError, "no node answers at ws://127.0.0.1"),
    "revoked": (PermissionError, "the caller's grant was revoked"),
    "expired": (PermissionError, "the caller's grant has expired"),
}


@dataclass(frozen=True)
class Ended:
    """Tables whose grants end."""

    urls: dict[str, str]
    #: When the grant on the last one expires.
    until: datetime


@pytest.fixture(scope="module")
def ended(shared: Shared, stored: bytes, content: pyarrow.Table, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    school, reader = shared.connect(SCHOOL), shared.connect().account
    folder = tmp_path_factory.mktemp("ended")
    numbers = {}
    for name in ("revoked", "expired"):
        numbers[name] = school.create_dataset(name).number
        shared.store(folder, f"{name}.parquet", as_parquet(content.slice(0, 100)), leaf=0, dataset=numbers[name])
    until = datetime.now(timezone.utc) + timedelta(seconds=10)
    school.authorize(to=reader, leaves=0, dataset=numbers["expired"], until=until)
    school.revoke(school.authorize(to=reader, leaves=0, dataset=numbers["revoked"]))
    urls = {name: f"isthmus://{shared.owner}/{number}/{name}.parquet" for name, number in numbers.items()}
    return Ended(urls | {"out of range": f"isthmus://{shared.owner}/tables/late.parquet"}, until)


@TOOLS
@pytest.mark.parametrize("why", REFUSALS)
def test_each_tool_shows_the_chains_sentence(tool: str, why: str, shared: Shared, ended: Ended) -> None:
    kind, sentence = REFUSALS[why]
    options: dict[str, Any] = {"client": shared.connect()}
    if why == "unreachable":
        options = {"node": f"ws://127.0.0.1:{free_port()}", "key": COMPANY}
    if why == "expired":
        left = ended.until + timedelta(seconds=1) - datetime.now(timezone.utc)
        if left > timedelta(0):
            time.sleep(left.total_seconds())
            # The next block has a time after that.
            shared.node.isthmus("transfer", shared.owner, "1", key="//Alice")
    url = ended.urls.get(why, ended.urls["revoked"])
    if tool == "duckdb" and why != "unreachable":
        # It has errors of its own, which show the kind and the sentence at the end.
        kind, sentence = pytest.importorskip(tool).Error, rf"{kind.__name__}: .*{sentence}"
    with pytest.raises(kind, match=sentence):
        read(tool, url, **options)


def test_pandas_says_what_is_not_there(shared: Shared, stored: bytes, client: isthmus.Client) -> None:
    options = {"client": client}
    with pytest.raises(FileNotFoundError, match="no record or file nothing.csv in dataset 0"):
        pandas.read_csv(f"isthmus://{shared.owner}/0/nothing.csv", storage_options=options)
    with pytest.raises(ValueError, match="the storage option `node`"):
        pandas.read_csv(f"isthmus://{shared.owner}/0/marks.csv", storage_options={"url": shared.node.url})
    with pytest.raises(ValueError, match="the passphrase is no storage option"):
        pandas.read_csv(f"isthmus://{shared.owner}/0/marks.csv", storage_options={"passphrase": "three plain words"})


def test_a_column_costs_at_most_a_third(url: str, stored: bytes, content: pyarrow.Table, files: fsspec.AbstractFileSystem) -> None:
    with files.open(url) as file:
        column = parquet.read_table(file, columns=["column5"])
        assert column.equals(content.select(["column5"]))
        fetched, chunk = file.fetched, file.chunk_size
    chunks, all_chunks = -(-fetched // chunk), -(-len(stored) // chunk)
    assert chunks * 3 <= all_chunks, f"{chunks} of {all_chunks} chunks"


def test_pyarrow_opens_a_dataset(url: str, content: pyarrow.Table, client: isthmus.Client) -> None:
    import isthmus.tools

    dataset = isthmus.tools.dataset(url, client=client)
    assert dataset.schema.equals(content.schema, check_metadata=False)
    assert dataset.to_table(columns=["column3"]).equals(content.select(["column3"]))
    assert dataset.count_rows() == ROWS


def test_a_stored_folder_is_a_folder(shared: Shared, files: fsspec.AbstractFileSystem) -> None:
    root = f"{shared.owner}/tables"
    assert files.ls(root, detail=False) == [f"{root}/{name}" for name in ("table.parquet", "parts", "late.parquet")]
    assert files.isdir(f"{root}/parts") and files.isfile(f"{root}/table.parquet")
    listed = {entry["name"]: entry["type"] for entry in files.ls(f"{root}/parts")}
    assert listed == {f"{root}/parts/a.csv": "file", f"{root}/parts/deeper": "directory"}
    assert files.cat_file(f"{root}/parts/deeper/b.csv") == b"name,mark\nGrace,95\n"
    info = files.info(f"{root}/parts/a.csv")
    assert info["size"] == 17
    # What tools tell versions apart by, also of files of the same length.
    assert len(info["content_hash"]) == 66
    assert files.ukey(f"{root}/parts/a.csv") != files.ukey(f"{root}/parts/deeper/b.csv")
    assert sorted(files.find(f"{root}/parts")) == [f"{root}/parts/a.csv", f"{root}/parts/deeper/b.csv"]
    assert files.glob(f"{root}/*.parquet") == [f"{root}/late.parquet", f"{root}/table.parquet"]
    assert files.modified(f"{root}/table.parquet") < files.modified(f"{root}/parts/a.csv")
    assert not files.exists(f"{root}/parts/c.csv")
    for path in (f"{root}/parts/c.csv", f"{root}/table.parquet/a.csv", f"{shared.owner}/nothing/a.csv"):
        with pytest.raises(FileNotFoundError):
            files.open(path)
    with pytest.raises(IsADirectoryError):
        files.open(f"{root}/parts")
    with pytest.raises(PermissionError, match="read-only"):
        files.open(f"{root}/new.csv", "wb")


def test_polars_scans(url: str, content: pyarrow.Table, client: isthmus.Client) -> None:
    polars = pytest.importorskip("polars")
    import isthmus.tools

    frame = isthmus.tools.scan(url, client=client).select("column7").head(50).collect()
    assert frame.equals(polars.from_arrow(content.select(["column7"]).slice(0, 50)))
    marks = isthmus.tools.scan(url.replace("tables/table.parquet", "0/marks.csv"), format="csv", client=client)
    assert marks.collect().rows() == [("Ada", 97), ("Grace", 95)]


def test_duckdb_queries(shared: Shared, url: str, content: pyarrow.Table, client: isthmus.Client) -> None:
    duckdb = pytest.importorskip("duckdb")
    import isthmus.tools

    with duckdb.connect() as connection:
        isthmus.tools.connect_duckdb(connection, client=client)
        connection.execute("SET threads = 4")
        [[rows, total]] = connection.sql(f"SELECT count(*), sum(column2) FROM '{url}'").fetchall()
        column = content.column("column2").to_pylist()
        assert (rows, total) == (ROWS, sum(column))
        marks = connection.sql(f"SELECT avg(mark) FROM read_csv('isthmus://{shared.owner}/0/marks.csv')")
        assert marks.fetchall() == [(96.0,)]
