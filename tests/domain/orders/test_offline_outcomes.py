"""What became of a row that a till handed in is kept so that it can be told again, whatever it was."""

import json
from dataclasses import fields
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from domain.coupons.eligibility import Eligibility, Hint, Predicate, Told, Unlock, all_of
from domain.coupons.offer import CouponState
from domain.orders.errors import (
    BudgetExhausted,
    CouponExpired,
    CouponNotUsable,
    NotEligible,
    OfflineLimitReached,
    RedemptionCodeExpired,
    RedemptionCodeUsed,
    ScanTimeRefused,
)
from domain.orders.offline_outcomes import ROW_REFUSALS, OfflineOutcome, read_outcome, write_outcome
from domain.shared.errors import InvalidStateChange, NotFound, Refusal
from domain.shared.ids import MemberId, RedemptionId
from domain.shared.money import Money
from domain.shared.text import Text

AT = datetime(2026, 6, 1, 4, 0, 0, 250_000, tzinfo=UTC)
PROOF = all_of(
    Predicate("channel", passed=False, required="ONLINE", actual="IN_STORE"),
    Predicate("any", passed=True, required="≥ 1/1", actual="1/1", children=(all_of(),)),
)
SPEND = Unlock(Money(1200, "CNY"), Money(2000, "CNY"))
REFUSALS: list[Refusal] = [
    NotFound("Coupon"),
    RedemptionCodeExpired(AT),
    RedemptionCodeUsed(),
    ScanTimeRefused(AT, AT, AT),
    CouponNotUsable(CouponState.RESERVED),
    CouponExpired(AT),
    NotEligible(Eligibility(eligible=False, because=PROOF), "CNY"),
    NotEligible(Eligibility(eligible=False, because=PROOF, remedy=Told(unlock=Hint(Text("到店", "go there")))), "CNY"),
    BudgetExhausted(2000, "CNY"),
    InvalidStateChange("PAID", "PAID with another cart"),
    OfflineLimitReached(date(2026, 6, 1), 200, 200_000, "CNY"),
    OfflineLimitReached(date(2026, 6, 1), 100, 100_000, "CNY", per_till=True),
]


def told(refusal: Refusal | None) -> object:
    return refusal and (type(refusal), [getattr(refusal, field.name) for field in fields(refusal)])  # type: ignore[arg-type]


def again(outcome: OfflineOutcome) -> OfflineOutcome:
    return read_outcome(json.loads(json.dumps(write_outcome(outcome))))


def test_every_refusal_of_a_row_is_among_the_examples() -> None:
    assert {type(refusal) for refusal in REFUSALS} == set(ROW_REFUSALS)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_is_told_again_with_all_its_facts(refusal: Refusal) -> None:
    kept = again(OfflineOutcome("A1", refusal=refusal))
    assert kept.order_ref == "A1"
    assert told(kept.refusal) == told(refusal)
    assert kept.redemption_id is None


def test_an_unlock_by_spending_is_told_in_the_same_words() -> None:
    refusal = NotEligible(Eligibility(eligible=False, because=PROOF, remedy=Told(1200, SPEND)), "CNY")
    kept = again(OfflineOutcome("A1", refusal=refusal)).refusal
    assert isinstance(kept, NotEligible)
    assert kept.eligibility.shortfall_minor == 1200
    assert kept.eligibility.unlock is not None
    assert kept.eligibility.unlock.text == SPEND.text


def test_a_redemption_is_told_again() -> None:
    outcome = OfflineOutcome("A1", MemberId(UUID(int=1)), RedemptionId(UUID(int=2)))
    assert again(outcome) == outcome
