"""Forks until it is stopped, and says how far it got and by what. `at_most` in the event stops it earlier."""

import errno
import os
import signal


def handler(event, context):
    at_most = (event or {}).get("at_most")
    children = []
    stopped_by = None
    try:
        while at_most is None or len(children) < at_most:
            try:
                child = os.fork()
            except OSError as error:
                stopped_by = errno.errorcode.get(error.errno, str(error.errno))
                break
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
    return {"forked": len(children), "stopped_by": stopped_by}
