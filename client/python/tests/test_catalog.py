# SPDX-License-Identifier: Apache-2.0
"""The catalogue of a chain, and leaves by names and dates. With --all, pyshacl checks the export."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import isthmus
import pytest
from conftest import COMPANY, Shared

#: Who measures, who takes the dataset over, and who reads it.
OWNER, OFFICE, READER = "//Weather", "//Office", "//Reader"


@dataclass(frozen=True)
class Listed:
    """A dataset whose card's hash is on the chain."""

    shared: Shared
    owner: str
    dataset: str
    card: Path
    hash: str

    def isthmus(self, *arguments: str, key: str = READER) -> list[dict]:
        return self.shared.node.isthmus(*arguments, key=key)

    def catalog(self, *arguments: str) -> list[dict]:
        return self.isthmus("catalog", "--owner", self.owner, *arguments)


@pytest.fixture(scope="module")
def listed(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Listed:
    node = shared.node
    for account in (OWNER, OFFICE, READER):
        node.isthmus("transfer", account, "1000", key="//Alice")
    node.isthmus("register", "Weather Service", "--kind", "government", key=OWNER)
    [made] = node.isthmus("dataset", "create", "air", key=OWNER)
    dataset = str(made["dataset"])
    policy = ("--price", "2", "--firm-price", "3.5", "--longest-term", "5000", "--longest-range", "100")
    who = ("--consumers", "school,business", "--purposes", "research,journalism", "--when", "before(2098-01-01)")
    node.isthmus("dataset", "policy", dataset, *policy, *who, key=OWNER)
    folder = tmp_path_factory.mktemp("catalog")
    (folder / "measured.csv").write_bytes(b"station,particles\nEast,12\n")
    for leaf, month in enumerate(("2026-01", "2026-02")):
        place = ("--leaf", str(leaf), "--dataset", dataset, "--name", month)
        node.isthmus("store", str(folder / "measured.csv"), *place, "--public-name", key=OWNER)
    card = folder / "air.jsonld"
    words = ["--description", "Air quality in the city", "--license", "https://spdx.org/licenses/CC-BY-4.0.html"]
    words += ["--keyword", "environment"]
    for leaf in range(6):
        words += ["--leaf", f"{leaf}=2026-0{leaf + 1}"]
    files = ("--guess", str(folder / "measured.csv"))
    node.isthmus("dataset", "describe", dataset, "--card", str(card), *files, *words, key=OWNER)
    [published] = node.isthmus("dataset", "describe", dataset, "--card", str(card), "--finalized", key=OWNER)
    owner = isthmus.connect(node.url, key=OWNER).account
    return Listed(shared, owner, dataset, card, published["hash"])


def test_all_datasets_are_listed(listed: Listed) -> None:
    every = listed.isthmus("catalog")
    places = {(entry["owner"], entry["dataset"]) for entry in every}
    assert {(listed.owner, int(listed.dataset)), (listed.shared.owner, 0)} <= places
    [entry] = listed.catalog()
    assert (entry["name"], entry["producer"], entry["card"]) == ("air", "Weather Service", listed.hash)
    assert (entry["policy"]["price"], entry["condition"]) == (str(2 * 10**12), "before(2098-01-01)")
    # Its card is not here.
    assert (entry["description"], entry["columns"]) == (None, [])


def test_cards_are_shown_if_their_hash_is_on_the_chain(listed: Listed, tmp_path: Path) -> None:
    [entry] = listed.catalog("--cards", str(listed.card))
    assert (entry["description"], entry["keywords"]) == ("Air quality in the city", ["environment"])
    assert entry["columns"] == ["station", "particles"]
    (tmp_path / "false.jsonld").write_text(listed.card.read_text().replace("Air quality", "No air"))
    [entry] = listed.catalog("--cards", str(tmp_path))
    assert entry["description"] is None
    shutil.copy(listed.card, tmp_path)
    [entry] = listed.catalog("--cards", str(tmp_path))
    assert entry["description"] == "Air quality in the city"


def test_datasets_are_searched_for_by_words(listed: Listed) -> None:
    cards = ("--cards", str(listed.card))
    for words in (["AIR"], ["weather service"], ["quality", "Environment"], ["particles"]):
        assert len(listed.catalog(*cards, "--search", *words)) == 1, words
    assert listed.catalog(*cards, "--search", "air", "marks") == []
    assert listed.catalog("--search", "particles") == []


def test_a_card_is_fetched_from_a_location(listed: Listed, tmp_path: Path) -> None:
    locate = ("dataset", "locate", listed.dataset, "--finalized")
    listed.isthmus(*locate, f"file://{tmp_path}", key=OWNER)
    assert listed.catalog("--fetch")[0]["description"] is None
    # Of owners that no one named, folders of this machine are not asked, and each is told once.
    shutil.copy(listed.card, tmp_path / f"{listed.hash.removeprefix('0x')}.jsonld")
    line = [listed.shared.node.command, "--json", "catalog", "--fetch", "--search", "air"]
    environment = os.environ | {"ISTHMUS_URL": listed.shared.node.url}
    done = subprocess.run(
        line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=600
    )
    descriptions = [entry["description"] for entry in map(json.loads, done.stdout.splitlines()) if entry["owner"] == listed.owner]
    assert descriptions == [None]
    assert done.stderr.count(f"file://{tmp_path}: file:// is asked only for an owner that you name") == 1, done.stderr
    place = tmp_path / f"{listed.hash.removeprefix('0x')}.jsonld"
    place.write_text("another")
    assert listed.catalog("--fetch")[0]["description"] is None
    shutil.copy(listed.card, place)
    assert listed.catalog("--fetch")[0]["description"] == "Air quality in the city"
    listed.isthmus(*locate, "--clear", key=OWNER)


def test_the_catalogue_is_exported(listed: Listed) -> None:
    [document] = listed.catalog("--cards", str(listed.card), "--format", "dcat")
    [dataset] = document["dcat:dataset"]
    assert (document["@type"], dataset["@id"]) == ("dcat:Catalog", f"isthmus://{listed.owner}/{listed.dataset}")
    [ordinary, firm] = dataset["odrl:hasPolicy"]["odrl:permission"]
    least = [permission["odrl:duty"]["odrl:action"]["odrl:refinement"] for permission in (ordinary, firm)]
    assert [each["odrl:rightOperand"]["@value"] for each in least] == ["2", "3.5"]
    # As text it is the same.
    line = [listed.shared.node.command, "catalog", "--owner", listed.owner, "--cards", str(listed.card), "--format", "dcat"]
    environment = os.environ | {"ISTHMUS_URL": listed.shared.node.url}
    done = subprocess.run(
        line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=600
    )
    assert json.loads(done.stdout) == document


@dataclass(frozen=True)
class Checked:
    """What pyshacl says of a catalogue."""

    conforms: bool
    report: str
    datasets: int
    offers: int


def checked(document: dict, folder: Path, shapes: list[Path]) -> Checked:
    """Checks a catalogue with shapes: without any, with our own."""
    python = os.environ.get("ISTHMUS_OTHER_PYTHON")
    if not python:
        pytest.skip("scripts/test-python --all installs pyshacl")
    file = folder / "catalog.jsonld"
    file.write_text(json.dumps(document))
    line = [python, str(Path(__file__).with_name("catalog_client.py")), str(file), *map(str, shapes)]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return Checked(**json.loads(done.stdout))


def shapes_to_check() -> list[list[Path]]:
    """Our own shapes and, if ISTHMUS_DCAT_AP_SHAPES names their folder, those that SEMIC publishes."""
    folder = os.environ.get("ISTHMUS_DCAT_AP_SHAPES")
    return [[], sorted(Path(folder).glob("*.ttl"))] if folder else [[]]


@pytest.mark.long
@pytest.mark.parametrize("shapes", shapes_to_check(), ids=lambda shapes: "semic" if shapes else "own")
def test_pyshacl_accepts_the_export(shapes: list[Path], listed: Listed, tmp_path: Path) -> None:
    # With all datasets of the chain, with cards and without.
    [document] = listed.isthmus("catalog", "--cards", str(listed.card), "--format", "dcat")
    told = checked(document, tmp_path, shapes)
    assert told.conforms, told.report
    assert (told.datasets, told.offers > 0) == (len(document["dcat:dataset"]), True)
    # The shapes do refuse something.
    broken = json.loads(json.dumps(document))
    [dataset] = [each for each in broken["dcat:dataset"] if "odrl:hasPolicy" in each and listed.owner in each["@id"]]
    del dataset["dct:title"]
    dataset["odrl:hasPolicy"]["@type"] = "odrl:Offer"
    told = checked(broken, tmp_path, shapes)
    assert not told.conforms, told.report
    assert "title" in told.report and "hasPolicy" in told.report, told.report


@pytest.mark.long
def test_pyshacl_refuses_an_offer_of_no_one(listed: Listed, tmp_path: Path) -> None:
    [document] = listed.catalog("--cards", str(listed.card), "--format", "dcat")
    [dataset] = document["dcat:dataset"]
    del dataset["odrl:hasPolicy"]["odrl:permission"][0]["odrl:assigner"]
    told = checked(document, tmp_path, [])
    assert not told.conforms and "Results (1)" in told.report, told.report


def asked(listed: Listed, leaves: str, *more: str) -> range:
    """Asks for leaves, cancels the request, and returns the leaves that it was for."""
    place = ("--dataset", listed.dataset, "--purpose", "a study", *more)
    [made] = listed.isthmus("request", listed.owner, "--leaves", leaves, *place)
    [request] = [each for each in isthmus.connect(listed.shared.node.url, key=READER).requests(mine=True) if each.number == made["request"]]
    listed.isthmus("request", "--cancel", str(request.number))
    return request.leaves


def test_march_to_may_is_asked_for_by_name(listed: Listed) -> None:
    card = ("--card", str(listed.card))
    assert asked(listed, "2026-03..2026-05", *card) == range(2, 5)
    assert asked(listed, "2026-03", *card) == range(2, 3)
    assert asked(listed, "2026-01..2026", *card) == range(0, 6)
    assert asked(listed, "3..4", *card) == range(3, 4)
    # Without a card, names are those of records.
    assert asked(listed, "2026-01..2026-02") == range(0, 2)
    grant = ("authorize", "--to", READER, "--dataset", listed.dataset, "--leaves")
    listed.isthmus("key", "publish", "--finalized")
    [granted] = listed.isthmus(*grant, "2026-05..2026-06", *card, key=OWNER)
    assert (granted["scope"]["from"], granted["scope"]["to"]) == (4, 6)


@pytest.mark.parametrize(
    ("leaves", "words"),
    [
        ("2026-03..2026-09", "the card calls no leaf 2026-09: its names go from 2026-01 to 2026-06"),
        ("2026-05..2026-03", "2026-03 comes before 2026-05"),
        ("2026-03-02..2026-04", "leaf 2 is all of 2026-03, and 2026-03-02 is only a part of that"),
        ("March..May", "the card calls no leaf March"),
    ],
)
def test_what_the_card_does_not_name_is_refused(leaves: str, words: str, listed: Listed) -> None:
    with pytest.raises(RuntimeError, match=words):
        asked(listed, leaves, "--card", str(listed.card))


def test_records_that_are_not_there_are_refused(listed: Listed, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no record 2026-03 is finalized, or its name is hidden"):
        asked(listed, "2026-01..2026-03")
    with pytest.raises(RuntimeError, match=r"2026-01 comes before 2026-02"):
        asked(listed, "2026-02..2026-01")
    # Names of another card than the one on the chain.
    other = tmp_path / "other.jsonld"
    other.write_text(listed.card.read_text().replace("2026-03", "2026-13"))
    with pytest.raises(RuntimeError, match="is not the card that"):
        asked(listed, "2026-13..2026-05", "--card", str(other))


def test_a_number_that_is_a_year_in_the_card_is_refused(listed: Listed) -> None:
    with pytest.raises(RuntimeError, match="2026 may be a number or a name: the card calls leaf 0 2026-01"):
        asked(listed, "2026..2027", "--card", str(listed.card))
    client = isthmus.connect(listed.shared.node.url, key=READER)
    with pytest.raises(ValueError, match="2026 may be a number or a name"):
        client.request(listed.owner, range(2026, 2027), "a study", card=listed.card, dataset=int(listed.dataset))
    # Without the card, it is a number.
    assert asked(listed, "2026..2027") == range(2026, 2027)


def test_names_do_not_open_what_lies_between_them(listed: Listed, tmp_path: Path) -> None:
    node = listed.shared.node
    (tmp_path / "a.csv").write_bytes(b"secret\n1\n")
    for leaf, name in ((10, "january.csv"), (11, "salaries.csv"), (12, "march.csv")):
        place = ("--leaf", str(leaf), "--dataset", listed.dataset, "--name", name)
        node.isthmus("store", str(tmp_path / "a.csv"), *place, "--finalized", key=OWNER)
    listed.isthmus("key", "publish", "--finalized")
    grant = ("authorize", "--to", READER, "--dataset", listed.dataset, "--leaves")
    with pytest.raises(RuntimeError, match="from january.csv to march.csv also have salaries.csv"):
        listed.isthmus(*grant, "january.csv..march.csv", key=OWNER)
    owner = isthmus.connect(node.url, key=OWNER)
    offered = {"to": isthmus.connect(node.url, key=READER).account, "dataset": int(listed.dataset)}
    with pytest.raises(ValueError, match="also have salaries.csv"):
        owner.authorize(leaves="january.csv..march.csv", **offered)
    [granted] = listed.isthmus(*grant, "january.csv..salaries.csv", key=OWNER)
    assert (granted["scope"]["from"], granted["scope"]["to"]) == (10, 12)
    [granted] = listed.isthmus(*grant, "january.csv..march.csv", "--all-between", key=OWNER)
    assert (granted["scope"]["from"], granted["scope"]["to"]) == (10, 13)
    assert owner.authorize(leaves="january.csv..march.csv", all_between=True, **offered).leaves == range(10, 13)
    # A record that was removed is opened by its leaf, too: its bytes stay in a block.
    node.isthmus("remove", "salaries.csv", "--finalized", key=OWNER)
    with pytest.raises(RuntimeError, match="also have leaf 11, whose record was removed"):
        listed.isthmus(*grant, "january.csv..march.csv", key=OWNER)


def test_python_asks_by_name_too(listed: Listed, tmp_path: Path) -> None:
    client = isthmus.connect(listed.shared.node.url, key=READER)
    place = {"dataset": int(listed.dataset)}
    request = client.request(listed.owner, "2026-03..2026-05", "a study", card=listed.card, **place)
    assert request.leaves == range(2, 5)
    client.cancel(request)
    with pytest.raises(LookupError, match="calls no leaf 2027-01"):
        client.request(listed.owner, "2027-01", "a study", card=listed.card, **place)
    with pytest.raises(LookupError, match="no record 2027-01 "):
        client.request(listed.owner, "2027-01", "a study", **place)
    with pytest.raises(ValueError, match="2026-01 comes before 2026-02"):
        client.request(listed.owner, "2026-02..2026-01", "a study", **place)
    other = tmp_path / "other.jsonld"
    other.write_text(listed.card.read_text().replace("city", "town"))
    with pytest.raises(isthmus.NotAuthentic, match="is not the card that"):
        client.request(listed.owner, "2026-03", "a study", card=other, **place)
    with pytest.raises(FileNotFoundError, match="none.jsonld"):
        client.request(listed.owner, "2026-03", "a study", card=tmp_path / "none.jsonld", **place)
    owner = isthmus.connect(listed.shared.node.url, key=OWNER)
    grant = owner.authorize(to=client.account, leaves="2026-01..2026-02", **place)
    assert grant.leaves == range(0, 2)
    # What the card calls them is what asks for them.
    assert client.called(request, listed.card) == "2026-03..2026-05"
    assert client.called(grant, listed.card) == "2026-01..2026-02"
    [record] = [each for each in client.records(listed.owner, int(listed.dataset)) if each.leaf == 1]
    assert client.called(record, listed.card) == "2026-02"
    beyond = owner.authorize(to=client.account, leaves="4..9", **place)
    assert client.called(beyond, listed.card) is None
    with pytest.raises(isthmus.NotAuthentic, match="is not the card that"):
        client.called(grant, other)


def test_lists_tell_leaves_by_the_names_in_cards(listed: Listed) -> None:
    request = ("request", listed.owner, "--dataset", listed.dataset, "--purpose", "a study")
    [made] = listed.isthmus(*request, "--leaves", "2..5")
    cards, number = ("--cards", str(listed.card)), made["request"]
    scope = {"dataset": int(listed.dataset), "epoch": 0, "from": 2, "to": 5}

    def scopes(*arguments: str, key: str = READER) -> list[dict]:
        return [entry["scope"] for entry in listed.isthmus(*arguments, key=key) if entry.get("request", number) == number]

    assert scopes("requests", "--mine") == [scope]
    named = scope | {"called": "2026-03..2026-05"}
    # The folder has other files.
    folder = ("--cards", str(listed.card.parent))
    assert scopes("requests", "--mine", *cards) == scopes("requests", *folder, key=OWNER) == [named]
    # A card that is not the one of now is told, and numbers are shown.
    old = listed.card.with_name("old.json")
    old.write_text(listed.card.read_text().replace("2026-03", "2026-13"))
    line = [listed.shared.node.command, "requests", "--mine", "--cards", str(old), "--key", READER]
    environment = os.environ | {"ISTHMUS_URL": listed.shared.node.url}
    done = subprocess.run(
        line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=600
    )
    old.unlink()
    assert "old.json: no dataset that is listed has this card now" in done.stderr
    assert f"for leaves 2..5 of dataset {listed.dataset}, epoch 0, " in done.stdout
    line = [listed.shared.node.command, "requests", "--mine", "--key", READER]
    environment = os.environ | {"ISTHMUS_URL": listed.shared.node.url, "ISTHMUS_CARDS": str(listed.card)}
    done = subprocess.run(
        line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=600
    )
    assert f"for 2026-03..2026-05 (leaves 2..5) of dataset {listed.dataset}, epoch 0, " in done.stdout
    listed.isthmus("key", "publish", "--finalized")
    [granted] = listed.isthmus("authorize", str(number), "--card", str(listed.card), key=OWNER)
    assert granted["scope"] == named
    assert named in scopes("list", "received", *cards) and named in scopes("list", "given", *cards, key=OWNER)
    assert scope in scopes("list", "received")
    records = listed.isthmus("list", "records", "--owner", listed.owner, *cards)
    ours = {record["leaf"]: record.get("called") for record in records if record["dataset"] == int(listed.dataset)}
    assert {0: "2026-01", 1: "2026-02"}.items() <= ours.items()


def test_a_card_is_of_one_epoch(listed: Listed, tmp_path: Path) -> None:
    """The last test but one here: a new epoch begins."""
    listed.isthmus("dataset", "epoch", listed.dataset, "--finalized", key=OWNER)
    card = ("--card", str(listed.card))
    with pytest.raises(RuntimeError, match="the card names the leaves of epoch 0, and those of epoch 1 are asked for"):
        asked(listed, "2026-03", *card)
    with pytest.raises(RuntimeError, match="the card names the leaves of epoch 0"):
        listed.isthmus("authorize", "--to", READER, "--dataset", listed.dataset, "--leaves", "2026-03", *card, key=OWNER)
    assert asked(listed, "2026-03", *card, "--epoch", "0") == range(2, 3)
    client = isthmus.connect(listed.shared.node.url, key=READER)
    place = {"dataset": int(listed.dataset), "card": listed.card}
    with pytest.raises(ValueError, match="the card names the leaves of epoch 0"):
        client.request(listed.owner, "2026-03", "a study", **place)
    request = client.request(listed.owner, "2026-03", "a study", epoch=0, **place)
    assert (request.epoch, request.leaves) == (0, range(2, 3))
    client.cancel(request)
    # A card for the new epoch, and one for the old.
    files = ("--guess", str(listed.card.with_name("measured.csv")), "--leaf", "0=2026-03")
    for epoch, more in ((1, ()), (0, ("--epoch", "0"))):
        made = tmp_path / f"{epoch}.jsonld"
        listed.isthmus("dataset", "describe", listed.dataset, "--card", str(made), *files, *more, key=OWNER)
        assert json.loads(made.read_text())["isthmus:epoch"] == epoch
    with pytest.raises(RuntimeError, match="has no epoch 2 yet"):
        listed.isthmus("dataset", "describe", listed.dataset, "--card", str(tmp_path / "2"), *files, "--epoch", "2", key=OWNER)


def test_after_a_handover_the_card_is_the_new_controllers(listed: Listed) -> None:
    """The last test here: another account controls the dataset after it."""
    listed.isthmus("register", "Office for the Environment", "--kind", "government", key=OFFICE)
    office = isthmus.connect(listed.shared.node.url, key=OFFICE).account
    listed.isthmus("dataset", "transfer", listed.dataset, "--to", office, key=OWNER)
    listed.isthmus("dataset", "accept", listed.owner, listed.dataset, "--finalized", key=OFFICE)
    check = ("dataset", "describe", listed.dataset, "--card", str(listed.card), "--check", "--owner", listed.owner)
    with pytest.raises(RuntimeError, match=f"{office} published no card of dataset {listed.dataset}"):
        listed.isthmus(*check)
    [entry] = listed.catalog("--cards", str(listed.card))
    assert (entry["controller"], entry["card"], entry["description"]) == (office, None, None)
    publish = ("dataset", "describe", listed.dataset, "--card", str(listed.card), "--finalized")
    with pytest.raises(RuntimeError, match=f"is controlled by {office}"):
        listed.isthmus(*publish, key=OWNER)
    with pytest.raises(RuntimeError, match=f"is controlled by {office}"):
        listed.isthmus(*publish, "--for", listed.owner, key=COMPANY)
    [published] = listed.isthmus(*publish, "--for", listed.owner, key=OFFICE)
    assert published["topic"].endswith(f"/{listed.dataset}")
    [checked] = listed.isthmus(*check)
    assert (checked["by"], checked["owner"], checked["hash"]) == (office, listed.owner, listed.hash)
    [entry] = listed.catalog("--cards", str(listed.card))
    assert (entry["producer"], entry["description"]) == ("Office for the Environment", "Air quality in the city")
    [again] = listed.isthmus(*publish, "--for", listed.owner, key=OFFICE)
    assert again["hash"] == listed.hash
