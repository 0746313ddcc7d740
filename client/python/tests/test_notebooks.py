# SPDX-License-Identifier: Apache-2.0
"""Runs the notebooks as a user does, in a kernel of their own."""

from __future__ import annotations

import base64
import io
import os
import random
from pathlib import Path

import pytest
from conftest import SCHOOL, Shared

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
MONTHS = ("2025-03", "2025-04", "2025-05", "2025-06")

pytestmark = pytest.mark.long


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


def test_a_researcher_comes_to_a_plot(marks: str, shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("ISTHMUS_URL", shared.node.url)
    monkeypatch.setenv("ISTHMUS_KEY", marks)
    notebook = nbformat.read(NOTEBOOKS / "researcher.ipynb", as_version=4)
    assert len(notebook.cells) < 10
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [output["data"]["text/plain"] for output in outputs if "data" in output]
    assert "['2025-03.parquet', '2025-04.parquet', '2025-05.parquet']" in texts
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    [picture] = [base64.b64decode(encoded) for encoded in pictures]
    assert picture.startswith(b"\x89PNG")
    # To be looked at.
    if kept := os.environ.get("ISTHMUS_PICTURES"):
        (Path(kept) / "researcher.png").write_bytes(picture)
