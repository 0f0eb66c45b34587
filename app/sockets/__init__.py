"""Subscriptions, queries and mutations over a socket: graphql-transport-ws, and no other protocol."""

from app.sockets.metrics import SocketMetrics
from app.sockets.ports import OperationRequest, OwnStreams, SocketLimits, SocketPorts, encode_result
from app.sockets.protocol import SUBPROTOCOL, CloseCode
from app.sockets.server import SocketServer

__all__ = [
    "SUBPROTOCOL",
    "CloseCode",
    "OperationRequest",
    "OwnStreams",
    "SocketLimits",
    "SocketMetrics",
    "SocketPorts",
    "SocketServer",
    "encode_result",
]
