"""What the worker does now and then. Each job is idempotent, and one process at a time runs it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from app.telemetry import Telemetry
from app.worker import Periodic
from domain.coupons.use_cases import expire_coupons
from domain.orders.lapsing import expire_reservations
from domain.orders.use_cases import release_points
from domain.points.use_cases import expire_points
from domain.shared.principal import Scope
from persistence.base import Statement
from persistence.coupons.invariants import CHECKS as COUPON_CHECKS
from persistence.invariants import SqlInvariants
from persistence.orders.history_invariants import CHECKS as HISTORY_CHECKS
from persistence.orders.invariants import CHECKS as ORDER_CHECKS
from persistence.points.invariants import CHECKS as POINTS_CHECKS
from persistence.rewards.invariants import CHECKS as REWARD_CHECKS
from persistence.unit_of_work import Database

SWEEP_SECONDS: Final = 30.0
INVARIANTS_SECONDS: Final = 300.0
SET_SIZE: Final = 500
# What one run of a sweep does at most: the rest is the next run's.
SETS_PER_RUN: Final = 200
VIOLATIONS_SHOWN: Final = 20

ALL_CHECKS: Final[Mapping[str, Statement]] = {
    **COUPON_CHECKS,
    **ORDER_CHECKS,
    **HISTORY_CHECKS,
    **POINTS_CHECKS,
    **REWARD_CHECKS,
}


def periodic_jobs(database: Database, *, telemetry: Telemetry) -> Sequence[Periodic]:
    """The jobs of one process."""

    async def expire_due_coupons() -> None:
        await _repeat(lambda: expire_coupons(limit=SET_SIZE, begin=lambda: database.begin(Scope.system())))

    async def expire_due_points() -> None:
        await _repeat(lambda: expire_points(limit=SET_SIZE, begin=lambda: database.begin(Scope.system())))

    async def release_due_points() -> None:
        await _repeat(lambda: release_points(limit=SET_SIZE, begin=lambda: database.begin(Scope.system())))

    async def expire_due_reservations() -> None:
        await _repeat(lambda: expire_reservations(limit=SET_SIZE, begin=lambda: database.begin(Scope.system())))

    return (
        # Before the coupons: what was held and is out of date expires in the same round.
        Periodic("expire_reservations", SWEEP_SECONDS, expire_due_reservations),
        Periodic("expire_coupons", SWEEP_SECONDS, expire_due_coupons),
        Periodic("expire_points", SWEEP_SECONDS, expire_due_points),
        Periodic("release_points", SWEEP_SECONDS, release_due_points),
        Periodic("check_invariants", INVARIANTS_SECONDS, lambda: watch_invariants(database, telemetry=telemetry)),
    )


async def watch_invariants(database: Database, *, telemetry: Telemetry) -> None:
    """Looks for violations; each is an error in the log, and their number is a metric."""
    invariants = SqlInvariants(database, checks=ALL_CHECKS)
    for name in invariants.names:
        found = await invariants.violations_of(name, limit=VIOLATIONS_SHOWN)
        telemetry.invariant_violations(name, count=len(found))
        for violation in found:
            structlog.get_logger().error("invariant_broken", invariant=violation.name, rows=violation.detail)


async def _repeat(sweep: Callable[[], Awaitable[int]]) -> None:
    for _ in range(SETS_PER_RUN):
        if await sweep() == 0:
            return
