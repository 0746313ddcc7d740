# SPDX-License-Identifier: Apache-2.0
"""Checks receipts, without a node."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from . import _native, settings
from .entries import Event, Receipt, Verified


def verify(receipt: Receipt | bytes | str | os.PathLike[str], genesis: str | None = None) -> Verified:
    """Checks a receipt, or the file of one, and returns what it proves.

    It proves the event only on its chain. `genesis` is the hash of that chain's first block, from someone you trust;
    without it, it has to be a chain that was used before on this machine.

    Raises NotAuthentic if it proves nothing, and ValueError if the chain is not known here.
    """
    if isinstance(receipt, Receipt):
        receipt = receipt.content
    content = receipt if isinstance(receipt, bytes) else Path(receipt).read_bytes()
    genesis = settings.genesis(genesis)
    proved = _native.verify(content, genesis, settings.memory())
    seconds = proved["timestamp"]
    return Verified(
        event=Event.of(proved["happened"]),
        number=proved["number"],
        block_hash=proved["hash"],
        genesis=proved["genesis"],
        time=None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc),
        development=proved["development"],
    )
