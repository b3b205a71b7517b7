"""Reads address 0: the process dies of SIGSEGV in the middle of an invocation."""

import ctypes


def handler(event, context):
    print("about to read address 0")
    return ctypes.string_at(0)
