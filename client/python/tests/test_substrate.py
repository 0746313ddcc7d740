# SPDX-License-Identifier: Apache-2.0
"""async-substrate-interface, which knows nothing of this chain, against a node. With --all, as it is installed for that."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import isthmus
import pytest
from node import Node

#: An account of this test alone, which gets 1000 IST.
SEED, ADDRESS = "42" * 32, "5FnoWRL4FYzd29q8zXoY3JWio9PtBPgrAFu2RcgQazRQsiCs"
ENDOWED = 1000 * 10**12


@pytest.mark.long
def test_another_client_registers_and_names_the_error_and_the_author(node: Node) -> None:
    python = os.environ.get("ISTHMUS_OTHER_PYTHON")
    if not python:
        pytest.skip("scripts/test-python --all installs async-substrate-interface")
    program = Path(__file__).with_name("substrate_client.py")
    node.isthmus("transfer", ADDRESS, "1000", key="//Alice")
    line = [python, str(program), node.url, SEED]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["address"] == ADDRESS
    assert told["registered"] and "Registered" in told["events"]
    # It paid a fee, and a deposit is held.
    assert ENDOWED * 9 // 10 < told["free"] < ENDOWED
    assert told["kind"] == "School"
    assert told["refusal"]["name"] == "AlreadyRegistered"
    assert told["refusal"]["docs"] == ["The account is a registered producer already."]
    assert told["author"] == isthmus.connect(node.url, key="//Alice").account
