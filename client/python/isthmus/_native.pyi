# SPDX-License-Identifier: Apache-2.0
from typing import Any, Callable, TypedDict

class Refused(RuntimeError):
    """The chain or the node refuses, and nothing has changed."""

class NotAuthentic(ValueError):
    """Data, a proof or a key is wrong: it was changed, or the node lies."""

class Options(TypedDict):
    urls: list[str]
    key: str | None
    passphrase: str | None
    timeout: int
    genesis: str | None
    memory: str | None
    trust_node: bool
    post_quantum_only: bool
    tell: Callable[[str], object]

class Connection:
    def __new__(cls, options: Options) -> Connection: ...
    def account(self) -> str | None: ...
    def genesis(self) -> str: ...
    def requests(self) -> dict[str, int]: ...
    def datasets(self, owner: str) -> list[dict[str, Any]]: ...
    def records(self, owner: str) -> list[dict[str, Any]]: ...
    def grants(self, of: str, received: bool) -> list[dict[str, Any]]: ...

class Reading:
    size: int
    chunk_size: int
    dataset: int
    leaf: int
    key: str
    content_hash: str
    def __new__(cls, connection: Connection, owner: str, dataset: int | None, record: str) -> Reading: ...
    def read(self, offset: int, length: int) -> bytes: ...
    def files(self) -> list[dict[str, Any]] | None: ...
