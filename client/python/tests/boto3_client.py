# SPDX-License-Identifier: Apache-2.0
"""What a user of boto3 does: boto3_client.py BUCKET REFUSED OUT. Lists a bucket, downloads each object to the folder OUT, reads a
range of each, and asks for the object REFUSED. Prints what it was told. Settings come from the environment, as docs/gateway.md
says.

test_s3_tools.py runs it in an environment that has nothing of this project, but boto3 from PyPI."""

import json
import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

bucket, refused, out = sys.argv[1:]
s3 = boto3.client("s3")
told = {"sizes": {}, "ends": {}, "refusals": {}}
for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
    name = entry["Key"]
    told["sizes"][name] = entry["Size"]
    target = Path(out, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    s3.download_file(bucket, name, str(target))
    end = s3.get_object(Bucket=bucket, Key=name, Range="bytes=-10")
    told["ends"][name] = [end["ResponseMetadata"]["HTTPStatusCode"], end["Body"].read().hex()]
for name, ask in {"get": s3.get_object, "head": s3.head_object}.items():
    try:
        ask(Bucket=bucket, Key=refused)
    except ClientError as error:
        answer = error.response
        told["refusals"][name] = [answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]]
print(json.dumps(told))
