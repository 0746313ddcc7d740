# SPDX-License-Identifier: Apache-2.0
"""Measures how fast Spark reads a dataset of objects, with one worker and with two on this machine.

Usage: bench_spark.py [MIB [ROUNDS]]. scripts/bench-spark runs it. ISTHMUS_NODE names the node's program, and ISTHMUS_STORES
the folder of the S3 server s3s-fs: without it, only a folder is measured.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "client/python/tests"))

import isthmus
import isthmus.spark
import numpy
import pyarrow
import pyarrow.parquet
from isthmus.file import RecordFile
from isthmus.handle import RecordHandle
from node import Node, free_port
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

#: The owner, who also reads.
SCHOOL = "//Bob"
#: The dataset's files, and the row groups in each: there is a task for each row group.
FILES, GROUPS = 8, 2
#: How many bytes of text a row has, which cannot be guessed from each other.
TEXT = 128
MIB = 1 << 20
BUCKET, SECRET = "records", "test"
WORKERS = (1, 2)
#: How long a server may take to answer, in seconds.
START = 60


@dataclass(frozen=True)
class Counted:
    """A record's handle, which notes how many bytes of the record a task has fetched, and in which worker."""

    handle: RecordHandle
    notes: str

    @contextmanager
    def open(self) -> Iterator[RecordFile]:
        with self.handle.open() as file:
            yield file
            note = {"fetched": file.fetched, "worker": os.getcwd()}
        Path(self.notes, uuid.uuid4().hex).write_text(json.dumps(note))


class CountedSource(isthmus.spark.IsthmusDataSource):
    """The data source, whose tasks note what they fetch in the folder that the option `notes` names."""

    @classmethod
    def name(cls) -> str:
        return "counted"

    def reader(self, schema: StructType) -> isthmus.spark.IsthmusReader:
        notes = self.options["notes"]
        reader = super().reader(schema)
        for partition in reader.partitions():
            partition.handle = Counted(partition.handle, notes)
        return reader


@dataclass(frozen=True)
class Read:
    """One reading of all rows."""

    planned: float
    seconds: float
    fetched: int
    workers: int


