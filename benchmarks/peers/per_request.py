"""Laurel itself, with a transaction for each claim: `python -m benchmarks.peers.per_request PORT`."""

import asyncio
import socket
import sys

import uvloop
from typing_extensions import override

from app.asgi import open_process
from app.logs import configure_logs
from app.process import collect_rarely, server_of
from app.settings import Settings, load_settings
from domain.coupons.desk import ClaimDesk
from domain.coupons.model import CouponClaimed
from domain.coupons.use_cases import Begin, ClaimCoupon, claim_coupons
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.principal import Scope


class PerRequestDesk(ClaimDesk):
    """Claims as they are usually written: SELECT … FOR UPDATE and a transaction for each."""

    def __init__(self, *, begin: Begin) -> None:
        super().__init__(begin=begin)
        self._each = begin

    @override
    async def claim(self, command: ClaimCoupon) -> Done[CouponClaimed]:
        """The outcome of one claim."""
        outcome = (await claim_coupons([command], begin=self._each))[0]
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Serves as `python -m app serve` does, in one process."""
    async with open_process(settings) as process:
        database = process.core.database
        desk = PerRequestDesk(begin=lambda: database.begin(Scope.system()))
        # The one part that differs; everything else is as `serve` makes it.
        object.__setattr__(process.core, "claims", desk)
        await server_of(process, settings=settings).serve(sockets=[listener])


def main() -> None:
    """Serves on the port that is given."""
    settings = load_settings()
    configure_logs(settings)
    collect_rarely()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(sys.argv[1])))
        listener.listen(2048)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, listener))


if __name__ == "__main__":
    main()
