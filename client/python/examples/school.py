# SPDX-License-Identifier: Apache-2.0
"""A school shares three months of marks with a company that asks for them, and then takes the access back.

    ISTHMUS_URL=ws://127.0.0.1:9944 python3 school.py //Eve //Ferdie

The accounts are key files or, on a development chain, development accounts.
"""

import io
import sys

import isthmus
import pandas

MARKS = {
    "2025-03": {"student": [1, 2, 3], "mark": [97, 81, 88]},
    "2025-04": {"student": [1, 2, 3], "mark": [95, 84, 90]},
    "2025-05": {"student": [1, 2, 3], "mark": [99, 79, 91]},
}


def main(school_key: str, company_key: str) -> None:
    school, company = isthmus.connect(key=school_key), isthmus.connect(key=company_key)

    # The school registers once, and stores a record a month. The chain gets its encrypted bytes, and not its name.
    school.register("High School No. 2", kind="school")
    marks = school.create_dataset("marks of 2025")
    for month, table in MARKS.items():
        content = io.BytesIO()
        pandas.DataFrame(table).to_parquet(content)
        stored = school.store(content.getvalue(), f"{month}.parquet", dataset=marks.number)
        print(f"stored {stored.name} at leaf {stored.leaf}, in block {stored.block}")

    # The company asks for all three, says why, and offers 2 IST. The money is held until the school answers.
    asked = company.request(school.account, range(0, 3), "a study of marks", dataset=marks.number, term=1000, offer=2)
    print(f"asked for leaves {asked.leaves.start} to {asked.leaves.stop - 1}")

    # The school sees who asks, and grants the request exactly as it is.
    [request] = school.requests()
    grant = school.authorize(request)
    print(f"granted for {grant.paid} IST: {request.purpose}")

    # The company reads data frames. What is fetched is checked against the chain, and decrypted here.
    names = [record.name for record in company.records(school.account, marks.number)]
    urls = [f"isthmus://{school.account}/{marks.number}/{name}" for name in names]
    frames = [pandas.read_parquet(url, storage_options={"client": company}) for url in urls]
    print(f"read {', '.join(names)}: the mean mark is {pandas.concat(frames)['mark'].mean():.1f}")

    # The school ends the grant. What the company has read it may have kept; what comes later is closed to it.
    revoked = school.revoke(grant)
    print(f"revoked, and epoch {revoked.epoch} began")
    try:
        company.open(school.account, marks.number, names[0])
    except PermissionError as error:
        print(f"the company is refused: {error}")

    # Both can prove to anyone what happened. Who checks it takes the chain's first block from someone they trust.
    [granted] = [event for event in school.trace("dataset", school.account, marks.number) if event.name == "Authorized"]
    receipt = school.receipt(granted.block)
    print(f"proven: {isthmus.verify(receipt, genesis=school.genesis).event.name} in block {granted.block}")


if __name__ == "__main__":
    main(*sys.argv[1:])
