# SPDX-License-Identifier: Apache-2.0
"""Shares data on an Isthmus chain, and opens it in data tools.

    import isthmus

    client = isthmus.connect("ws://127.0.0.1:9944", key="company.key")
    with client.open(owner, dataset, "2025-03.parquet") as file:
        ...

pandas, pyarrow, DuckDB and other tools read `isthmus://OWNER/DATASET/RECORD`: see `isthmus.filesystem` and
`isthmus.tools`.
"""

from ._native import NotAuthentic, Refused
from .client import Client, connect
from .entries import Dataset, Grant, Record
from .file import RecordFile

__all__ = ["Client", "Dataset", "Grant", "NotAuthentic", "Record", "RecordFile", "Refused", "connect"]
