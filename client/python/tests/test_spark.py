# SPDX-License-Identifier: Apache-2.0
"""Shared tables in Spark, on a cluster of two workers on this machine."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import isthmus
import pytest
from conftest import COMPANY, SCHOOL, Shared

pytestmark = pytest.mark.long
pytest.importorskip("pyspark")
pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")

import isthmus.spark  # noqa: E402
import pyarrow.parquet  # noqa: E402
from pyspark import cloudpickle  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

MONTHS, ROWS, GROUP = ("2025-03", "2025-04", "2025-05", "2025-06"), 100_000, 40_000


def month(number: int) -> pyarrow.Table:
    students = range(number * ROWS, (number + 1) * ROWS)
    columns = {"student": students, "mark": [student % 101 for student in students]}
    return pyarrow.table(columns | {"name": [f"pupil {student}" for student in students]})


@pytest.fixture(scope="module")
def stored(shared: Shared) -> str:
    """Stores four months and grants three of them; returns the address of the dataset."""
    school = shared.connect(SCHOOL)
    marks = school.create_dataset("spark")
    for number, name in enumerate(MONTHS):
        content = io.BytesIO()
        pyarrow.parquet.write_table(month(number), content, row_group_size=GROUP)
        school.store(content.getvalue(), f"{name}.parquet", dataset=marks.number, leaf=number)
    school.store(b"student,mark\n1,97\n2,95\n", "late.csv", dataset=marks.number, leaf=10)
    school.authorize(to=shared.connect().account, leaves="0..3", dataset=marks.number)
    school.authorize(to=shared.connect().account, leaves=10, dataset=marks.number)
    return f"isthmus://{shared.owner}/{marks.number}"


@pytest.fixture(scope="module")
def spark(shared: Shared) -> Iterator[SparkSession]:
    os.environ["ISTHMUS_URL"] = shared.node.url
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("isthmus")
    # Executors find the modules that the driver has.
    session = builder.config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1").getOrCreate()
    isthmus.spark.register(session)
    yield session
    session.stop()
    del os.environ["ISTHMUS_URL"]


def test_a_granted_dataset_is_a_data_frame(spark: SparkSession, stored: str) -> None:
    reader = spark.read.format("isthmus").option("key", COMPANY)
    frame = reader.load(f"{stored}/2025-0*.parquet").where("false")
    with pytest.raises(Exception, match="outside the range"):
        frame.count()
    march = reader.load(f"{stored}/2025-03.parquet")
    assert march.schema.simpleString() == "struct<student:bigint,mark:bigint,name:string>"
    # A task for each row group, and both workers work.
    assert march.rdd.getNumPartitions() == 3
    assert pyarrow.Table.from_pandas(march.toPandas()).to_pylist() == month(0).to_pylist()
    granted = reader.option("fileFormat", "parquet").load(stored)
    # late.csv is no Parquet file.
    with pytest.raises(Exception, match="Parquet"):
        granted.count()


def test_what_the_account_may_read_of_a_dataset_is_loaded(spark: SparkSession, shared: Shared, stored: str) -> None:
    months = [f"{stored}/{name}.parquet" for name in MONTHS[:3]]
    reader = spark.read.format("isthmus").option("key", COMPANY)
    frames = [reader.load(path) for path in months]
    union = frames[0].unionAll(frames[1]).unionAll(frames[2])
    rows = 3 * ROWS
    assert union.count() == rows
    [total] = union.selectExpr("sum(student)", "count(distinct mark)").collect()
    assert tuple(total) == (rows * (rows - 1) // 2, 101)
    marks = spark.read.format("isthmus").option("key", COMPANY).load(f"{stored}/late.csv")
    assert sorted(map(tuple, marks.collect())) == [(1, 97), (2, 95)]
    few = reader.schema("mark bigint").load(months[0])
    assert few.columns == ["mark"] and few.agg({"mark": "max"}).collect()[0][0] == 100


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
    source = isthmus.spark.IsthmusDataSource({"path": stored, "key": key})
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
    seed = isthmus._native.Connection  # the account's secrets stay in the native part
    assert seed is not None
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
        plan(path=stored, fileFormat="orc")
    with pytest.raises(PermissionError, match="outside the range"):
        plan(path=f"{stored}/2025-06.parquet")
    with pytest.raises(FileNotFoundError):
        plan(path=f"{stored}/none.parquet")
