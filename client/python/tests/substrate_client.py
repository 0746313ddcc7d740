# SPDX-License-Identifier: Apache-2.0
"""What a user of async-substrate-interface does: substrate_client.py URL SEED. Registers the seed's account twice, and
prints what the chain said.

test_substrate.py runs it in an environment that has nothing of this project, but this package and an sr25519 from PyPI."""

import json
import sys

import sr25519
from async_substrate_interface import SubstrateInterface
from scalecodec.utils.ss58 import ss58_encode


class Account:
    """An sr25519 account, as the package wants one to sign."""

    crypto_type, ss58_format = 1, 42

    def __init__(self, seed: str) -> None:
        self.public_key, self._secret = sr25519.pair_from_seed(bytes.fromhex(seed))
        self.ss58_address = ss58_encode(self.public_key, self.ss58_format)

    def sign(self, data: bytes) -> bytes:
        return sr25519.sign((self.public_key, self._secret), bytes(data))


url, seed = sys.argv[1:]
school = Account(seed)
with SubstrateInterface(url) as api:

    def register():
        call = api.compose_call("DataSharing", "register", {"kind": "School", "name": "A school of Python"})
        return api.submit_extrinsic(api.create_signed_extrinsic(call, school), wait_for_finalization=True)

    first, second = register(), register()
    told = {
        "address": school.ss58_address,
        "free": int(api.query("System", "Account", [school.ss58_address])["data"]["free"]),
        "registered": first.is_success,
        "events": [event["event_id"] for event in first.triggered_events],
        "refusal": second.error_message,
        "kind": str(api.query("DataSharing", "Producers", [school.ss58_address])["kind"]),
        "author": api.runtime_call("BlockAuthorApi", "author", block_hash=first.block_hash),
    }
print(json.dumps(told))
