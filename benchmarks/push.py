"""Live push: one message to all who listen to the same thing, through to the last socket."""

import asyncio
import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

import httpx
from pydantic import SecretStr

from app.wiring import open_database
from benchmarks.listeners import Order
from benchmarks.measure import BadAnswers
from benchmarks.options import Options
from benchmarks.place import REPOSITORY, Place, say
from benchmarks.results import Results
from benchmarks.seeds import identity
from benchmarks.servers import Server, laurel, python_peer
from domain.shared.events import REDEMPTIONS, Event
from domain.shared.ids import MerchantId
from domain.shared.principal import Scope
from schema.node_ids import NodeType, node_id

DOCUMENT: Final = (
    "subscription Redeemed($merchant: ID!) { merchantRedemptions(merchantId: $merchant) { sequence occurredAt "
    "snapshotRequired redemption { id orderRef discount { amount currencyCode } redeemedAt } } }"
)
STRAWBERRY: Final = "benchmarks.peers.push:make_app"
_SOCKETS_OF_TARGET: Final = 5_000
_SETTLE_SECONDS: Final = 1.5
_QUIET_WITHIN_SECONDS: Final = 120.0
_QUIET_SHARE: Final = 0.1  # of a core: the relay and keep-alive pings
_ANSWER_SECONDS: Final = 180.0
_MERCHANT: Final = MerchantId(identity("merchant", 0))


@dataclass(frozen=True, slots=True)
class Pushed:
    """What it took, per message to all sockets."""

    milliseconds: list[float]
    cpu_us_per_delivery: float | None
    kib_per_socket: float | None

    @property
    def median_ms(self) -> float:
        """From the commit to the last socket."""
        return statistics.median(self.milliseconds)


def push(place: Place, options: Options, results: Results) -> None:
    """Measures Laurel with its relay and Valkey, and Strawberry's own sockets fed from memory."""
    with (
        place.copy_of(options.tenth) as database,
        laurel(
            place, "laurel-push", database=database, RUN_WORKER="1", LIMIT_SOCKETS="20000",
            LIMIT_SOCKETS_PER_CALLER="20000",
        ) as server,
    ):  # fmt: skip
        order = _order(server, options, token=place.merchant_token(_MERCHANT))
        ours = _measure(server, order, publish=_commits(place, database), rounds=options.rounds)
    with python_peer(place, "strawberry-push", application=STRAWBERRY, database="postgres") as server:
        url = f"http://127.0.0.1:{server.port}/publish"
        order = _order(server, options, token=None)
        theirs = _measure(server, order, publish=lambda: _post(url), rounds=options.rounds)
    both = {"laurel": ours, "strawberry": theirs}
    print(_table(both, sockets=options.sockets))
    if ours.cpu_us_per_delivery and theirs.cpu_us_per_delivery:
        results.ratio("push_cpu_vs_strawberry", ours.cpu_us_per_delivery / theirs.cpu_us_per_delivery)
    if ours.kib_per_socket is not None:
        results.ratio("push_kib_per_socket", ours.kib_per_socket)
    if options.sockets == _SOCKETS_OF_TARGET:
        results.ratio("push_5000_ms", ours.median_ms)
    results.detail("push", {name: {"sockets": options.sockets, **asdict(each)} for name, each in both.items()})


def _order(server: Server, options: Options, *, token: str | None) -> Order:
    variables = {"merchant": node_id(NodeType.Merchant, _MERCHANT)}
    return Order(port=server.port, sockets=options.sockets, token=token, query=DOCUMENT, variables=variables)


