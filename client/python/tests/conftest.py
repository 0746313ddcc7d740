# SPDX-License-Identifier: Apache-2.0
"""A chain with data that a school, //Bob, shares with a company, //Charlie."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import isthmus
import pytest
from node import Node

SCHOOL, COMPANY = "//Bob", "//Charlie"
MARKS = b"name,mark\nAda,97\nGrace,95\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="also run the long tests")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: runs with --all only")
    # A program that was started in the background ignores Ctrl-C, which some tests press.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("long") and not item.config.getoption("--all"):
        pytest.skip("long: runs with --all")


@dataclass(frozen=True)
class Shared:
    """What is shared, and over which node."""

    node: Node
    #: The school's address.
    owner: str
    #: A record of a few chunks.
    large: bytes

    def connect(self, key: str | None = COMPANY) -> isthmus.Client:
        return isthmus.connect(self.node.url, key=key)

    def store(
        self, folder: Path, name: str, content: bytes, leaf: int, dataset: int = 0, public: bool = True
    ) -> None:
        """Stores a record of the school."""
        (folder / name).write_bytes(content)
        place = ("--leaf", str(leaf), "--dataset", str(dataset))
        self.node.isthmus("store", str(folder / name), *place, *["--public-name"] * public, key=SCHOOL)

    def authorize(self, leaves: str, dataset: int = 0, reader: str = COMPANY) -> int:
        """Grants access to leaves, and returns the grant's number."""
        place = ("--leaves", leaves, "--dataset", str(dataset), "--term", "1000")
        [grant] = self.node.isthmus("authorize", "--to", reader, *place, key=SCHOOL)
        return grant["grant"]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    # Chains are remembered in the user's folder, and so are turns of programs with one account.
    os.environ["HOME"] = str(folder)
    for name in ("XDG_CONFIG_HOME", "ISTHMUS_KEY", "ISTHMUS_PASSPHRASE", "ISTHMUS_URL", "ISTHMUS_GENESIS"):
        os.environ.pop(name, None)
    node = Node(folder)
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def shared(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    node.isthmus("register", "High School No. 1", "--kind", "school", key=SCHOOL)
    node.isthmus("dataset", "create", "marks", key=SCHOOL)
    node.isthmus("key", "publish", key=COMPANY)
    owner = isthmus.connect(node.url, key=SCHOOL).account
    shared = Shared(node, owner, random.Random(18).randbytes(5_000_000))
    folder = tmp_path_factory.mktemp("stored")
    shared.store(folder, "marks.csv", MARKS, leaf=0)
    shared.store(folder, "large.bin", shared.large, leaf=1)
    shared.store(folder, "secret.csv", b"not shared", leaf=9)
    shared.authorize("0..4")
    return shared


@pytest.fixture
def client(shared: Shared) -> isthmus.Client:
    return shared.connect()
