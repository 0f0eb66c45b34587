"""What more rows cost: a wallet of 10,000 coupons beside one of 20, and ten times the members and coupons."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.measure import Contender, Pace, alternate, figures, table
from benchmarks.options import Options
from benchmarks.place import Place
from benchmarks.results import Results
from benchmarks.seeds import large_member
from benchmarks.servers import Server, laurel
from benchmarks.wallet import EXPECTED, callers, wallet_requests


def scale(place: Place, options: Options, results: Results) -> None:
    """Measures the wallet query, Laurel against itself; CPU with PostgreSQL's."""
    _large_wallets(place, options, results)
    _more_members(place, options, results)


def _large_wallets(place: Place, options: Options, results: Results) -> None:
    size = options.size
    large = [
        place.member_tokens(range(n, n + 1))[0] for n in (large_member(size, i) for i in range(size.large_wallets))
    ]
    # As many ordinary ones, so that both sides have the same rows in PostgreSQL's memory.
    ordinary = [token for _, token in callers(place, size=size, count=size.large_wallets)]
    with laurel(place, "laurel-wallets", database=place.seeded(size)) as server:
        of_20, of_many = _named(server, "wallets of 20", ordinary), _named(server, "wallets of 10,000", large)
        alternate(place, [of_20, of_many], pace=Pace(options.rounds, options.seconds))
    print(table("wallet, the first page of small and large ones", [of_20, of_many], against=of_20))
    results.ratio("wallet_10000_vs_20", of_many.total_us / of_20.total_us)
    results.detail("wallet_10000", figures([of_20, of_many]))


def _more_members(place: Place, options: Options, results: Results) -> None:
    with ExitStack() as stack:
        contenders = []
        for size in (options.tenth, options.size):
            tokens = [token for _, token in callers(place, size=size, count=options.callers)]
            server = stack.enter_context(laurel(place, f"laurel-{size.name}", database=place.seeded(size)))
            contenders.append(_named(server, f"{size.members:,} members", tokens))
        before, after = contenders
        alternate(place, contenders, pace=Pace(options.rounds, options.seconds))
    print(table("wallet, ten times the members and coupons", contenders, against=before))
    results.ratio("scale_10x_cpu", after.total_us / before.total_us)
    results.detail("scale_10x", figures(contenders))


def _named(server: Server, name: str, tokens: Sequence[str]) -> Contender:
    return Contender(replace(server, name=name), wallet_requests(tokens), EXPECTED)
