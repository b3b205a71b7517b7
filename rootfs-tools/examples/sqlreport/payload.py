"""Writes the payload of sqlreport to stdout: 1,000 rows (or as many as the first argument says), always the same."""

import json
import random
import sys

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
chance = random.Random(20250101)
regions = ["north", "south", "east", "west", "centre"]
products = [f"product-{number:02d}" for number in range(40)]
rows = [
    {
        "day": f"2025-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}",
        "region": chance.choice(regions),
        "product": chance.choice(products),
        "units": chance.randint(1, 20),
        "cents": chance.randint(99, 19999),
    }
    for _ in range(count)
]
json.dump({"rows": rows}, sys.stdout)
