"""May this member claim this template now? One list of checks decides, and explains itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from domain.campaigns import rules as campaign_rules
from domain.campaigns.model import CampaignState
from domain.coupons.eligibility import Eligibility, Predicate, all_of
from domain.coupons.errors import ClaimLimitReached, Ended, NotStarted, SoldOut
from domain.coupons.model import CampaignStanding, ClaimedCount, CouponTemplate, TemplateState
from domain.shared.errors import NotFound, Refusal
from domain.shared.time import day_interval, local_date, month_interval, week_interval


class ClaimFacts(NamedTuple):
    """All that a claim is decided by. `remaining` and `claimed` are as the transaction sees them after its lock.

    `campaign` is None for a template of no campaign.
    """

    template: CouponTemplate
    campaign: CampaignStanding | None
    remaining: int
    claimed: ClaimedCount
    at: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """One condition of a claim: what it refuses with, and how it reads in a proof."""

    name: str
    refuse: Callable[[ClaimFacts], Refusal | None]
    required: Callable[[ClaimFacts], str]
    actual: Callable[[ClaimFacts], str]
    # Where it refuses nobody it is not asked: a set of claims asks once of its template.
    applies: Callable[[CouponTemplate], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class ClaimDecision:
    """Whether a claim would be granted now, what it would be refused with, and the proof."""

    refusal: Refusal | None
    eligibility: Eligibility


def _published(facts: ClaimFacts) -> Refusal | None:
    # A draft is not there for whoever claims.
    return None if facts.template.state is TemplateState.PUBLISHED else NotFound("CouponTemplate")


def _claimed_by_oneself(facts: ClaimFacts) -> Refusal | None:
    # What is issued or had for a code alone is not there for whoever claims.
    return None if facts.template.self_claim else NotFound("CouponTemplate")


def _opened(facts: ClaimFacts) -> Refusal | None:
    opens_at = facts.template.claim_opens_at
    return NotStarted(opens_at) if facts.at < opens_at else None


def _not_closed(facts: ClaimFacts) -> Refusal | None:
    closes_at = facts.template.claim_closes_at
    return Ended(closes_at) if facts.at >= closes_at else None


def _campaign_state(facts: ClaimFacts) -> CampaignState | None:
    campaign = facts.campaign
    if campaign is None:
        return None
    return campaign_rules.state_at(campaign.state, starts_at=campaign.starts_at, ends_at=campaign.ends_at, now=facts.at)


def _campaign_runs(facts: ClaimFacts) -> Refusal | None:
    campaign = facts.campaign
    if campaign is None:
        return None
    match _campaign_state(facts):
        case CampaignState.DRAFT | CampaignState.SCHEDULED:
            return NotStarted(campaign.starts_at)
        case CampaignState.PAUSED | CampaignState.ENDED:
            # Stopped before its time it is over now, for whoever asks.
            return Ended(min(campaign.ends_at, facts.at))
        case _:
            return None


def _campaign_found(facts: ClaimFacts) -> str:
    state = _campaign_state(facts)
    return "no campaign" if state is None else state.value


def _within_limit(facts: ClaimFacts) -> Refusal | None:
    limit = facts.template.limit_per_member
    return ClaimLimitReached(limit, None) if limit is not None and facts.claimed.total >= limit else None


def _within_limit_in_campaign(facts: ClaimFacts) -> Refusal | None:
    limit = facts.template.limit_per_member_in_campaign
    return ClaimLimitReached(limit, None) if limit is not None and facts.claimed.in_campaign >= limit else None


def _within_limit_of_month(facts: ClaimFacts) -> Refusal | None:
    limit = facts.template.limit_per_member_per_month
    if limit is None or facts.claimed.this_month < limit:
        return None
    return ClaimLimitReached(limit, month_interval(local_date(facts.at, zone=facts.zone), zone=facts.zone).ends_at)


def _within_limit_of_week(facts: ClaimFacts) -> Refusal | None:
    limit = facts.template.limit_per_member_per_week
    if limit is None or facts.claimed.this_week < limit:
        return None
    return ClaimLimitReached(limit, week_interval(local_date(facts.at, zone=facts.zone), zone=facts.zone).ends_at)


def _within_limit_of_day(facts: ClaimFacts) -> Refusal | None:
    limit = facts.template.limit_per_member_per_day
    if limit is None or facts.claimed.today < limit:
        return None
    return ClaimLimitReached(limit, day_interval(local_date(facts.at, zone=facts.zone), zone=facts.zone).ends_at)


def _in_stock(facts: ClaimFacts) -> Refusal | None:
    return SoldOut() if facts.remaining <= 0 else None


def _below(limit: int | None) -> str:
    return "any" if limit is None else f"< {limit}"


# What is the same for everybody at one instant; a set of claims is held against it once.
TEMPLATE_CHECKS: Final = (
    ClaimCheck("published", _published, lambda _: TemplateState.PUBLISHED.value, lambda f: f.template.state.value),
    ClaimCheck(
        "claim_opened", _opened, lambda f: f"≥ {f.template.claim_opens_at.isoformat()}", lambda f: f.at.isoformat()
    ),
    ClaimCheck(
        "claim_not_closed",
        _not_closed,
        lambda f: f"< {f.template.claim_closes_at.isoformat()}",
        lambda f: f.at.isoformat(),
    ),
    ClaimCheck(
        "campaign",
        _campaign_runs,
        lambda f: "any" if f.campaign is None else CampaignState.RUNNING.value,
        _campaign_found,
    ),
)
# Of a claim alone: what is issued, exchanged for points or had for a code passes by.
SELF_CLAIM: Final = ClaimCheck(
    "self_claim",
    _claimed_by_oneself,
    lambda _: "true",
    lambda f: str(f.template.self_claim).lower(),
    applies=lambda template: not template.self_claim,
)
# What is each member's own. In this order: who has all that one may have is told so even when nothing is left, and of
# several limits that are reached the one of the longest period.
MEMBER_CHECKS: Final = (
    ClaimCheck(
        "limit_per_member",
        _within_limit,
        lambda f: _below(f.template.limit_per_member),
        lambda f: str(f.claimed.total),
        applies=lambda template: template.limit_per_member is not None,
    ),
    ClaimCheck(
        "limit_per_member_in_campaign",
        _within_limit_in_campaign,
        lambda f: _below(f.template.limit_per_member_in_campaign),
        lambda f: str(f.claimed.in_campaign),
        applies=lambda template: template.limit_per_member_in_campaign is not None,
    ),
    ClaimCheck(
        "limit_per_member_per_month",
        _within_limit_of_month,
        lambda f: _below(f.template.limit_per_member_per_month),
        lambda f: str(f.claimed.this_month),
        applies=lambda template: template.limit_per_member_per_month is not None,
    ),
    ClaimCheck(
        "limit_per_member_per_week",
        _within_limit_of_week,
        lambda f: _below(f.template.limit_per_member_per_week),
        lambda f: str(f.claimed.this_week),
        applies=lambda template: template.limit_per_member_per_week is not None,
    ),
    ClaimCheck(
        "limit_per_member_per_day",
        _within_limit_of_day,
        lambda f: _below(f.template.limit_per_member_per_day),
        lambda f: str(f.claimed.today),
        applies=lambda template: template.limit_per_member_per_day is not None,
    ),
    ClaimCheck("stock", _in_stock, lambda _: "> 0", lambda f: str(f.remaining)),
)
CLAIM_GATES: Final = (*TEMPLATE_CHECKS, SELF_CLAIM)
CLAIM_CHECKS: Final = (*CLAIM_GATES, *MEMBER_CHECKS)


def decide_claim(facts: ClaimFacts, *, checks: Sequence[ClaimCheck] = CLAIM_CHECKS) -> Refusal | None:
    """Why not, or None: the first check that refuses."""
    for check in checks:
        refusal = check.refuse(facts)
        if refusal is not None:
            return refusal
    return None


# Proofs name these, limited or not.
_ALWAYS_SHOWN: Final = frozenset({"limit_per_member", "limit_per_member_per_day"})


def explain_claim(facts: ClaimFacts, *, by_member: bool) -> ClaimDecision:
    """The decision with its proof; whoever is no member claims nothing."""
    member = Predicate("member", by_member, "a member", "a member" if by_member else "no member")
    checks = (
        Predicate(check.name, check.refuse(facts) is None, check.required(facts), check.actual(facts))
        for check in CLAIM_CHECKS
        if check.applies(facts.template) or check.name in _ALWAYS_SHOWN
    )
    because = all_of(member, *checks)
    return ClaimDecision(decide_claim(facts), Eligibility(because.passed, because))
