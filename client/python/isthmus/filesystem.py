# SPDX-License-Identifier: Apache-2.0
"""Records as files for data tools, by fsspec.

A record is `isthmus://OWNER/DATASET/RECORD`, with the owner's address and the dataset's number or name. The files of a
stored folder are below its record. fsspec finds this module by the protocol, so there is nothing to import:

    pandas.read_parquet("isthmus://5FHneW46…/0/2025-03.parquet", columns=["mark"])

The node and the key come from ISTHMUS_URL, ISTHMUS_KEY and ISTHMUS_PASSPHRASE, from
`storage_options={"node": …, "key": …}`, or from a client: `storage_options={"client": client}`.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from fsspec.spec import AbstractFileSystem

from .client import Client, connect
from .file import NamedRecord, PackedFile, RecordFile

#: The longest name of a record, in bytes.
LONGEST_NAME = 32


class IsthmusFileSystem(AbstractFileSystem):
    """What an owner shares, as files. It is read-only."""

    protocol = "isthmus"
    # Two file systems of one address may differ in what they believe: see the arguments of `connect`.
    cachable = False

    def __init__(
        self,
        node: str | None = None,
        key: str | None = None,
        client: Client | None = None,
        **storage_options: Any,
    ) -> None:
        super().__init__(node=node, key=key, client=client, **storage_options)
        if "passphrase" in storage_options:
            # The options of a file system are shown, and copied to other processes.
            raise ValueError("the passphrase is no storage option: set ISTHMUS_PASSPHRASE, or pass client=")
        if "url" in storage_options:
            # fsspec has an argument of this name, so that tools cannot hand it on.
            raise ValueError("the node's address is the storage option `node`")
        self.client = client or connect(node, key=key)

    @property
    def fsid(self) -> str:
        """The chain."""
        return f"isthmus-{self.client.genesis}"

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Lists the datasets of an owner, the records of a dataset, or the files of a stored folder.

        A listed record has no size: that is known to those who may read it.
        """
        path = self._strip_protocol(path)
        owner, dataset, name = _split(path)
        if dataset is None:
            listed = [_folder(f"{owner}/{dataset.number}") for dataset in self.client.datasets(owner)]
        elif not name:
            records = self.client.records(owner, self.number(owner, dataset))
            # The files of a stored folder are records that have numbers for names.
            named = (record.name for record in records if not _is_number(record.name))
            listed = [_file(f"{path}/{name}", None) for name in named]
        else:
            found = self._find(path)
            listed = [_opened(path, found)] if isinstance(found, RecordFile) else _children(path, found)
        return listed if detail else [entry["name"] for entry in listed]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describes a file or a folder."""
        path = self._strip_protocol(path)
        owner, dataset, name = _split(path)
        if name:
            found = self._find(path)
            return _opened(path, found) if isinstance(found, RecordFile) else _folder(path)
        if dataset is not None:
            self.number(owner, dataset)
        return _folder(path)

    def exists(self, path: str, **_: Any) -> bool:
        """Returns whether there is a file or a folder. Raises PermissionError if the account may not read it."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def modified(self, path: str) -> datetime:
        """Returns a date that differs once the record was removed and stored again, as tools ask that keep what they read.

        The seconds since 1970 are the number of the block that brought the record's last bytes: a node that does not keep
        old states cannot tell its time.
        """
        path = self._strip_protocol(path)
        with self._open(path) as file:
            owner, _, _ = _split(path)
            blocks = [record.block for record in self.client.records(owner) if record.key == file.key]
        if not blocks:
            raise FileNotFoundError(f"the record was removed: {path}")
        return datetime.fromtimestamp(blocks[0], timezone.utc)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> RecordFile:
        if mode != "rb":
            raise PermissionError(f"{path}: files of isthmus:// are read-only")
        found = self._find(path)
        if not isinstance(found, RecordFile):
            raise IsADirectoryError(f"{path} is a folder")
        return found

    def number(self, owner: str, dataset: str) -> int:
        """Returns the number of a dataset that is named by its number or its name."""
        datasets = self.client.datasets(owner)
        for wanted in datasets:
            if dataset == str(wanted.number):
                return wanted.number
        for wanted in datasets:
            if dataset == wanted.name:
                return wanted.number
        raise FileNotFoundError(f"{owner} has no dataset {dataset}")

    def _find(self, path: str) -> RecordFile | list[dict[str, Any]]:
        """Opens the file of a path, or returns what is below it in a stored folder, with paths relative to it."""
        owner, dataset, name = _split(path)
        number = self.number(owner, dataset or "")
        parts = name.split("/")
        for end in range(len(parts), 0, -1):
            record, below = "/".join(parts[:end]), "/".join(parts[end:])
            if len(record.encode()) > LONGEST_NAME and not _is_number(record):
                continue
            try:
                file = self.client.open(owner, number, record)
            except FileNotFoundError:
                continue
            files = file.files()
            if files is not None:
                return self._find_in(files, owner, number, below, path)
            if not below:
                return file
        raise FileNotFoundError(f"{owner} has no record or file {name} in dataset {dataset}")

    def _find_in(
        self, files: list[dict[str, Any]], owner: str, number: int, below: str, path: str
    ) -> RecordFile | list[dict[str, Any]]:
        """Does the same in the list of a stored folder."""
        for file in files:
            if file["path"] == below and not file["folder"]:
                record = NamedRecord(self.client, owner, number, file["record"])
                if file["offset"] is None:
                    return RecordFile(record)
                return RecordFile(PackedFile(record, below.rpartition("/")[2], file["offset"], file["size"]))
        start = f"{below}/" if below else ""
        inside = [file | {"path": file["path"][len(start) :]} for file in files if file["path"].startswith(start)]
        is_folder = not below or any(file["path"] == below for file in files)
        if not inside and not is_folder:
            raise FileNotFoundError(f"the folder has no file {below}: {path}")
        return inside


def _split(path: str) -> tuple[str, str | None, str]:
    """Returns the owner, the dataset and the name that a path names, as far as it goes."""
    owner, _, rest = path.strip("/").partition("/")
    if not owner:
        raise FileNotFoundError("expected isthmus://OWNER/DATASET/RECORD")
    dataset, _, name = rest.partition("/")
    return owner, dataset or None, name


def _is_number(record: str) -> bool:
    """Returns whether a record is named by all bytes of its key, in hexadecimal digits."""
    return len(record) == 66 and record.startswith("0x")


def _children(path: str, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the entries of a folder, of all the files below it."""
    children = {}
    for file in files:
        name, _, deeper = file["path"].partition("/")
        is_folder = file["folder"] or deeper
        child = f"{path}/{name}"
        children[name] = _folder(child) if is_folder else _file(child, file["size"])
    return list(children.values())


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}


def _opened(name: str, file: RecordFile) -> dict[str, Any]:
    """Describes a file, with the hash on the chain, so that tools that keep what they read notice that it was stored again."""
    return _file(name, file.size) | {"content_hash": file._reading.content_hash}


def _file(name: str, size: int | None) -> dict[str, Any]:
    return {"name": name, "size": size, "type": "file"}
