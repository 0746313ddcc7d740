# SPDX-License-Identifier: Apache-2.0
"""Cards of datasets: made from files, with their hash on the chain. With --all, mlcroissant reads one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import COMPANY, SCHOOL, Shared

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def card(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a card from a table with several kinds of columns, and a CSV file."""
    folder = tmp_path_factory.mktemp("cards")
    place = pyarrow.struct([("town", pyarrow.string()), ("rooms", pyarrow.int16())])
    table = pyarrow.table({
        "mark": pyarrow.array([97, None]),
        "when": pyarrow.array([0, 1], pyarrow.timestamp("us", "UTC")),
        "places": pyarrow.array([[{"town": "A", "rooms": 3}], []], pyarrow.list_(place)),
    })
    parquet.write_table(table, folder / "marks.parquet")
    (folder / "list.csv").write_bytes(b"name,mark\nAda,97\n")
    card = folder / "marks.jsonld"
    words = ["--description", "Marks of all pupils", "--license", "https://spdx.org/licenses/CC-BY-4.0.html"]
    words += ["--keyword", "school", "--leaf", "0=2025-01", "--leaf", "1=2025-02"]
    files = ["--guess", str(folder / "marks.parquet"), str(folder / "list.csv")]
    [made] = shared.node.isthmus("dataset", "describe", "0", "--card", str(card), *files, *words, key=SCHOOL)
    assert (made["dataset"], made["columns"], made["card"]) == (0, 5, str(card))
    return card


def test_a_card_says_what_is_in_a_dataset(card: Path, shared: Shared) -> None:
    told = json.loads(card.read_text())
    assert (told["name"], told["url"]) == ("marks", f"isthmus://{shared.owner}/0")
    assert told["creator"] == {"@type": "sc:Organization", "identifier": shared.owner, "name": "High School No. 1"}
    assert told["isthmus:epoch"] == 0
    assert [(leaf["isthmus:number"], leaf["name"]) for leaf in told["isthmus:leaf"]] == [(0, "2025-01"), (1, "2025-02")]
    kinds = [[field.get("dataType") for field in rows["field"]] for rows in told["recordSet"]]
    assert kinds == [["cr:Int64", "sc:DateTime", None], ["sc:Text", "cr:Int64"]]
    # A file is not written over.
    with pytest.raises(RuntimeError, match="already exists"):
        shared.node.isthmus("dataset", "describe", "0", "--card", str(card), "--guess", str(card.with_name("list.csv")), key=SCHOOL)


def test_its_hash_is_on_the_chain(card: Path, shared: Shared, tmp_path: Path) -> None:
    check = ("dataset", "describe", "0", "--card", str(card), "--check", "--owner", shared.owner)
    with pytest.raises(RuntimeError, match="published no card of dataset 0"):
        shared.node.isthmus(*check, key=COMPANY)
    # The hash is proven once its block is final.
    publish = ("dataset", "describe", "0", "--finalized", "--card")
    [published] = shared.node.isthmus(*publish, str(card), key=SCHOOL)
    [checked] = shared.node.isthmus(*check, key=COMPANY)
    assert (checked["owner"], checked["hash"]) == (shared.owner, published["hash"])
    # It is a fact, that conditions can use.
    facts = shared.node.isthmus("facts", "list", published["source"], key=COMPANY)
    assert published["hash"] in json.dumps(facts) and published["topic"] == "dataset-0"
    other = tmp_path / "other.jsonld"
    other.write_text(card.read_text().replace("all pupils", "no pupils"))
    with pytest.raises(RuntimeError, match="is not the card that"):
        shared.node.isthmus(*check[:4], str(other), *check[5:], key=COMPANY)
    # A newer card replaces it.
    shared.node.isthmus(*publish, str(other), key=SCHOOL)
    shared.node.isthmus(*check[:4], str(other), *check[5:], key=COMPANY)
    other.write_text("{}")
    with pytest.raises(RuntimeError, match="the card has to have"):
        shared.node.isthmus("dataset", "describe", "0", "--card", str(other), key=SCHOOL)


@pytest.mark.long
def test_mlcroissant_accepts_a_card(card: Path) -> None:
    python = os.environ.get("ISTHMUS_OTHER_PYTHON")
    if not python:
        pytest.skip("scripts/test-python --all installs mlcroissant")
    program = Path(__file__).with_name("croissant_client.py")
    done = subprocess.run(
        [python, str(program), str(card)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["errors"], told["name"]) == ([], "marks")
    assert all("citeAs" in warning for warning in told["warnings"])
    assert set(told["fields"]) == {"mark", "when", "places", "name"}
