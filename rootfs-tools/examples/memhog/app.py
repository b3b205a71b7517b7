"""Takes memory without end, a block at a time, and writes to every page of it."""

BLOCK = 8 << 20
PAGE = 4096


def handler(event, context):
    held = []
    while True:
        block = bytearray(BLOCK)
        for page in range(0, BLOCK, PAGE):
            block[page] = 1
        held.append(block)
        print(f"holding {len(held) * BLOCK >> 20} MiB")
