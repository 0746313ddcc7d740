# SPDX-License-Identifier: Apache-2.0
"""Opens shared data in tools that do not find `isthmus://` through fsspec.

pandas does: `pandas.read_parquet("isthmus://…")` needs nothing from here. Each function takes the options of
`isthmus.filesystem`, for example `client=client`. What a tool filters, it filters on this machine: of a Parquet file,
the chunks that contain the chosen columns and row groups are fetched; of another file, all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsspec

if TYPE_CHECKING:
    import duckdb
    import polars
    import pyarrow.dataset


def dataset(url: str, *, format: str = "parquet", **options: Any) -> pyarrow.dataset.Dataset:
    """Opens a file, or all files of a folder, as a dataset of pyarrow."""
    import pyarrow.dataset

    files, path = fsspec.core.url_to_fs(url, **options)
    return pyarrow.dataset.dataset(path, filesystem=files, format=format)


def scan(url: str, *, format: str = "parquet", **options: Any) -> polars.LazyFrame:
    """Opens a file, or all files of a folder, as a lazy frame of Polars."""
    import polars

    return polars.scan_pyarrow_dataset(dataset(url, format=format, **options))


def connect_duckdb(connection: duckdb.DuckDBPyConnection, **options: Any) -> None:
    """Makes `isthmus://` known to a connection of DuckDB, as in `SELECT … FROM 'isthmus://…/marks.parquet'`."""
    connection.register_filesystem(fsspec.filesystem("isthmus", **options))