def _measure(server: Server, order: Order, *, publish: Callable[[], float], rounds: int) -> Pushed:
    memory_before = server.resident_kib()
    with _listening(order) as lines:
        _held(next(lines), "open")
        _wait_until_quiet(server)
        memory_after = server.resident_kib()
        publish()  # warms every plan
        _held(next(lines), "last_at")
        took, used = [], []
        for round_ in range(rounds):
            time.sleep(_SETTLE_SECONDS / 3)
            before = server.cpu_seconds()
            began = publish()
            last = _held(next(lines), "last_at")
            time.sleep(_SETTLE_SECONDS / 10)
            after = server.cpu_seconds()
            took.append((last - began) * 1000)
            if before is not None and after is not None:
                used.append((after - before) / order.sockets * 1_000_000)
            say(f"  round {round_ + 1}  {server.name:<22} {took[-1]:>8,.0f} ms to {order.sockets:,}")
    told = memory_before is not None and memory_after is not None
    return Pushed(
        milliseconds=[round(each, 1) for each in took],
        cpu_us_per_delivery=statistics.median(used) if used else None,
        kib_per_socket=((memory_after or 0) - (memory_before or 0)) / order.sockets if told else None,
    )


def _wait_until_quiet(server: Server) -> None:
    """Nothing tells that a subscription listens; a server that has stopped working has them all."""
    ends_at = time.monotonic() + _QUIET_WITHIN_SECONDS
    used = server.cpu_seconds()
    while time.monotonic() < ends_at:
        time.sleep(_SETTLE_SECONDS)
        now = server.cpu_seconds()
        if now is None or used is None:
            time.sleep(_QUIET_WITHIN_SECONDS / 6)
            return
        if now - used < _SETTLE_SECONDS * _QUIET_SHARE:
            return
        used = now


def _held(found: Mapping[str, float], name: str) -> float:
    if name not in found:
        raise BadAnswers(f"the listeners said {found} where {name} was due")
    return found[name]


@contextmanager
def _listening(order: Order) -> Iterator[Iterator[Mapping[str, float]]]:
    command = [sys.executable, "-m", "benchmarks.listeners"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        process.stdin.flush()
        try:
            yield _lines(process)
        finally:
            process.kill()


def _lines(process: "subprocess.Popen[bytes]") -> Iterator[Mapping[str, float]]:
    assert process.stdout is not None
    while True:
        # Never two lines at once: the next message is sent when the last was told of.
        ready, _, _ = select.select([process.stdout], [], [], _ANSWER_SECONDS)
        line = process.stdout.readline() if ready else b""
        if not line:
            raise BadAnswers("the listeners ended" if ready else "no message reached all listeners in time")
        yield json.loads(line)


def _commits(place: Place, database: str) -> Callable[[], float]:
    """Commits one event of a merchant, as a redemption does, in another process than the one that pushes it."""
    settings = place.settings.model_copy(update={"database_url": SecretStr(place.url_of(database))})

    async def commit() -> float:
        async with open_database(settings) as opened:
            facts = {"member_id": str(identity("member", 0))}
            event = Event(_MERCHANT, REDEMPTIONS, "REDEEMED", identity("redemption", 0), facts)
            async with opened.begin(Scope.system()) as tx:
                await tx.events.append([event])
                began = time.monotonic()
            return began  # noqa: RET504 - the commit comes between the two

    return lambda: asyncio.run(commit())


def _post(url: str) -> float:
    began = time.monotonic()
    httpx.post(url, timeout=_ANSWER_SECONDS).raise_for_status()
    return began


def _table(both: Mapping[str, Pushed], *, sockets: int) -> str:
    head = (
        f"\npush, one message to {sockets:,} sockets\n{'':<24}{'ms':>9}{'min - max':>17}{'µs each':>9}{'KiB each':>10}"
    )
    return "\n".join([head, *(_row(name, each) for name, each in both.items())])


def _row(name: str, one: Pushed) -> str:
    spread = f"{min(one.milliseconds):,.0f} - {max(one.milliseconds):,.0f}"
    cpu = "-" if one.cpu_us_per_delivery is None else f"{one.cpu_us_per_delivery:,.0f}"
    memory = "-" if one.kib_per_socket is None else f"{one.kib_per_socket:,.1f}"
    return f"{name:<24}{one.median_ms:>9,.0f}{spread:>17}{cpu:>9}{memory:>10}"
