# SPDX-License-Identifier: Apache-2.0
from typing import IO, Any, Callable, TypedDict

#: An event's block, its transaction, and its name and fields in JSON.
_Happened = tuple[int, int | None, str]
#: What is called with a stage, how much is done, how much there is, and the file of a folder.
_Told = Callable[[str, int, int, str | None], object] | None

class Refused(RuntimeError):
    """The chain or the node refuses, and nothing has changed."""

class NotAuthentic(ValueError):
    """Data, a proof or a key is wrong: it was changed, or the node lies."""

class _Options(TypedDict):
    urls: list[str]
    key: str | None
    passphrase: str | None
    timeout: int
    genesis: str | None
    memory: str | None
    trust_node: bool
    post_quantum_only: bool
    finalized: bool
    max_cost: int | None
    tell: Callable[[str], object]

class _ToStore(TypedDict):
    path: str | None
    content: bytes | None
    file: IO[bytes] | None
    name: str | None
    dataset: int | None
    leaf: int | None
    object: bool | None
    public_name: bool

class _ToPlan(TypedDict):
    name: str
    dataset: int
    leaf: int | None
    parts: int
    public_name: bool

class _Planned(TypedDict):
    frame: bytes
    keys: bytes
    mark: str
    leaf: int

class _Asked(TypedDict):
    owner: str
    dataset: int | None
    epoch: int | None
    leaves: str
    card: str | None
    purpose: str
    code: str
    term: int
    offer: int
    firm: bool

class _Placed(TypedDict):
    owner: str
    dataset: int
    epoch: int
    first: int
    end: int
    card: str

class _Offered(TypedDict):
    reader: str
    dataset: int | None
    epoch: int | None
    leaves: str
    card: str | None
    all_between: bool
    term: int
    until: int | None
    when: str | None
    left: bool

class _Traced(TypedDict):
    what: str
    account: str
    dataset: int | None
    record: str | None
    first: int | None
    last: int | None

class _Proved(TypedDict):
    happened: _Happened
    number: int
    hash: str
    genesis: str
    timestamp: int | None
    development: bool

class Connection:
    def __new__(cls, options: _Options) -> Connection: ...
    def account(self) -> str | None: ...
    def genesis(self) -> str: ...
    def requests_sent(self) -> dict[str, int]: ...
    def datasets(self, owner: str) -> list[dict[str, Any]]: ...
    def records(self, owner: str) -> list[dict[str, Any]]: ...
    def grants(self, of: str, received: bool) -> list[dict[str, Any]]: ...

class Reading:
    size: int
    chunk_size: int
    dataset: int
    leaf: int
    owner: str
    key: str
    content_hash: str
    def __new__(cls, connection: Connection, owner: str, dataset: int | None, record: str) -> Reading: ...
    @staticmethod
    def with_handle(connection: Connection, entry: bytes, secret: bytes) -> Reading: ...
    def handle(self) -> tuple[bytes, bytes]: ...
    def read(self, offset: int, length: int) -> bytes: ...
    def files(self) -> list[dict[str, Any]] | None: ...

def register(connection: Connection, name: str, kind: str) -> int: ...
def time(text: str) -> int: ...
def publish(connection: Connection) -> int | None: ...
def create_dataset(connection: Connection, name: str) -> int: ...
def locate(connection: Connection, dataset: int, locations: list[str]) -> int: ...
def store(connection: Connection, what: _ToStore, progress: _Told) -> dict[str, Any]: ...
def plan_frame(connection: Connection, what: _ToPlan) -> _Planned: ...
def store_part(frame: bytes, keys: bytes, number: int, source: IO[bytes]) -> bytes: ...
def commit_frame(connection: Connection, frame: bytes, parts: list[bytes], paths: list[str]) -> dict[str, Any]: ...
def abort_frame(connection: Connection, frame: bytes) -> tuple[bool, bool, list[tuple[int, str]]]: ...
def frames_left(connection: Connection, dataset: int) -> list[dict[str, Any]]: ...
def give_up_frame(connection: Connection, dataset: int, mark: str) -> tuple[bool, bool, list[tuple[int, str]]]: ...
def remove(connection: Connection, name: str, alone: bool, progress: _Told) -> tuple[int, int | None]: ...
def request(connection: Connection, asked: _Asked) -> dict[str, Any]: ...
def requests(connection: Connection, mine: bool) -> list[dict[str, Any]]: ...
def called(connection: Connection, placed: _Placed) -> str | None: ...
def cancel(connection: Connection, request: int) -> int | None: ...
def reject(connection: Connection, request: int, reason: str) -> int: ...
def answer(connection: Connection, request: int, confirmations: int | None, left: bool) -> list[dict[str, Any]]: ...
def authorize(connection: Connection, offered: _Offered) -> list[dict[str, Any]]: ...
def revoke(connection: Connection, grant: int) -> dict[str, Any]: ...
def trace(connection: Connection, traced: _Traced, progress: _Told) -> tuple[int, list[_Happened]]: ...
def receipt(connection: Connection, block: int, event: int | None, progress: _Told) -> tuple[int, _Happened, bytes]: ...
def verify(receipt: bytes, genesis: str | None, memory: str | None) -> _Proved: ...
