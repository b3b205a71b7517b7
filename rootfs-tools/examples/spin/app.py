"""Never ends: computes, and neither sleeps nor waits."""


def handler(event, context):
    number = 0
    print("spinning", flush=True)
    while True:
        number = (number * 1103515245 + 12345) & 0x7FFFFFFF
