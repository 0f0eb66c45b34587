"""Whether the process lives, whether it can serve, and how it stops: `/healthz`, `/readyz`, `/metrics` and the drain.

SIGTERM drains: `/readyz` turns 503, sockets are closed by their owner (1001), requests under way are finished, and
then the process ends, within the drain's seconds. See `app.drain` for the server that does so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.telemetry import CONTENT_TYPE, Telemetry

# Raises if what it asks cannot serve.
Check: TypeAlias = Callable[[], Awaitable[None]]
OnDrain: TypeAlias = Callable[[], Awaitable[None]]

CHECK_SECONDS: Final = 2.0


class Drain:
    """Whether the process is on its way out, and what it still has to finish."""

    def __init__(self) -> None:
        self._hooks: list[OnDrain] = []
        self._began = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._under_way = 0
        self._request = _UnderWay(self)

    @property
    def draining(self) -> bool:
        """Whether the end has begun: take nothing new that lasts."""
        return self._began.is_set()

    @property
    def under_way(self) -> int:
        """Requests that are being answered."""
        return self._under_way

    def on_drain(self, hook: OnDrain) -> None:
        """Has this awaited when the end begins: sockets say goodbye with 1001, relays stop."""
        self._hooks.append(hook)

    def request(self) -> "_UnderWay":
        """Counts one request for as long as it is under way."""
        return self._request

    def enter(self) -> None:
        """A request begins."""
        self._under_way += 1
        if self._under_way == 1:
            self._idle.clear()

    def leave(self) -> None:
        """A request has ended, however it did."""
        self._under_way -= 1
        if self._under_way == 0:
            self._idle.set()

    async def begin(self) -> None:
        """Begins the end, once: every hook is awaited, and one that fails stops no other."""
        if self._began.is_set():
            return
        self._began.set()
        for outcome in await asyncio.gather(*(hook() for hook in self._hooks), return_exceptions=True):
            if isinstance(outcome, Exception):
                structlog.get_logger().error("drain_hook_failed", exc_info=outcome)

    async def began(self) -> None:
        """Waits for the end to begin."""
        await self._began.wait()

    async def finished(self) -> None:
        """Waits until no request is under way."""
        await self._idle.wait()


class _UnderWay:
    """One object for all requests: it holds nothing of its own."""

    __slots__ = ("_drain",)

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    def __enter__(self) -> None:
        self._drain.enter()

    def __exit__(self, *_error: object) -> None:
        self._drain.leave()


class Health:
    """The three pages that machines read. Without what is `needed` nothing is served; without what `helps`, slower."""

    def __init__(
        self, *, drain: Drain, telemetry: Telemetry, needed: Mapping[str, Check], helps: Mapping[str, Check]
    ) -> None:
        self._drain = drain
        self._telemetry = telemetry
        self._needed = frozenset(needed)
        self._checks = {**needed, **helps}

    def routes(self) -> list[Route]:
        """Their routes."""
        return [
            Route("/healthz", self.live, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def live(self, _request: Request) -> Response:
        """200 while the event loop turns: a failing database is no reason to be restarted."""
        return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})

    async def ready(self, _request: Request) -> Response:
        """200 if what is needed answers and the end has not begun; else 503. The state of each is in the body.

        What only helps takes no process out of service: all processes share it, so all would go at once.
        """
        states = dict(zip(self._checks, await asyncio.gather(*map(self._state, self._checks)), strict=True))
        ready = not self._drain.draining and all(states[name] == "ok" for name in self._needed)
        body = orjson.dumps({"ready": ready, "draining": self._drain.draining, "checks": states})
        return Response(
            body,
            status_code=200 if ready else 503,
            media_type="application/json",
            headers={"cache-control": "no-store"},
        )

    async def metrics(self, _request: Request) -> Response:
        """The metrics of all server processes. Reads files, so it runs beside the event loop."""
        self._telemetry.write_down()
        body = await asyncio.to_thread(self._telemetry.exposition)
        return Response(body, headers={"content-type": CONTENT_TYPE.decode(), "cache-control": "no-store"})

    async def _state(self, name: str) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._checks[name]()
        except Exception as error:  # noqa: BLE001 - whatever it is, it does not answer
            structlog.get_logger().warning(
                "check_failed", check=name, needed=name in self._needed, error=type(error).__name__
            )
            return "unavailable"
        return "ok"
