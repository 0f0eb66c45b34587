"""The load: a closed loop over keep-alive connections, in a process of its own, that needs nothing to be installed.

`python -m benchmarks.load` reads a plan from standard input and writes one line of JSON. Each connection sends its
next request when it has the answer to the last. Sockets and a selector, no event loop and no HTTP library: it costs a
fraction of what any of the measured servers spend, and the tables show how much.
"""

import itertools
import json
import math
import random
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

UNIQUE: Final = "@@unique@@@@@@@@"
"""In a request, sixteen characters that are another number each time it is sent."""

_HEAD_END: Final = b"\r\n\r\n"
_READ: Final = 65_536
_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send where, for how long, and what every good answer contains."""

    port: int
    connections: int
    seconds: float
    requests: list[str]
    expected: str
    seed: int = 1
    least: int = 0
    """Answers after which it may end early; 0: when the time is over."""


@dataclass(slots=True)
class Counts:
    """What came back."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    all: int = 0
    bad: int = 0
    example: str = ""

    def add(self, answer: bytes, *, began: float, expected: bytes) -> None:
        """Counts one answer."""
        if answer.startswith(b"HTTP/1.1 200") and expected in answer:
            self.latencies.append(time.perf_counter() - began)
            return
        self.bad += 1
        self.example = self.example or answer[:1_000].decode(errors="replace")


class _Client:
    """One connection."""

    __slots__ = ("answer", "began", "socket", "wanted")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""
        self.wanted = 0
        self.began = 0.0

    def send(self, request: bytes) -> None:
        self.answer, self.wanted = b"", 0
        self.began = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Whether the answer is complete."""
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionResetError
        self.answer = self.answer + data if self.answer else data
        if not self.wanted:
            self.wanted = _length(self.answer)
        if self.wanted < 0:
            return self.answer.endswith(b"0\r\n\r\n")
        return 0 < self.wanted <= len(self.answer)


def _length(answer: bytes) -> int:
    """Bytes of the whole answer; 0 while unknown, -1 when it is chunked."""
    end = answer.find(_HEAD_END)
    if end < 0:
        return 0
    head = answer[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return -1
    return end + len(_HEAD_END) + int(head[at + 17 : (head.find(b"\r\n", at + 2) + 1 or end + 1) - 1])


def drive(plan: Plan) -> Counts:
    """Sends requests until the time is over, then waits for the last answers.

    Those do not count, and neither do as many at the beginning: what is measured is a server that is busy.
    A turn without a single answer goes on until there is one: however slow a server or machine, there is a figure.
    """
    counts = Counts()
    supply = _supply(plan)
    expected = plan.expected.encode()
    selector = selectors.DefaultSelector()
    began = time.perf_counter()
    for _ in range(plan.connections):
        client = _Client(plan.port)
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(next(supply))
    enough = plan.least or math.inf
    waiting, over = plan.connections, False
    while waiting and time.perf_counter() < began + plan.seconds + _PATIENCE_SECONDS:
        for key, _ in selector.select(timeout=0.5):
            client = key.data
            try:
                if not client.receive():
                    continue
            except ConnectionError:
                counts.bad += 1
                _leave(client, selector)
                waiting -= 1
                continue
            counts.all += 1
            if counts.all <= plan.connections:
                began = time.perf_counter()
            elif not over:
                counts.add(client.answer, began=client.began, expected=expected)
                counts.seconds = time.perf_counter() - began
                over = counts.seconds >= plan.seconds or len(counts.latencies) >= enough
            if over:
                _leave(client, selector)
                waiting -= 1
            else:
                client.send(next(supply))
    for key in list(selector.get_map().values()):
        _leave(key.data, selector)
    selector.close()
    return counts


def _leave(client: _Client, selector: selectors.BaseSelector) -> None:
    selector.unregister(client.socket)
    client.socket.close()


def _supply(plan: Plan) -> Iterator[bytes]:
    order = [request.encode() for request in plan.requests]
    random.Random(plan.seed).shuffle(order)
    unique = UNIQUE.encode()
    if not any(unique in request for request in order):
        yield from itertools.cycle(order)
    parts = [request.split(unique) for request in order]
    numbers = itertools.count(plan.seed * 10**10)
    for request in itertools.cycle(parts):
        yield (b"%016d" % next(numbers)).join(request)


def many_files() -> None:
    """Lets this process and those that it starts open as many sockets as the system permits."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


def main() -> None:
    """Runs the plan of standard input."""
    many_files()
    plan = Plan(**json.load(sys.stdin))
    before = time.process_time()
    counts = drive(plan)
    used = time.process_time() - before
    ordered = sorted(counts.latencies)
    result = {
        "answers": len(ordered),
        "seconds": counts.seconds,
        "all": counts.all,
        "bad": counts.bad,
        "example": counts.example,
        "p50_ms": _quantile(ordered, 0.5),
        "p99_ms": _quantile(ordered, 0.99),
        "cpu_seconds": used,
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
