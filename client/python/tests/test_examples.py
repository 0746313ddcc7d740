# SPDX-License-Identifier: Apache-2.0
"""Runs the examples as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from node import Node

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_a_school_shares_with_a_company_and_ends_it(node: Node) -> None:
    line = [sys.executable, str(EXAMPLES / "school.py"), "//Eve", "//Ferdie"]
    done = subprocess.run(line, env=os.environ | {"ISTHMUS_URL": node.url}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.partition(", in block")[0] for line in said[:3]] == [
        f"stored 2025-0{month}.parquet at leaf {month - 3}" for month in (3, 4, 5)
    ]
    assert said[3:7] == [
        "asked for leaves 0 to 2",
        "granted for 2 IST: a study of marks",
        "read 2025-03.parquet, 2025-04.parquet, 2025-05.parquet: the mean mark is 89.3",
        "revoked, and epoch 1 began",
    ]
    assert said[7].startswith("the company is refused: ") and said[8].startswith("proven: Authorized in block ")
