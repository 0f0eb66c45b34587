"""The best combination of 40 coupons over 50 lines: what a quote takes, and how often the search proves its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.options import Options
from benchmarks.place import Place
from benchmarks.quote_wallets import MEMBER, MIXES, NOW, Stackings, random_cart, random_wallet
from benchmarks.results import Results
from domain.coupons.solver.answers import OptimalityStatus
from domain.orders.quotes import Buyer, make_best_quote
from domain.points.policy import DEFAULT_POLICY
from resolvers.budgets import BEST_QUOTE_SECONDS, TimeBudget

WALLETS: Final = 60
"""Of each mix, for every second that the command line gives."""
_BUYER: Final = Buyer(MEMBER, bonus_basis_points=0, points_currency="CNY")
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Quoted:
    """One quote: how long it took, without and with the proofs of all coupons that do not act, and how good it is."""

    ms: float
    with_proofs_ms: float
    proven: bool
    gap_minor: int
    explored: int


def quote(_place: Place, options: Options, results: Results) -> None:
    """Measures quotes in this process: they need no server and no database."""
    count = max(10, int(WALLETS * options.seconds))
    found = {name: [_one(Random(seed), stacking) for seed in range(count)] for name, stacking in MIXES.items()}
    every = [one for quoted in found.values() for one in quoted]
    print(f"\n{'quote, 40 coupons, 50 lines':<30}{'median ms':>10}{'p95':>8}{'proven':>8}{'+ proofs':>10}{'gap':>8}")
    for name, quoted in [*found.items(), ("all", every)]:
        facts = _facts(quoted)
        print(
            f"{name:<30}{facts['median_ms']:>10.2f}{facts['p95_ms']:>8.2f}{facts['proven']:>8.0%}"
            f"{facts['with_proofs_median_ms']:>10.2f}{facts['largest_gap_minor']:>8.0f}"
        )
    results.ratio("quote_ms_median", median(one.ms for one in every))
    results.detail("quote", {name: _facts(quoted) for name, quoted in [*found.items(), ("all", every)]})


def _one(chance: Random, stacking: Stackings) -> Quoted:
    cart, held = random_cart(chance), random_wallet(chance, stacking=stacking)
    began = perf_counter()
    best = make_best_quote(
        cart, held, buyer=_BUYER, points_policy=DEFAULT_POLICY, at=NOW, budget=TimeBudget(BEST_QUOTE_SECONDS)
    )
    done = perf_counter()
    for one in best.not_applied:
        assert not one.eligibility.eligible
    proved = perf_counter()
    return Quoted(
        (done - began) * _MS,
        (proved - began) * _MS,
        best.optimality.status is OptimalityStatus.PROVEN,
        best.optimality.gap_minor,
        best.optimality.explored,
    )


def _facts(quoted: Sequence[Quoted]) -> dict[str, float]:
    by_ms = sorted(one.ms for one in quoted)
    return {
        "median_ms": round(median(by_ms), 3),
        "p95_ms": round(by_ms[int(len(by_ms) * 0.95)], 3),
        "proven": round(sum(one.proven for one in quoted) / len(quoted), 3),
        "with_proofs_median_ms": round(median(one.with_proofs_ms for one in quoted), 3),
        "largest_gap_minor": max(one.gap_minor for one in quoted),
        "explored_median": median(one.explored for one in quoted),
    }
