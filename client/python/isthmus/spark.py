# SPDX-License-Identifier: Apache-2.0
"""Shared tables in Spark: `spark.read.format("isthmus")` and `frame.write.format("isthmus")`, from PySpark 4 on.

    isthmus.spark.register(spark)
    marks = spark.read.format("isthmus").load("isthmus://OWNER/DATASET/2025-03.parquet")

The path may be a record, a pattern of records such as `…/2025-*.parquet`, a stored folder, or a whole dataset, of which
the records that the account may read are loaded. Options:

- `url` and `key` are those of `isthmus.connect`, and so are the variables ISTHMUS_URL, ISTHMUS_KEY, ISTHMUS_PASSPHRASE and
  ISTHMUS_GENESIS. They are needed where the driver runs, and nowhere else.
- `taskUrl` are the nodes that tasks fetch from, if they reach another address than the driver.
- `fileFormat` is `parquet` or `csv`: of several records, those whose names end with it are loaded.

The driver opens the grant, and makes a task of each row group of a Parquet file and of each CSV file. A task gets the
handle of its record: the record's key, and neither the account nor another record's key. The columns of
`spark.read.schema(…)` are all that a task fetches of a Parquet file.

A data frame is stored in a dataset of the account that has a location:

    marks.write.format("isthmus").mode("append").option("parts", 8).save("isthmus://OWNER/DATASET/NAME")

It becomes a packed folder of Parquet files, one for each partition, of which all or none is on the chain. Options besides
`url` and `key`:

- `parts` is for how many partitions leaves are planned, 32 by default and at most 256. More partitions fail, and the leaves
  that are not used are spent.
- `leaf` is the leaf of the first partition, by default the next one that is free.
- `genesis` and `maxCost` are those of `isthmus.connect`. The commit always waits until it is final.
- `publicName` shows the name to everyone: otherwise readers find the folder by its key.

A task gets the keys of this frame's leaves and the address of the store, and has the store's credentials in its environment.
It has neither an account nor another key. What another machine stores at one of these leaves meanwhile, tasks can open: it is
named in a warning. `Client.frames_left` finds what a driver that was killed has left in the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.csv
import pyarrow.parquet
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import StructType

from .client import Client, connect
from .file import RecordFile
from .filesystem import IsthmusFileSystem
from .handle import RecordHandle
from .spark_writer import IsthmusWriter, plan

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FORMATS = ("parquet", "csv")


def register(spark: SparkSession) -> None:
    """Makes the format `isthmus` known to a session, for reading and for writing."""
    spark.dataSource.register(IsthmusDataSource)


@dataclass
class RecordPartition(InputPartition):
    """What one task reads: a record, or a row group of it."""

    handle: RecordHandle
    format: str
    #: The row group; `None` for the whole record.
    group: int | None


class IsthmusDataSource(DataSource):
    """Shared tables. Spark makes it where the driver runs."""

    @classmethod
    def name(cls) -> str:
        return "isthmus"

    def schema(self) -> StructType:
        _, format, files = _open(self.options)
        return from_arrow_schema(_schema(format, files[0]))

    def reader(self, schema: StructType) -> IsthmusReader:
        partitions = _partitions(self.options, schema)
        # Spark sends this object to the tasks, and they need none of it.
        self.options = {}
        return IsthmusReader(schema, partitions)

    def writer(self, schema: StructType, overwrite: bool) -> IsthmusWriter:
        return plan(self.options, schema, overwrite)


class IsthmusReader(DataSourceReader):
    """Reads partitions, in tasks. It is copied to them without the list of all partitions."""

    def __init__(self, schema: StructType, partitions: list[RecordPartition] | None = None) -> None:
        self._schema = schema
        self._partitions = partitions

    def __reduce__(self) -> tuple[Any, ...]:
        return IsthmusReader, (self._schema,)

    def partitions(self) -> Sequence[InputPartition]:
        return self._partitions or []

    def read(self, partition: InputPartition) -> Iterator[pyarrow.RecordBatch]:
        # Spark has a partition without a record if there are none.
        if isinstance(partition, RecordPartition):
            schema = to_arrow_schema(self._schema, timezone="UTC")
            for batch in _batches(partition, schema):
                yield from pyarrow.Table.from_batches([batch]).select(schema.names).cast(schema).to_batches()


def _open(options: Any) -> tuple[Client, str, list[RecordFile]]:
    """Opens the grant: returns the format of the records that are loaded, and the records."""
    if "passphrase" in options:
        # The options of a data source are shown, and copied to other processes.
        raise ValueError("the passphrase is no option: set ISTHMUS_PASSPHRASE where the driver runs")
    path = options.get("path")
    if not path:
        raise ValueError("missing the path: load('isthmus://OWNER/DATASET/RECORD')")
    format: str | None = options.get("fileformat")
    if format not in (None, *FORMATS):
        raise ValueError(f"expected a fileFormat of {' or '.join(FORMATS)}: {format!r}")
    client = connect(options.get("url"), key=options.get("key"))
    files = IsthmusFileSystem(client=client)
    paths = _paths(client, files, path)
    if len(paths) > 1:
        paths = [path for path in paths if _format(path) in ({format} if format else FORMATS)]
    formats = {known for path in paths if (known := format or _format(path))}
    if not formats:
        raise FileNotFoundError(f"no file of a known fileFormat, {' or '.join(FORMATS)}: {path}")
    if len(formats) > 1:
        raise ValueError(f"there are files of several formats: choose one by the option fileFormat: {path}")
    [chosen] = formats
    return client, chosen, [files.open(path) for path in paths]


def _paths(client: Client, files: IsthmusFileSystem, path: str) -> list[str]:
    """Returns the paths of the records that a path means."""
    path = files._strip_protocol(path)
    owner, _, below = path.partition("/")
    if "/" in below:
        if any(sign in below for sign in "*?["):
            return sorted(files.glob(path))
        return sorted(files.find(path)) if files.isdir(path) else [path]
    # A dataset: what the account may read of it.
    number = files.number(owner, below)
    grants = [grant for grant in client.received() if (grant.owner, grant.dataset) == (owner, number)]
    opened = [(grant.epoch, grant.leaves) for grant in grants if grant.state == "active"]
    readable = [
        record.name
        for record in client.records(owner, number)
        if owner == client.account or any(record.epoch == epoch and record.leaf in leaves for epoch, leaves in opened)
    ]
    return [f"{path}/{name}" for name in readable]


def _format(path: str) -> str | None:
    ending = path.rpartition(".")[2].lower()
    return ending if ending in FORMATS else None


def _schema(format: str, file: RecordFile) -> pyarrow.Schema:
    if format == "parquet":
        return pyarrow.parquet.read_schema(file)
    file.seek(0)
    return pyarrow.csv.open_csv(file).schema


def _partitions(options: Any, schema: StructType) -> list[RecordPartition]:
    """Returns what each task reads."""
    client, format, files = _open(options)
    wanted = set(schema.fieldNames())
    partitions: list[RecordPartition] = []
    for file in files:
        missing = wanted.difference(_schema(format, file).names)
        if missing:
            raise ValueError(f"{file.name} has no column {', '.join(sorted(missing))}")
        handle = client.handle_of(file, url=options.get("taskurl"))
        groups: Sequence[int | None] = [None]
        if format == "parquet":
            groups = range(pyarrow.parquet.ParquetFile(file).num_row_groups)
        partitions += [RecordPartition(handle, format, group) for group in groups]
    return partitions


def _batches(partition: RecordPartition, schema: pyarrow.Schema) -> Iterator[pyarrow.RecordBatch]:
    """Reads the columns of a partition, with the key of its record alone."""
    with partition.handle.open() as file:
        if partition.format == "parquet":
            table = pyarrow.parquet.ParquetFile(file)
            yield from table.iter_batches(row_groups=[partition.group], columns=schema.names)
        else:
            columns = {field.name: field.type for field in schema}
            convert = pyarrow.csv.ConvertOptions(include_columns=schema.names, column_types=columns)
            yield from pyarrow.csv.open_csv(file, convert_options=convert)
