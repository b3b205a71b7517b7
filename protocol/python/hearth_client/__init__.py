"""A client of the Hearth node agent, in the standard library alone.

    from hearth_client import Client
    with Client() as agent:
        agent.put_function("hello", runtime="python", code="./hello", handler="app.handler")
        print(agent.invoke("hello", {"name": "you"}).payload)
"""

from .client import AgentError, Client, ConnectionLost, Stream, Unprocessed
from .control import LatencyPull
from .frames import ProtocolError
from .session import ClientSession, Refused

__all__ = [
    "AgentError", "Client", "ClientSession", "ConnectionLost", "LatencyPull", "ProtocolError", "Refused", "Stream",
    "Unprocessed",
]
