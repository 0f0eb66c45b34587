from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from domain.coupons.drafts import template_of
from domain.coupons.errors import ClaimLimitReached, Ended, NotStarted, SoldOut
from domain.coupons.model import ClaimedCount, CouponTemplate, TemplateState, code_of, state_at
from domain.coupons.offer import CouponState
from domain.coupons.rules import ClaimFacts, decide_claim, explain_claim
from domain.coupons.rules_text import rules_text
from domain.shared.errors import NotFound
from domain.shared.ids import CouponId, TemplateId
from tests.coupon_world import CLOSES_AT, NOON, OPENS_AT, PROGRAMME, draft

ID = TemplateId(UUID(int=1))


def published(**changed: Any) -> CouponTemplate:
    return replace(template_of(draft(**changed), id=ID), state=TemplateState.PUBLISHED)


def facts(
    template: CouponTemplate, *, remaining: int = 1, total: int = 0, today: int = 0, at: datetime = NOON
) -> ClaimFacts:
    return ClaimFacts(template, None, remaining, ClaimedCount(total, today, total), at, PROGRAMME.zone)


def test_the_explanation_and_the_decision_are_the_same_in_every_case() -> None:
    drafts = (template_of(draft(), id=ID), published(), published(limit_per_member=None, limit_per_member_per_day=1))
    instants = (OPENS_AT - timedelta(seconds=1), OPENS_AT, NOON, CLOSES_AT)
    for template, remaining, claimed, at in product(drafts, (0, 1), (0, 1, 2), instants):
        given = facts(template, remaining=remaining, total=claimed, today=claimed, at=at)
        refusal, explained = decide_claim(given), explain_claim(given, by_member=True)
        assert explained.eligibility.eligible is (refusal is None)
        assert type(explained.refusal) is type(refusal)
        assert not explain_claim(given, by_member=False).eligibility.eligible


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (facts(template_of(draft(), id=ID), at=OPENS_AT - timedelta(days=1)), NotFound),
        (facts(published(), at=OPENS_AT - timedelta(days=1), remaining=0), NotStarted),
        (facts(published(), at=CLOSES_AT, remaining=0, total=1), Ended),
        (facts(published(), remaining=0, total=1), ClaimLimitReached),
        (facts(published(), remaining=0), SoldOut),
    ],
)
def test_of_several_reasons_the_first_is_told(given: ClaimFacts, refusal: type[Exception]) -> None:
    assert isinstance(decide_claim(given), refusal)


def test_a_limit_by_the_day_resets_at_the_next_midnight_of_the_programme() -> None:
    template = published(limit_per_member=None, limit_per_member_per_day=1)
    refusal = decide_claim(facts(template, total=1, today=1, at=datetime(2026, 6, 1, 17, tzinfo=UTC)))
    assert isinstance(refusal, ClaimLimitReached)
    assert refusal.resets_at == datetime(2026, 6, 2, 16, tzinfo=UTC)


@pytest.mark.parametrize("state", list(CouponState))
def test_only_a_claimed_coupon_expires_by_itself(state: CouponState) -> None:
    assert state_at(state, valid_until=NOON, at=NOON - timedelta(microseconds=1)) is state
    expected = CouponState.EXPIRED if state is CouponState.CLAIMED else state
    assert state_at(state, valid_until=NOON, at=NOON) is expected


def test_a_code_is_twelve_characters_that_survive_being_read_aloud() -> None:
    codes = {code_of(CouponId(UUID(int=n * 7919 * 2**31))) for n in range(1000)}
    assert all(len(code) == 12 and not set(code) & set("ILOU") for code in codes)
    assert len(codes) == 1000


def test_the_published_text_names_every_limit() -> None:
    text = rules_text(published(limit_per_member=3, limit_per_member_per_day=2), zone=PROGRAMME.zone)
    for part in ("限领 3 张", "每天限领 2 张", "2026-01-01 08:00:00", "7 天"):
        assert part in text.zh_cn
