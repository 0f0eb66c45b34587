"""The wallet query: a member, 20 coupons, each with its template, campaign and merchant: 143 leaves."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.answers import hold_same, request_text
from benchmarks.measure import Contender, Pace, alternate, figures, table
from benchmarks.options import Options
from benchmarks.peers import postgraphile as postgraphiles
from benchmarks.place import Place, say
from benchmarks.results import Results
from benchmarks.seeds import Size
from benchmarks.servers import NoPeer, Server, laurel, node_peer, python_peer

DOCUMENT: Final = (
    "query Wallet { me { id locale joinedAt wallet { coupons(first: 20) { edges { node { id state validUntil "
    "template { name campaign { name merchant { id name } } } } } } } } }"
)
EXPECTED: Final = '"edges"'
LIMIT: Final = "benchmarks.peers.limit:make_app"
IDIOMATIC: Final = "benchmarks.peers.idiomatic:make_app"
_STRIDE: Final = 97  # members far apart, not the first thousand


def wallet(place: Place, options: Options, results: Results) -> None:
    """Measures the wallet query with one worker and with two."""
    database = place.seeded(options.size)
    one_worker(place, options, results, database=database)
    two_workers(place, options, results, database=database)


def callers(place: Place, *, size: Size, count: int) -> Sequence[tuple[int, str]]:
    """The numbers and tokens of members who ask."""
    numbers = [number * _STRIDE % size.members for number in range(min(count, size.members))]
    return [(number, token) for number in numbers for token in place.member_tokens(range(number, number + 1))]


def wallet_requests(tokens: Sequence[str]) -> Callable[[int], list[str]]:
    """The same requests in every round."""
    listed = [request_text("/graphql", token=token, body={"query": DOCUMENT}) for token in tokens]
    return lambda _round: listed


def one_worker(place: Place, options: Options, results: Results, *, database: str) -> None:
    """Laurel, the limit, Strawberry, and the peers of the Node world where they can run."""
    members = callers(place, size=options.size, count=options.callers)
    requests = wallet_requests([token for _, token in members])
    with ExitStack() as stack:

        def contender(server: Server) -> Contender:
            return Contender(server, requests, EXPECTED)

        ours = contender(stack.enter_context(laurel(place, "laurel", database=database)))
        limit = contender(stack.enter_context(python_peer(place, "limit", application=LIMIT, database=database)))
        strawberry = contender(
            stack.enter_context(python_peer(place, "strawberry", application=IDIOMATIC, database=database))
        )
        everyone = [ours, limit, strawberry]
        try:
            mercurius = contender(
                stack.enter_context(node_peer(place, "mercurius", script="mercurius.mjs", database=database))
            )
            everyone.append(mercurius)
            results.later("wallet_vs_mercurius", lambda: ours.per_second / mercurius.per_second)
            asyncio.run(postgraphiles.prepare(place.url_of(database)))
            postgraphile = Contender(
                stack.enter_context(node_peer(place, "postgraphile", script="postgraphile.mjs", database=database)),
                postgraphiles.requests([token for _, token in members]),
                EXPECTED,
            )
            anonymous = Contender(
                stack.enter_context(
                    node_peer(
                        place, "postgraphile-anonymous", script="postgraphile.mjs", database=database, ANONYMOUS="1"
                    )
                ),
                postgraphiles.anonymous_requests([number for number, _ in members]),
                EXPECTED,
            )
            everyone += [postgraphile, anonymous]
            results.later("wallet_vs_postgraphile", lambda: ours.per_second / postgraphile.per_second)
        except NoPeer as missing:
            say(str(missing))
        hold_same(everyone)
        alternate(place, everyone, pace=Pace(options.rounds, options.seconds))
        print(table("wallet, one worker", everyone, against=limit))
        results.ratio("wallet_vs_limit_1w", ours.per_second / limit.per_second)
        results.ratio("wallet_vs_strawberry", ours.per_second / strawberry.per_second)
        results.settle()
        results.detail("wallet_1w", figures(everyone))


def two_workers(place: Place, options: Options, results: Results, *, database: str) -> None:
    """Laurel and the limit."""
    requests = wallet_requests([token for _, token in callers(place, size=options.size, count=options.callers)])
    with (
        laurel(place, "laurel-2w", database=database, workers=2) as our_server,
        python_peer(place, "limit-2w", application=LIMIT, database=database, workers=2) as limit_server,
    ):
        ours, limit = (Contender(server, requests, EXPECTED) for server in (our_server, limit_server))
        hold_same([ours, limit])
        alternate(place, [ours, limit], pace=Pace(options.rounds, options.seconds, connections=32))
        print(table("wallet, two workers", [ours, limit], against=limit))
        results.ratio("wallet_vs_limit_2w", ours.per_second / limit.per_second)
        results.detail("wallet_2w", figures([ours, limit]))
