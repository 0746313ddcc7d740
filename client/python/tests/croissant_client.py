# SPDX-License-Identifier: Apache-2.0
"""Reads a card as programs do that look for data: croissant_client.py CARD. Prints what it says.

test_cards.py runs it in an environment that has nothing of this project, but mlcroissant from PyPI."""

import json
import sys
from pathlib import Path

import mlcroissant

card = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
dataset = mlcroissant.Dataset(jsonld=card)
issues = dataset.metadata.ctx.issues
fields = {field.name: [str(kind) for kind in field.data_types] for each in dataset.metadata.record_sets for field in each.fields}
told = {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "name": dataset.metadata.name, "fields": fields}
print(json.dumps(told))
