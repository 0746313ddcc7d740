#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes vectors.json: Parquet files of other programs, with the columns that these read from them. It needs pyarrow, Polars
and DuckDB. Run it where they are: client/tables/vectors.py"""

import datetime
import decimal
import io
import json
import tempfile
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq


def kind(arrow: pa.DataType):
    """Returns Spark's kind of the values that pyarrow reads."""
    simple = {
        pa.bool_(): "boolean", pa.int8(): "byte", pa.int16(): "short", pa.int32(): "integer", pa.int64(): "long",
        pa.uint8(): "short", pa.uint16(): "integer", pa.uint32(): "long", pa.uint64(): "decimal(20,0)",
        pa.float16(): "binary", pa.float32(): "float", pa.float64(): "double", pa.string(): "string",
        pa.large_string(): "string", pa.string_view(): "string", pa.binary(): "binary", pa.large_binary(): "binary",
        pa.date32(): "date", pa.time32("ms"): "integer", pa.time64("us"): "long", pa.time64("ns"): "long",
    }
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})" if arrow.precision <= 38 else "binary"
    if pa.types.is_timestamp(arrow):
        return "timestamp"
    if pa.types.is_fixed_size_binary(arrow) or isinstance(arrow, pa.UuidType):
        return "binary"
    if pa.types.is_dictionary(arrow):
        return kind(arrow.value_type)
    if pa.types.is_map(arrow):
        item = arrow.item_field
        return {"type": "map", "keyType": kind(arrow.key_type), "valueType": kind(item.type), "valueContainsNull": item.nullable}
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        element = arrow.value_field
        return {"type": "array", "elementType": kind(element.type), "containsNull": element.nullable}
    if pa.types.is_struct(arrow):
        return schema(arrow)
    return simple[arrow]


def schema(fields):
    """Returns Spark's JSON of some fields."""
    listed = [{"name": field.name, "type": kind(field.type), "nullable": field.nullable, "metadata": {}} for field in fields]
    return {"type": "struct", "fields": listed}


def of_arrow(table: pa.Table, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, store_schema=False, **options)
    return buffer.getvalue()


def of_duckdb() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        duckdb.sql("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        duckdb.sql(f"""COPY (SELECT 1::UTINYINT a, 'x' b, 'ok'::mood c, uuid() d, [1, NULL]::INTEGER[] e, {{'f': 2.5::DOUBLE, 'g': [DATE '2026-01-01']}} f,
            MAP {{'k': 7::BIGINT}} g, TIMESTAMP '2026-01-01 00:00:00' h, 1.25::DECIMAL(9, 2) i, 'x'::BLOB j) TO '{path}' (FORMAT parquet)""")
        return path.read_bytes()


def of_polars() -> bytes:
    frame = polars.DataFrame({
        "name": ["Ada", None], "mark": [97, 95], "when": [datetime.datetime(2026, 1, 1), None], "day": [datetime.date(2026, 1, 1)] * 2,
        "parts": [[1.5], []], "kind": polars.Series(["a", "b"], dtype=polars.Categorical), "small": polars.Series([1, 2], dtype=polars.Int8),
        "both": [{"a": True, "b": b"x"}] * 2, "price": polars.Series([decimal.Decimal("1.50")] * 2, dtype=polars.Decimal(12, 2)),
    })
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


inner = pa.struct([pa.field("d", pa.int32(), nullable=False), pa.field("e", pa.list_(pa.string()))])
simple = [
    pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float16(),
    pa.float32(), pa.float64(), pa.string(), pa.binary(), pa.binary(5), pa.date32(), pa.time32("ms"), pa.time64("us"),
    pa.timestamp("ms", "UTC"), pa.timestamp("us"), pa.timestamp("ns"), pa.decimal128(5, 2), pa.decimal128(38, 10), pa.decimal256(50, 3),
    pa.dictionary(pa.int32(), pa.string()), inner, pa.list_(pa.field("element", inner, nullable=False)), pa.map_(pa.string(), pa.float64()),
    pa.list_(pa.list_(pa.int64())),
]
every = pa.schema([pa.field(f"c{number} ü", arrow, nullable=number % 2 == 0) for number, arrow in enumerate(simple)]).empty_table()
old = pa.table({"when": [datetime.datetime(2026, 1, 1)], "list": [[1, 2]], "price": [decimal.Decimal("1.50")]})
files = {
    "pyarrow: every kind": of_arrow(every),
    "pyarrow: 96 bits, lists as they were before, and decimal numbers as integers": of_arrow(
        old, use_deprecated_int96_timestamps=True, use_compliant_nested_type=False, store_decimal_as_integer=True),
    "DuckDB": of_duckdb(),
    "Polars": of_polars(),
    "pyarrow: no column": of_arrow(pa.table({})),
}
vectors = []
for name, content in files.items():
    read = pq.ParquetFile(io.BytesIO(content))
    vectors.append({"name": name, "rows": read.metadata.num_rows, "schema": schema(read.schema_arrow), "bytes": content.hex()})
Path(__file__).with_name("vectors.json").write_text(json.dumps({"files": vectors}, indent="\t", ensure_ascii=False) + "\n")
