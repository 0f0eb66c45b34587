"""What became of a row that a till handed in later, and how it is kept so that the same batch has the same answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from domain.coupons.eligibility import Eligibility, Hint, Predicate, Told
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
from domain.shared.errors import InvalidStateChange, NotFound, Refusal
from domain.shared.events import JSON
from domain.shared.idempotency import decode, encode
from domain.shared.ids import MemberId, RedemptionId
from domain.shared.text import Text

# What a row may be refused with.
ROW_REFUSALS: Final[tuple[type[Refusal], ...]] = (
    NotFound,
    RedemptionCodeExpired,
    RedemptionCodeUsed,
    ScanTimeRefused,
    CouponNotUsable,
    CouponExpired,
    NotEligible,
    BudgetExhausted,
    InvalidStateChange,
    OfflineLimitReached,
)
_BY_NAME: Final[Mapping[str, type[Refusal]]] = {kind.__name__: kind for kind in ROW_REFUSALS}


@dataclass(frozen=True, slots=True)
class OfflineOutcome:
    """A row's outcome: the member and the redemption, or why there is none."""

    order_ref: str
    member_id: MemberId | None = None
    redemption_id: RedemptionId | None = None
    refusal: Refusal | None = None


def write_outcome(outcome: OfflineOutcome) -> Mapping[str, JSON]:
    """An outcome as it is kept."""
    refusal = outcome.refusal
    if refusal is None:
        return {
            "orderRef": outcome.order_ref,
            "member": str(outcome.member_id),
            "redemption": str(outcome.redemption_id),
        }
    assert type(refusal) in ROW_REFUSALS, "a row is refused with what can be told again"
    facts = _written(refusal) if isinstance(refusal, NotEligible) else encode(refusal)
    return {"orderRef": outcome.order_ref, "refusal": type(refusal).__name__, "facts": facts}


def read_outcome(kept: Mapping[str, JSON]) -> OfflineOutcome:
    """An outcome from what was kept."""
    row = cast("Mapping[str, Any]", kept)
    if "refusal" not in row:
        return OfflineOutcome(row["orderRef"], MemberId(UUID(row["member"])), RedemptionId(UUID(row["redemption"])))
    kind, facts = _BY_NAME[row["refusal"]], row["facts"]
    refusal = _read(facts) if kind is NotEligible else decode(kind, facts)
    return OfflineOutcome(row["orderRef"], refusal=refusal)


def _written(refusal: NotEligible) -> dict[str, JSON]:
    found = refusal.eligibility
    unlock = None if found.unlock is None else [found.unlock.text.zh_cn, found.unlock.text.en]
    return {
        "currency": refusal.currency,
        "because": _predicate_json(found.because),
        "shortfallMinor": found.shortfall_minor,
        "unlock": cast("JSON", unlock),
    }


def _read(facts: Mapping[str, Any]) -> NotEligible:
    unlock = None if facts["unlock"] is None else Hint(Text(*facts["unlock"]))
    because = _predicate(facts["because"])
    remedy = Told(facts["shortfallMinor"], unlock)
    return NotEligible(Eligibility(eligible=False, because=because, remedy=remedy), facts["currency"])


def _predicate_json(one: Predicate) -> JSON:
    return [one.name, one.passed, one.required, one.actual, [_predicate_json(child) for child in one.children]]


def _predicate(kept: list[Any]) -> Predicate:
    name, passed, required, actual, children = kept
    return Predicate(name, passed, required, actual, tuple(_predicate(child) for child in children))
