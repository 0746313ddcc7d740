# SPDX-License-Identifier: Apache-2.0
"""Runs the notebooks as a user does, in a kernel of their own."""

from __future__ import annotations

import base64
import io
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import COMPANY, SCHOOL, Shared

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
MONTHS = ("2025-03", "2025-04", "2025-05", "2025-06")

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Ran:
    """What a notebook shows: values, and what it prints."""

    shown: list[str]
    printed: list[str]


@pytest.fixture
def marks(shared: Shared, tmp_path: Path) -> str:
    """Stores four months of a class's marks, grants three of them to //Dave, and returns that account."""
    pandas = pytest.importorskip("pandas")
    shared.node.isthmus("dataset", "create", "marks by month", key=SCHOOL)
    [number] = [entry.number for entry in shared.connect(SCHOOL).datasets() if entry.name == "marks by month"]
    chance = random.Random(2025)
    for leaf, month in enumerate(MONTHS):
        missed = [chance.randrange(10) for _ in range(300)]
        mark = [round(min(100, max(0, chance.gauss(88 - leaf - 2.5 * lessons, 6)))) for lessons in missed]
        table = pandas.DataFrame({"student": range(300), "missed": missed, "mark": mark})
        content = io.BytesIO()
        table.to_parquet(content)
        shared.store(tmp_path, f"{month}.parquet", content.getvalue(), leaf=leaf, dataset=number)
    reader = "//Dave"
    shared.node.isthmus("key", "publish", key=reader)
    shared.authorize("0..3", dataset=number, reader=reader)
    return reader


@pytest.fixture
def run(shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs a notebook in the test's folder, with variables of its environment."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("matplotlib")

    def run(name: str, **environment: str) -> Ran:
        for variable, value in ({"ISTHMUS_URL": shared.node.url} | environment).items():
            monkeypatch.setenv(variable, value)
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        assert len(notebook.cells) < 10
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        data = [output["data"] for output in outputs if "data" in output]
        [encoded] = [each["image/png"] for each in data if "image/png" in each]
        picture = base64.b64decode(encoded)
        assert picture.startswith(b"\x89PNG")
        # To be looked at.
        if kept := os.environ.get("ISTHMUS_PICTURES"):
            (Path(kept) / f"{name}.png").write_bytes(picture)
        return Ran([each["text/plain"] for each in data], [output["text"] for output in outputs if output.get("name") == "stdout"])

    return run


def test_a_researcher_comes_to_a_plot(marks: str, run: Callable[..., Ran]) -> None:
    ran = run("researcher", ISTHMUS_KEY=marks)
    assert "['2025-03.parquet', '2025-04.parquet', '2025-05.parquet']" in ran.shown


def test_a_school_answers_requests_and_sees_who_can_read(shared: Shared, run: Callable[..., Ran]) -> None:
    key = "//Teacher"
    shared.node.isthmus("transfer", key, "1000", key="//Alice")
    school = shared.connect(key)
    school.register("High School No. 18", kind="school")
    dataset = school.create_dataset("marks of 2025").number
    for leaf, month in enumerate(MONTHS[:3]):
        school.store(month.encode(), f"{month}.parquet", dataset=dataset, leaf=leaf)
    asked = {"//Dave": (range(0, 3), 2), "//Ferdie": (range(1, 4), "1.5"), COMPANY: (range(3, 4), 1), "//Eve": (range(0, 4), 0)}
    for reader, (leaves, offer) in asked.items():
        shared.connect(reader).request(school.account, leaves, f"a study by {reader}", dataset=dataset, offer=offer)
    ran = run("school", ISTHMUS_KEY=key)
    assert "(3, 0)" in ran.shown
    assert any("a study by //Eve" in text for text in ran.shown)
    active = {grant.reader: grant.leaves for grant in school.given() if grant.dataset == dataset}
    assert active == {shared.connect(reader).account: leaves for reader, (leaves, offer) in asked.items() if offer}
    assert school.requests() == []


def test_an_auditor_checks_what_happened(shared: Shared, tmp_path: Path, run: Callable[..., Ran]) -> None:
    key = "//Registry"
    shared.node.isthmus("transfer", key, "1000", key="//Alice")
    owner = shared.connect(key)
    owner.register("Registry", kind="government")
    dataset = owner.create_dataset("births").number
    stored = owner.store(b"an entry", "2025-03.csv", dataset=dataset)
    readers = [shared.connect(reader) for reader in (COMPANY, "//Dave", "//Ferdie")]
    grants = []
    for reader in readers:
        reader.publish_key()
        grants.append(owner.authorize(to=reader.account, leaves="0..3", dataset=dataset))
    owner.store(b"another", "2025-04.csv", dataset=dataset)
    owner.revoke(grants[1])
    (tmp_path / "receipts").mkdir()
    granted = [event.block for event in owner.trace("dataset", owner.account, dataset) if event.name == "Authorized"]
    for name, block in (("stored", stored.block), ("granted", granted[0])):
        owner.receipt(block).save(tmp_path / "receipts" / f"{name}.receipt")
    # The auditor knows no chain, and has no account.
    ran = run("auditor", OWNER=owner.account, DATASET=str(dataset), GENESIS=owner.genesis, XDG_CONFIG_HOME=str(tmp_path), ISTHMUS_KEY="")
    assert any("Stored" in text and "Authorized" in text for text in ran.shown)
    [said] = ran.printed
    assert said.startswith("refused: "), said
