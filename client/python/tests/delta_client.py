# SPDX-License-Identifier: Apache-2.0
"""What a user of Delta Sharing does: delta_client.py PROFILE PROFILE#SHARE.SCHEMA.TABLE OUT [only-load]. Writes the table to OUT.

test_gateway.py runs it in an environment that has nothing of this project, but delta-sharing from PyPI."""

import json
import sys

import delta_sharing

profile, table, out, *only_load = sys.argv[1:]
told = {}
if not only_load:
    client = delta_sharing.SharingClient(profile)
    told["tables"] = [f"{entry.share}.{entry.schema}.{entry.name}" for entry in client.list_all_tables()]
    told["version"] = delta_sharing.get_table_version(table)
    told["limited"] = len(delta_sharing.load_as_pandas(table, limit=10))
read = delta_sharing.load_as_pandas(table)
read.to_parquet(out, index=False)
told["version again"] = delta_sharing.get_table_version(table)
print(json.dumps(told))
