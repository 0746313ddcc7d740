# SPDX-License-Identifier: Apache-2.0
"""Shares data on an Isthmus chain, and opens it in data tools.

    import isthmus

    school = isthmus.connect("ws://127.0.0.1:9944", key="school.key")
    school.store("2025-03.parquet")
    school.authorize(school.requests()[0])

    company = isthmus.connect("ws://127.0.0.1:9944", key="company.key")
    with company.open(owner, dataset, "2025-03.parquet") as file:
        ...

pandas, pyarrow, DuckDB and other tools read `isthmus://OWNER/DATASET/RECORD`: see `isthmus.filesystem` and
`isthmus.tools`; `isthmus.spark` is for clusters.
"""

from importlib.metadata import version as _version

from ._native import NotAuthentic, Refused
from .client import Client, connect
from .entries import Dataset, Event, Grant, LeftFrame, Progress, Receipt, Record, Request, Revoked, Stored, Verified
from .file import RecordFile
from .handle import RecordHandle
from .receipts import verify

#: The version of the package.
__version__ = _version("isthmus")

__all__ = [
    "Client",
    "Dataset",
    "Event",
    "Grant",
    "LeftFrame",
    "NotAuthentic",
    "Progress",
    "Receipt",
    "Record",
    "RecordFile",
    "RecordHandle",
    "Refused",
    "Request",
    "Revoked",
    "Stored",
    "Verified",
    "connect",
    "verify",
]
