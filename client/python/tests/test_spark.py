# SPDX-License-Identifier: Apache-2.0
"""Shared tables in Spark, on a cluster of two workers on this machine."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import isthmus
import pytest
from conftest import COMPANY, SCHOOL, Shared

pytestmark = pytest.mark.long
pytest.importorskip("pyspark")

import isthmus.spark  # noqa: E402
import isthmus.spark_writer  # noqa: E402
import pyarrow.parquet  # noqa: E402
from pyspark import cloudpickle  # noqa: E402
from isthmus.filesystem import IsthmusFileSystem  # noqa: E402
from pyspark.sql import DataFrame, SparkSession  # noqa: E402
from pyspark.sql.types import StructType  # noqa: E402

#: How many characters a row of text has.
TEXT = 128
MONTHS, ROWS, GROUP = ("2024-03", "2024-04", "2024-05", "2024-06"), 100_000, 40_000


def month(number: int) -> pyarrow.Table:
    students = range(number * ROWS, (number + 1) * ROWS)
    columns = {"student": students, "mark": [student % 101 for student in students]}
    return pyarrow.table(columns | {"name": [f"pupil {student}" for student in students]})


@pytest.fixture(scope="module")
def stored(shared: Shared) -> str:
    """Stores four months and a CSV file, and grants all but the last month; returns the address of the dataset."""
    school, company = shared.connect(SCHOOL), shared.connect()
    dataset = school.create_dataset("spark").number
    for number, name in enumerate(MONTHS):
        content = io.BytesIO()
        pyarrow.parquet.write_table(month(number), content, row_group_size=GROUP)
        public = name == MONTHS[-1]
        school.store(content.getvalue(), f"{name}.parquet", dataset=dataset, leaf=number, public_name=public)
    school.store(b"student,mark\n1,97\n2,95\n", "late.csv", dataset=dataset, leaf=10)
    for leaves in ("0..3", "10..11"):
        school.authorize(to=company.account, leaves=leaves, dataset=dataset)
    return f"isthmus://{shared.owner}/{dataset}"


@pytest.fixture(scope="module")
def spark(shared: Shared) -> Iterator[SparkSession]:
    own = {"ISTHMUS_URL": shared.node.url, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", "false")
        session = builder.getOrCreate()
        isthmus.spark.register(session)
        yield session
        session.stop()


def test_a_granted_dataset_is_a_data_frame(spark: SparkSession, stored: str) -> None:
    reader = spark.read.format("isthmus").option("key", COMPANY)
    march = reader.load(f"{stored}/2024-03.parquet")
    assert march.schema.simpleString() == "struct<student:bigint,mark:bigint,name:string>"
    # A task for each row group.
    assert march.rdd.getNumPartitions() == 3
    rows = [tuple(row.values()) for row in month(0).to_pylist()]
    assert sorted(map(tuple, march.collect())) == rows
    spring = reader.load(f"{stored}/2024-0[345].parquet")
    [total] = spring.selectExpr("count(*)", "sum(student)", "count(distinct mark)").collect()
    assert tuple(total) == (3 * ROWS, 3 * ROWS * (3 * ROWS - 1) // 2, 101)
    # Of the dataset, what the account may read.
    granted = reader.option("fileFormat", "parquet").load(stored)
    assert granted.count() == 3 * ROWS and granted.rdd.getNumPartitions() == 9


def test_both_workers_read_columns_and_csv_files(spark: SparkSession, stored: str) -> None:
    reader = spark.read.format("isthmus").option("key", COMPANY)
    late = reader.load(f"{stored}/late.csv")
    assert late.schema.simpleString() == "struct<student:bigint,mark:bigint>"
    assert sorted(map(tuple, late.collect())) == [(1, 97), (2, 95)]
    marks = reader.schema("mark bigint").load(f"{stored}/2024-0[345].parquet")
    assert marks.columns == ["mark"] and marks.agg({"mark": "max"}).collect()[0][0] == 100
    executors = marks.rdd.mapPartitions(lambda _: [os.getcwd()]).collect()
    assert len(set(executors)) == 2, executors


def test_the_chains_sentence_is_sparks_error(spark: SparkSession, stored: str) -> None:
    reader = spark.read.format("isthmus").option("key", COMPANY)
    with pytest.raises(Exception, match="PermissionError: .*outside the range"):
        reader.load(f"{stored}/2024-06.parquet")
    with pytest.raises(Exception, match="FileNotFoundError"):
        reader.load(f"{stored}/none.parquet")


def test_a_task_gets_its_own_records_key_and_nothing_else(
    shared: Shared, stored: str, monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    passphrase, key = "three plain words", os.path.join(tmp_path, "company.key")
    monkeypatch.setenv("ISTHMUS_PASSPHRASE", passphrase)
    monkeypatch.setenv("ISTHMUS_URL", shared.node.url)
    shared.node.isthmus("key", "generate", key, key=COMPANY)
    reader = isthmus.connect(key=key)
    shared.node.isthmus("transfer", reader.account, "1", key=COMPANY)
    reader.publish_key()
    number = int(stored.rpartition("/")[2])
    shared.connect(SCHOOL).authorize(to=reader.account, leaves="0..2", dataset=number)
    source = isthmus.spark.IsthmusDataSource({"path": stored, "key": key, "fileformat": "parquet"})
    source = cloudpickle.loads(cloudpickle.dumps(source))
    planned = source.reader(source.schema())
    partitions = planned.partitions()
    assert [(part.handle.name, part.group) for part in partitions] == [
        (f"{name}.parquet", group) for name in MONTHS[:2] for group in range(3)
    ]
    keys = {part.handle.secret for part in partitions}
    assert len(keys) == 2
    # What Spark sends to every task, and what it sends to one.
    everywhere = cloudpickle.dumps((planned, source))
    secrets = [passphrase.encode(), key.encode(), COMPANY.encode()]
    for secret in (*secrets, *keys):
        assert secret not in everywhere
    for part in partitions:
        sent = cloudpickle.dumps(part)
        assert sent.count(part.handle.secret) == 1
        for secret in (*secrets, *keys - {part.handle.secret}):
            assert secret not in sent
    # Nothing of the account is needed where a task runs.
    for name in ("ISTHMUS_PASSPHRASE", "ISTHMUS_URL", "HOME"):
        monkeypatch.delenv(name)
    there, part = cloudpickle.loads(everywhere)[0], cloudpickle.loads(cloudpickle.dumps(partitions[4]))
    batches = list(there.read(part))
    assert pyarrow.Table.from_batches(batches).equals(month(1).slice(GROUP, GROUP))


def test_mistakes_are_said(shared: Shared, stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_URL", shared.node.url)

    def plan(**options: str) -> None:
        source = isthmus.spark.IsthmusDataSource({"key": COMPANY} | options)
        source.reader(source.schema())

    with pytest.raises(ValueError, match="missing the path"):
        plan()
    with pytest.raises(ValueError, match="the passphrase is no option"):
        plan(path=stored, passphrase="three plain words")
    with pytest.raises(ValueError, match="expected a fileFormat of parquet or csv"):
        plan(path=stored, fileformat="orc")
    with pytest.raises(ValueError, match="several formats: choose one"):
        plan(path=stored)
    with pytest.raises(ValueError, match="has no column grade"):
        options = {"key": COMPANY, "path": f"{stored}/late.csv"}
        isthmus.spark.IsthmusDataSource(options).reader(StructType().add("grade", "string"))
    with pytest.raises(PermissionError, match="outside the range"):
        plan(path=f"{stored}/2024-06.parquet")
    with pytest.raises(FileNotFoundError):
        plan(path=f"{stored}/none.parquet")


class Lake:
    """A dataset of the school, with a folder for its objects."""

    def __init__(self, shared: Shared, folder: Path) -> None:
        self.folder = folder
        self.school = shared.connect(SCHOOL)
        self.dataset = self.school.create_dataset("lake").number
        self.school.locate(self.dataset, folder.as_uri())
        self.url = f"isthmus://{shared.owner}/{self.dataset}"

    def save(self, frame: DataFrame, name: str, **options: str) -> None:
        frame.write.format("isthmus").mode("append").options(key=SCHOOL, **options).save(f"{self.url}/{name}")

    def records(self) -> dict[str, isthmus.Record]:
        return {record.key: record for record in self.school.records(dataset=self.dataset)}

    def files(self) -> set[str]:
        return {file.name for file in self.folder.iterdir()}


@pytest.fixture(scope="module")
def lake(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(shared, tmp_path_factory.mktemp("lake"))


def text(spark: SparkSession, rows: int, partitions: int) -> DataFrame:
    """Makes rows of text that cannot be guessed from each other."""
    return spark.range(0, rows, numPartitions=partitions).selectExpr("id", "sha2(cast(id as string), 512) text")


def check_text(spark: SparkSession, url: str, rows: int) -> DataFrame:
    """Reads text back, and checks that each row is there once."""
    read = spark.read.format("isthmus").option("key", SCHOOL).load(url)
    right = "count_if(text = sha2(cast(id as string), 512))"
    [found] = read.selectExpr("count(*)", "count(distinct id)", right, "sum(length(text))").collect()
    assert tuple(found) == (rows, rows, rows, rows * TEXT)
    return read


def test_a_gibibyte_is_stored_by_two_workers_in_one_transaction(spark: SparkSession, lake: Lake) -> None:
    rows, parts = (1 << 30) // TEXT, 8

    def with_worker(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        for batch in batches:
            # A worker's folder is its own. The rows are stored where they are made.
            worker = pyarrow.array([os.getcwd()] * batch.num_rows)
            yield pyarrow.RecordBatch.from_arrays([*batch.columns, worker], ["id", "text", "worker"])

    frame = text(spark, rows, parts).mapInArrow(with_worker, "id bigint, text string, worker string")
    before = lake.records()
    lake.save(frame, "gibibyte", parts=str(parts))
    new = [record for key, record in lake.records().items() if key not in before]
    # The parts, and the list of them.
    assert len(new) == parts + 1 and len({record.block for record in new}) == 1
    assert sum(record.encrypted_size for record in new) > 1 << 29
    assert len(lake.files()) == 2 * parts + 1
    read = check_text(spark, f"{lake.url}/gibibyte", rows)
    assert read.select("worker").distinct().count() == 2


def test_a_worker_that_is_killed_in_the_middle_leaves_nothing_half_registered(
    spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    rows, parts = 3 * (100 << 20) // TEXT, 3
    once, folder, sent = str(tmp_path / "killed"), str(lake.folder), str(tmp_path / "sent")
    before, stored = lake.records(), lake.files()

    def kill_once(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import signal
        import time

        from pyspark import TaskContext

        until = time.monotonic() + 300
        if TaskContext.get().partitionId() != 1:
            # Only the partition whose worker is killed has sent anything before that.
            while not os.path.exists(once):
                assert time.monotonic() < until
                time.sleep(0.02)
        size = 0
        for batch in batches:
            yield batch
            size += batch.nbytes
            if size < 85 << 20 or TaskContext.get().partitionId() != 1 or os.path.exists(once):
                continue
            # The first row group is on its way to the store.
            while True:
                unfinished = [name for name in os.listdir(folder) if name.endswith(".unfinished")]
                if unfinished:
                    break
                assert time.monotonic() < until
                time.sleep(0.02)
            with open(sent, "x") as file:
                file.write("\n".join(unfinished))
            open(once, "x").close()
            # This process was forked by one that the worker has started.
            with open(f"/proc/{os.getppid()}/stat") as stat:
                os.kill(int(stat.read().rpartition(")")[2].split()[1]), signal.SIGKILL)

    frame = text(spark, rows, parts).mapInArrow(kill_once, "id bigint, text string")
    lake.save(frame, "survivor")
    [killed] = Path(sent).read_text().splitlines()
    assert os.path.exists(once)
    new = [record for key, record in lake.records().items() if key not in before]
    assert len(new) == parts + 1 and len({record.block for record in new}) == 1
    # What the killed attempt had sent is gone, and no part of the frame.
    name = killed.removesuffix(".unfinished")
    assert not any(file.startswith(name) for file in lake.files())
    assert len(lake.files() - stored) == 2 * parts + 1
    assert lake.school.frames_left(lake.dataset) == []
    check_text(spark, f"{lake.url}/survivor", rows)


def test_columns_of_all_kinds_are_the_same_in_every_partition(spark: SparkSession, lake: Lake) -> None:
    columns = """id bigint, at timestamp, day date, price decimal(20, 3), raw binary, tags array<string>,
        place struct<name: string, at: struct<x: double, y: float>>, marks map<string, int>"""
    at = datetime(2026, 3, 29, 1, 30, 0, 7, tzinfo=timezone.utc)
    day, price = date(1969, 12, 31), Decimal("-12345678901234567.125")
    place = ("north", (0.5, None))
    full = (1, at, day, price, b"\x00\xff", ["a", None, ""], place, {"a": 1, "b": None})
    rows = [full, (2, *[None] * 7), (3, *[None] * 5, (None, None), {}), (4, *full[1:])]
    before = spark.conf.get("spark.sql.session.timeZone")
    try:
        # The batches have this zone, and the files have UTC.
        spark.conf.set("spark.sql.session.timeZone", "Asia/Kathmandu")
        frame = spark.createDataFrame(rows, columns).repartitionByRange(4, "id")
        lake.save(frame.filter("id < 4"), "kinds", parts="4")
        lake.save(frame.filter("id > 4"), "no-rows", parts="4")
        read = spark.read.format("isthmus").option("key", SCHOOL)
        expected = frame.filter("id < 4").orderBy("id").collect()
        kinds = read.load(f"{lake.url}/kinds")
        assert kinds.orderBy("id").collect() == expected
        none = read.load(f"{lake.url}/no-rows")
        assert none.count() == 0 and none.schema == kinds.schema
        assert kinds.schema.simpleString() == frame.schema.simpleString()
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)


def test_a_partition_has_the_columns_of_the_driver_and_not_those_of_its_batches() -> None:
    columns = pyarrow.schema([("at", pyarrow.timestamp("us", tz="UTC")), ("text", pyarrow.string())])
    batch = pyarrow.record_batch(
        {
            "at": pyarrow.array([0, None], pyarrow.timestamp("us", tz="Asia/Kathmandu")),
            "text": pyarrow.array([None, "a"], pyarrow.large_string()),
        }
    )
    for batches in ([batch], [batch.slice(0, 0)], []):
        parquet, content = isthmus.spark_writer.Parquet(iter(batches), columns), b""
        assert parquet.is_empty == (not sum(batch.num_rows for batch in batches))
        while piece := parquet.read():
            content += piece
        table = pyarrow.parquet.read_table(io.BytesIO(content))
        assert table.schema.equals(columns) and table.num_rows == sum(batch.num_rows for batch in batches)


def test_a_driver_that_planned_nothing_here_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    writer = isthmus.spark_writer.IsthmusWriter(pyarrow.schema([]), b"", b"", "ab" * 16, 1)
    for end in (writer.commit, writer.abort):
        with pytest.raises(RuntimeError, match="with the HOME, that planned it.*frames_left"):
            end([])


def test_a_driver_that_cannot_keep_its_frame_gives_it_up(
    shared: Shared, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(mark: str, client: isthmus.Client) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(isthmus.spark_writer, "_keep", full)
    stored, left = lake.files(), lake.school.frames_left(lake.dataset)
    options = {"path": f"{lake.url}/kept", "key": SCHOOL, "url": shared.node.url}
    with pytest.raises(OSError, match="the disk is full"):
        isthmus.spark_writer.plan(options, StructType().add("id", "long"), overwrite=False)
    assert lake.files() == stored and lake.school.frames_left(lake.dataset) == left


def test_a_job_that_fails_registers_nothing_and_leaves_nothing(spark: SparkSession, lake: Lake) -> None:
    def broken(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        from pyspark import TaskContext

        yield from batches
        if TaskContext.get().partitionId() == 1:
            raise ArithmeticError("the input is lost")

    before, stored = lake.records(), lake.files()
    with pytest.raises(Exception, match="ArithmeticError: the input is lost"):
        lake.save(text(spark, 1000, 2).mapInArrow(broken, "id bigint, text string"), "broken")
    with pytest.raises(Exception, match="ValueError: the frame was planned for 2 parts, and this is part 2"):
        lake.save(text(spark, 1000, 3), "broken", parts="2")
    assert (lake.records(), lake.files()) == (before, stored)
    # The name is free.
    lake.save(text(spark, 1000, 2), "broken")
    check_text(spark, f"{lake.url}/broken", 1000)


def test_frames_are_read_by_others_and_mistakes_are_said(shared: Shared, spark: SparkSession, lake: Lake) -> None:
    lake.save(text(spark, 1000, 2), "shown", publicName="true", leaf="1000", parts="3")
    leaves = sorted(record.leaf for record in lake.records().values() if record.leaf >= 1000)
    assert leaves == [1000, 1001, 1003]
    company = shared.connect()
    lake.school.authorize(to=company.account, leaves="1000..1004", dataset=lake.dataset)
    read = spark.read.format("isthmus").option("key", COMPANY).load(f"{lake.url}/shown")
    assert read.count() == 1000 and read.rdd.getNumPartitions() == 2
    lake.save(spark.range(0), "empty")
    empty = spark.read.format("isthmus").option("key", SCHOOL).load(f"{lake.url}/empty")
    assert empty.schema.simpleString() == "struct<id:bigint>" and empty.count() == 0
    frame = spark.range(10)
    with pytest.raises(Exception, match="FileExistsError: shown is stored already"):
        lake.save(frame, "shown", publicName="true")
    with pytest.raises(Exception, match="nothing is overwritten"):
        frame.write.format("isthmus").mode("overwrite").option("key", SCHOOL).save(f"{lake.url}/shown")
    with pytest.raises(Exception, match="PermissionError: only .* stores in its datasets"):
        frame.write.format("isthmus").mode("append").option("key", COMPANY).save(f"{lake.url}/other")
    with pytest.raises(Exception, match="expected a number as the option parts: 'many'"):
        lake.save(frame, "other", parts="many")
    with pytest.raises(Exception, match="expected save"):
        lake.save(frame, "other/deeper")


def test_a_write_task_holds_the_keys_of_its_own_objects_and_nothing_else(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passphrase, key = "three plain words", str(tmp_path / "museum.key")
    monkeypatch.setenv("ISTHMUS_PASSPHRASE", passphrase)
    monkeypatch.setenv("ISTHMUS_URL", shared.node.url)
    shared.node.isthmus("key", "generate", key, key=COMPANY)
    museum = isthmus.connect(key=key)
    assert museum.account
    shared.node.isthmus("transfer", museum.account, "100", key=COMPANY)
    museum.register("Museum of Keys", kind="government")
    dataset = museum.create_dataset("frames").number
    (tmp_path / "store").mkdir()
    museum.locate(dataset, (tmp_path / "store").as_uri())
    earlier = museum.store(b"not the tasks' own", "earlier", dataset=dataset, object=False)
    url = f"isthmus://{museum.account}/{dataset}/frame"
    source = isthmus.spark.IsthmusDataSource({"path": url, "key": key, "parts": "4"})
    content = pyarrow.table({"id": range(10), "name": [f"picture {number}" for number in range(10)]})
    schema = StructType().add("id", "long").add("name", "string")
    writer = source.writer(schema, False)
    # Spark copies the same bytes to every task.
    sent = cloudpickle.dumps(writer)
    # Leaves 1 to 4: the nodes of leaf 1, of 2 and 3, and of leaf 4.
    assert len(writer._keys) == 3 * 32 and sent.count(writer._keys) == 1
    # Leaf 5 is the list's, so this is the leaf after the frame's.
    later = museum.store(b"nor is this", "later", dataset=dataset, object=False)
    assert later.leaf == 6
    others = [museum.handle(museum.account, dataset, record.name).secret for record in (earlier, later)]
    node = shared.node.url
    for secret in (*others, passphrase.encode(), key.encode(), node.encode(), Path(key).read_bytes()[:64]):
        assert secret not in sent
    messages = []
    with monkeypatch.context() as task:
        # Nothing of the account is needed where a task runs.
        for name in ("ISTHMUS_PASSPHRASE", "ISTHMUS_URL", "HOME"):
            task.delenv(name)
        for number, rows in ((0, content.slice(0, 6)), (1, content.slice(0, 0)), (2, content.slice(6))):
            task.setattr(isthmus.spark_writer, "_partition", lambda number=number: number)
            there = cloudpickle.loads(sent)
            messages.append(cloudpickle.loads(cloudpickle.dumps(there.write(iter(rows.to_batches())))))
    assert messages[1].part is None
    cloudpickle.loads(sent).commit(messages)
    files = IsthmusFileSystem(client=museum)
    parts = [pyarrow.parquet.read_table(files.open(path)) for path in files.find(url)]
    assert pyarrow.concat_tables(parts).equals(content)
    # What the driver connects with was kept for its commit, and is gone.
    assert not list(Path(os.environ["HOME"]).rglob("isthmus-frame-*"))


def test_the_benchmark_measures() -> None:
    program = Path(__file__).parents[3] / "scripts/lib/bench_spark.py"
    done = subprocess.run([sys.executable, program, "16", "1"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    for workers in ("1 worker ", "2 workers"):
        assert re.search(rf"^folder +{workers} .* rows/s .* MiB/s .* MiB fetched of ", done.stdout, re.MULTILINE)
