# SPDX-License-Identifier: Apache-2.0
"""Shared tables in Spark, on a cluster of two workers on this machine."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator

import isthmus
import pytest
from conftest import COMPANY, SCHOOL, Shared

pytestmark = pytest.mark.long
pytest.importorskip("pyspark")

import isthmus.spark  # noqa: E402
import pyarrow.parquet  # noqa: E402
from pyspark import cloudpickle  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.types import StructType  # noqa: E402

MONTHS, ROWS, GROUP = ("2025-03", "2025-04", "2025-05", "2025-06"), 100_000, 40_000


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
    march = reader.load(f"{stored}/2025-03.parquet")
    assert march.schema.simpleString() == "struct<student:bigint,mark:bigint,name:string>"
    # A task for each row group.
    assert march.rdd.getNumPartitions() == 3
    rows = [tuple(row.values()) for row in month(0).to_pylist()]
    assert sorted(map(tuple, march.collect())) == rows
    spring = reader.load(f"{stored}/2025-0[345].parquet")
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
    marks = reader.schema("mark bigint").load(f"{stored}/2025-0[345].parquet")
    assert marks.columns == ["mark"] and marks.agg({"mark": "max"}).collect()[0][0] == 100
    executors = marks.rdd.mapPartitions(lambda _: [os.getcwd()]).collect()
    assert len(set(executors)) == 2, executors


def test_the_chains_sentence_is_sparks_error(spark: SparkSession, stored: str) -> None:
    reader = spark.read.format("isthmus").option("key", COMPANY)
    with pytest.raises(Exception, match="PermissionError: .*outside the range"):
        reader.load(f"{stored}/2025-06.parquet")
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
        plan(path=f"{stored}/2025-06.parquet")
    with pytest.raises(FileNotFoundError):
        plan(path=f"{stored}/none.parquet")
