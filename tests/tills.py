"""What a till does in tests: scan without a network, hand in later, and read what became of it."""

from collections.abc import Mapping
from typing import Any

from app.jobs import ALL_CHECKS
from domain.shared.principal import Principal
from persistence.invariants import SqlInvariants
from tests.street import Street
from tests.world import OPERATOR

OUTCOMES = """outcomes { orderRef
    redemption { orderRef discount { minorUnits } store { name } coupon { id state } }
    problem { __typename code message
    ... on OfflineLimitReachedProblem { onDate perTill maxCount maxAmount { minorUnits } }
    ... on ScanTimeRefusedProblem { scannedAt earliest latest }
    ... on NotEligibleProblem { eligibility { unlock because { name } } } } }"""
TWENTY_OFF: Mapping[str, Any] = {"kind": "AMOUNT_OFF", "terms": {"amountMinor": 2000}}


async def scan(
    street: Street, coupon: str, order: str, *, member: Principal | None = None, **changed: Any
) -> dict[str, Any]:
    """A row as a till keeps it: scanned now, unless told otherwise."""
    row = {
        "token": await street.token(coupon, member),
        "orderRef": order,
        "cart": street.cart(),
        "scannedAt": street.world.clock.now().isoformat(),
    }
    return row | changed


async def hand_in(
    street: Street, *rows: Mapping[str, Any], who: Principal | None = None, **given: Any
) -> Mapping[str, Any]:
    given.setdefault("storeId", street.store)
    return await street.world.do(
        "syncOfflineRedemptions", who or street.till, OUTCOMES, redemptions=list(rows), **given
    )


def said(done: Mapping[str, Any]) -> list[str]:
    """What became of each row, in a word."""
    return [
        one["problem"]["code"] if one["problem"] else one["redemption"]["coupon"]["state"] for one in done["outcomes"]
    ]


async def sound(street: Street) -> bool:
    """Whether every invariant holds."""
    return await SqlInvariants(street.world.database, checks=ALL_CHECKS).violations(limit=10) == []


async def limit(
    street: Street, count: int, amount: str, *, store: str | None = None, **of_a_till: Any
) -> Mapping[str, Any]:
    return await street.world.do(
        "setOfflineLimits",
        OPERATOR,
        "merchant { id } maxCount maxAmount { amount } maxCountPerTill maxAmountPerTill { amount }",
        merchantId=street.merchant,
        storeId=store,
        maxCount=count,
        maxAmount=yuan(amount),
        **of_a_till,
    )


def yuan(amount: str) -> Mapping[str, str]:
    return {"amount": amount, "currencyCode": "CNY"}