def table(first: int, rows: int) -> pyarrow.Table:
    """Makes rows with a number and a text."""
    text = pyarrow.py_buffer(os.urandom(rows * TEXT // 2).hex().encode())
    offsets = pyarrow.py_buffer(numpy.arange(0, (rows + 1) * TEXT, TEXT, dtype=numpy.int32))
    return pyarrow.table(
        {
            "id": pyarrow.array(numpy.arange(first, first + rows)),
            "text": pyarrow.StringArray.from_buffers(rows, offsets, text),
        }
    )


def store(school: isthmus.Client, name: str, location: str, rows: int, folder: Path) -> tuple[str, int]:
    """Stores a new dataset of Parquet files as objects at the location. Returns its address and its length in bytes."""
    dataset = school.create_dataset(name).number
    school.locate(dataset, location)
    size = 0
    for number in range(FILES):
        file = folder / f"{name}-{number}.parquet"
        part = rows // FILES
        pyarrow.parquet.write_table(table(number * part, part), file, row_group_size=part // GROUPS)
        size += file.stat().st_size
        school.store(file, dataset=dataset, object=True)
        file.unlink()
    return f"isthmus://{school.account}/{dataset}", size


@contextmanager
def s3_server(folder: Path) -> Iterator[str | None]:
    """Runs s3s-fs, and sets the variables that lead to it. Gives the location, or none if it is not installed."""
    program = Path(os.environ.get("ISTHMUS_STORES", ""), "bin/s3s-fs")
    if not program.exists():
        print("s3: not measured, because scripts/stores --all was not run", flush=True)
        yield None
        return
    port = free_port()
    (folder / BUCKET).mkdir(parents=True)
    address = ["--host", "127.0.0.1", "--port", str(port)]
    keys = ["--access-key", SECRET, "--secret-key", SECRET]
    child = subprocess.Popen([program, *keys, *address, folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    settings = {"ACCESS_KEY_ID": SECRET, "SECRET_ACCESS_KEY": SECRET, "REGION": "us-east-1", "ENDPOINT_URL": url}
    os.environ.update({f"AWS_{name}": value for name, value in settings.items()} | {"AWS_ALLOW_HTTP": "true"})
    try:
        until = time.monotonic() + START
        while not answers(url):
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{program} did not start")
            time.sleep(0.05)
        yield f"s3://{BUCKET}"
    finally:
        child.kill()
        child.wait()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        # It wants a signature.
        return True
    except OSError:
        return False
    return True


@contextmanager
def cluster(workers: int) -> Iterator[SparkSession]:
    """Starts a cluster of workers with one core and 1 GiB each."""
    builder = SparkSession.builder.master(f"local-cluster[{workers},1,1024]").config("spark.ui.enabled", "false")
    # No task waits for a worker that has not started yet.
    ready = {"spark.scheduler.minRegisteredResourcesRatio": "1", "spark.scheduler.maxRegisteredResourcesWaitingTime": "60s"}
    ready["spark.ui.showConsoleProgress"] = "false"
    session = builder.config(map=ready).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.dataSource.register(CountedSource)
    try:
        yield session
    finally:
        session.stop()


def read(spark: SparkSession, url: str, rows: int, notes: Path) -> Read:
    """Reads all rows, and checks that each is there."""
    notes.mkdir()
    began = time.perf_counter()
    frame = spark.read.format("counted").options(key=SCHOOL, fileFormat="parquet", notes=str(notes)).load(url)
    sums = frame.selectExpr("count(*)", "sum(id)", "sum(length(text))")
    # Makes the list of tasks.
    sums._jdf.queryExecution().executedPlan()
    planned = time.perf_counter() - began
    [found] = sums.collect()
    seconds = time.perf_counter() - began
    if tuple(found) != (rows, rows * (rows - 1) // 2, rows * TEXT):
        raise RuntimeError(f"expected {rows} rows: {found}")
    told = [json.loads(note.read_text()) for note in notes.iterdir()]
    if len(told) != FILES * GROUPS:
        raise RuntimeError(f"expected {FILES * GROUPS} tasks: {len(told)}")
    return Read(planned, seconds, sum(note["fetched"] for note in told), len({note["worker"] for note in told}))


def report(name: str, reads: dict[int, list[Read]], rows: int, size: int) -> None:
    """Prints the medians for each number of workers, and how much faster the larger cluster is."""

    def median(workers: int, value: Callable[[Read], float]) -> float:
        return statistics.median(map(value, reads[workers]))

    for workers in WORKERS:
        seconds = median(workers, lambda one: one.seconds)
        print(
            f"{name:6}  {workers} worker{'s' * (workers > 1):1}"
            f"  {rows / seconds:9,.0f} rows/s  {size / MIB / seconds:6.1f} MiB/s"
            f"  {median(workers, lambda one: one.fetched) / MIB:.0f} MiB fetched of {size / MIB:.0f}"
            f"  {seconds:.1f} s, of which {median(workers, lambda one: one.planned):.1f} s plan,"
            f" the median of {len(reads[workers])}",
            flush=True,
        )
    fewest, most = (median(workers, lambda one: one.seconds) for workers in WORKERS)
    print(f"{name:6}  {WORKERS[-1]} workers take {most / fewest:.2f} times as long as {WORKERS[0]}", flush=True)


def main(mib: int = 512, rounds: int = 3) -> None:
    # The same number of rows in each row group.
    rows = mib * MIB // TEXT // (FILES * GROUPS) * (FILES * GROUPS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-bench-spark-")))
        os.environ.update({"HOME": str(folder), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"})
        os.environ["SPARK_LOCAL_DIRS"] = str(folder)
        node = Node(folder)
        stack.callback(node.stop)
        node.start()
        os.environ["ISTHMUS_URL"] = node.url
        (folder / "objects").mkdir()
        places = {"folder": (folder / "objects").as_uri()}
        if at := stack.enter_context(s3_server(folder / "s3")):
            places["s3"] = at
        school = isthmus.connect(node.url, key=SCHOOL)
        school.register("High School No. 1", kind="school")
        stored = {name: store(school, name, location, rows, folder) for name, location in places.items()}
        [(_, size), *_] = stored.values()
        print(f"{rows:,} rows in {FILES} files of {GROUPS} row groups, {size / MIB:.0f} MiB of Parquet", flush=True)
        reads: dict[str, dict[int, list[Read]]] = {name: {workers: [] for workers in WORKERS} for name in stored}
        for number in range(rounds):
            for workers in WORKERS:
                with cluster(workers) as spark:
                    for name, (url, _) in stored.items():
                        notes = folder / f"notes-{name}-{workers}-{number}"
                        # The first reading starts what later ones find running.
                        read(spark, url, rows, folder / f"{notes.name}-first")
                        done = read(spark, url, rows, notes)
                        if done.workers != workers:
                            raise RuntimeError(f"expected {workers} workers: {done.workers}")
                        reads[name][workers].append(done)
        for name, (_, size) in stored.items():
            report(name, reads[name], rows, size)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
