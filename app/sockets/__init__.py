"""Subscriptions, queries and mutations over a socket: graphql-transport-ws, and no other protocol."""

from app.sockets.ports import OwnStreams, SocketLimits, SocketPorts, SocketWatch, encode_result
from app.sockets.protocol import SUBPROTOCOL, CloseCode
from app.sockets.server import SocketServer

__all__ = [
    "SUBPROTOCOL",
    "CloseCode",
    "OwnStreams",
    "SocketLimits",
    "SocketPorts",
    "SocketServer",
    "SocketWatch",
    "encode_result",
]
