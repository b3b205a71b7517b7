"""Fails in two layers: the error that the caller sees has a cause."""


class OrderError(Exception):
    """What went wrong, in the words of the caller's business."""


def read_price(order):
    return order["items"][0]["price"] * order["count"]


def handler(event, context):
    order = {"items": [{"name": "lamp"}], "count": 3}
    try:
        return read_price(order)
    except KeyError as error:
        raise OrderError("order 17 cannot be priced: its first item has no price") from error
