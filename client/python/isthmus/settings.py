# SPDX-License-Identifier: Apache-2.0
"""Settings of a connection, and values as people write them."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import date, datetime, time, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from . import _native

#: The node's address, unless an argument or an environment variable names another.
DEFAULT_URL = "ws://127.0.0.1:9944"
#: How many decimals an amount in IST has.
DECIMALS = 12

log = logging.getLogger("isthmus")


def options(**chosen: Any) -> Any:
    """Returns all options of a connection: those that are chosen, and the others' defaults."""
    defaults = {
        "key": None,
        "passphrase": None,
        "timeout": 60,
        "genesis": None,
        "memory": None,
        "trust_node": False,
        "post_quantum_only": False,
        "finalized": False,
        "max_cost": None,
        "tell": log.warning,
    }
    return defaults | chosen


def urls(url: str | Sequence[str] | None) -> list[str]:
    """Returns the nodes' addresses: several are a list, or text with spaces between them."""
    if url is None:
        url = os.environ.get("ISTHMUS_URL") or DEFAULT_URL
    return url.split() if isinstance(url, str) else list(url)


def genesis(given: str | None) -> str | None:
    """Returns the hash of the chain's first block, if one is named.

    Raises ValueError if it is empty: a check that someone wants would vanish.
    """
    if given is None:
        given = os.environ.get("ISTHMUS_GENESIS")
    if given is not None and not given.strip():
        raise ValueError("the hash of the chain's first block is empty: unset ISTHMUS_GENESIS, or set it")
    return given


def memory() -> str | None:
    """Returns the folder in which the command remembers chains; `None` if the user has none for settings."""
    home = os.environ.get("HOME")
    settings = os.environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
    return f"{settings}/isthmus" if settings else None


def ist(amount: int) -> Decimal:
    """Returns an amount in IST, which the chain counts in its smallest unit."""
    whole, rest = divmod(amount, 10**DECIMALS)
    return Decimal(f"{whole}.{rest:0{DECIMALS}}".rstrip("0").rstrip("."))


def units(amount: Decimal | int | float | str) -> int:
    """Returns an amount in the chain's smallest unit, of one in IST.

    Raises ValueError if it is negative, or has more than 12 decimals.
    """
    try:
        counted = Decimal(str(amount)).scaleb(DECIMALS)
        if counted >= 0 and counted == int(counted):
            return int(counted)
    except (InvalidOperation, OverflowError, ValueError):
        pass
    raise ValueError(f"expected an amount in IST such as 2 or 0.25, with at most {DECIMALS} decimals: {amount!r}")


def span(leaves: range | int | str) -> str:
    """Returns leaves as text: `range(0, 12)`, one leaf, or text such as `0..12` or `2026-03..2026-05` as it is."""
    if isinstance(leaves, str):
        return leaves
    if isinstance(leaves, int):
        leaves = range(leaves, leaves + 1)
    if not isinstance(leaves, range) or leaves.step != 1 or leaves.start < 0 or not leaves:
        raise ValueError(f"expected leaves such as range(0, 12) or '0..12', which end before leaf 12: {leaves!r}")
    return f"{leaves.start}..{leaves.stop}"


def seconds(until: date | datetime | str | None) -> int | None:
    """Returns the seconds since 1970 of a date, which begins at 00:00 UTC, or of a time.

    Text is read as the command reads it: `2027-01-31`, `2027-01-31T08:30Z` or `2027-01-31T08:30:00Z`. Raises ValueError for
    other text.
    """
    if until is None:
        return None
    if isinstance(until, str):
        return _native.time(until)
    if not isinstance(until, datetime):
        until = datetime.combine(until, time(), timezone.utc)
    if until.tzinfo is None:
        raise ValueError(f"the time has no time zone: {until}")
    return int(until.timestamp())
