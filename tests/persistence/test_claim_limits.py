"""Limits by day, week, month and campaign: their borders in the programme's zone, and claims that race for the last."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.coupons.errors import ClaimLimitReached
from domain.coupons.model import TemplateQuery
from domain.coupons.rules import ClaimFacts, explain_claim
from domain.coupons.use_cases import ClaimOutcome
from domain.recommendations.model import Placement
from domain.shared.errors import NotFound
from domain.shared.idempotency import Done
from domain.shared.ids import TemplateId
from domain.shared.paging import PageRequest
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.coupons.invariants import CHECKS
from persistence.invariants import SqlInvariants
from persistence.recommendations.reads import SqlRecommendationReads
from tests.coupon_world import CLOSES_AT, PROGRAMME, World, claim, issue, member, world
from tests.queries import names_into

FAR = CLOSES_AT + timedelta(days=365)


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as made:
        yield made


@pytest.fixture
async def servers(database_url: str) -> AsyncIterator[list[World]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(world(database_url, size=3)) for _ in range(4)]


async def sound(laurel: World) -> None:
    assert await SqlInvariants(laurel.database, checks=CHECKS).violations(limit=5) == []


def kinds(outcomes: Sequence[ClaimOutcome]) -> Counter[str]:
    return Counter("granted" if isinstance(outcome, Done) else type(outcome).__name__ for outcome in outcomes)


# ── borders ──────────────────────────────────────────────────────────────────────────────────────────────────────────

# A zone, the last border before an instant within, the border after it.
WEEKS = [
    ("Asia/Shanghai", "2026-05-31T16:00", "2026-06-07T16:00"),
    # Over the turn of the year: 28 December to 3 January is one week.
    ("Asia/Shanghai", "2026-12-27T16:00", "2027-01-03T16:00"),
    # Berlin turns its clocks back on Sunday 25 October, and ahead on Sunday 29 March: weeks of 169 and of 167 hours.
    ("Europe/Berlin", "2026-10-18T22:00", "2026-10-25T23:00"),
    ("Europe/Berlin", "2026-03-22T23:00", "2026-03-29T22:00"),
    # Lord Howe Island moves its clocks by half an hour.
    ("Australia/Lord_Howe", "2026-09-27T13:30", "2026-10-04T13:00"),
]
MONTHS = [
    ("Asia/Shanghai", "2026-04-30T16:00", "2026-05-31T16:00"),
    ("Asia/Shanghai", "2026-12-31T16:00", "2027-01-31T16:00"),
    ("Europe/Berlin", "2026-02-28T23:00", "2026-03-31T22:00"),
    ("Europe/Berlin", "2026-09-30T22:00", "2026-10-31T23:00"),
    # Cairo's last Friday of April 2026 begins at 01:00: there is no midnight.
    ("Africa/Cairo", "2026-03-31T22:00", "2026-04-30T21:00"),
]
DAYS = [
    ("Asia/Shanghai", "2026-05-31T16:00", "2026-06-01T16:00"),
    # Beirut's 29 March begins at 01:00, where its midnight would have been: a day of 23 hours.
    ("Asia/Beirut", "2026-03-28T22:00", "2026-03-29T21:00"),
    # Havana's 1 November has two midnights, and begins with the first: a day of 25 hours.
    ("America/Havana", "2026-11-01T04:00", "2026-11-02T05:00"),
]
PERIODS = [
    *(("limit_per_member_per_day", *day) for day in DAYS),
    *(("limit_per_member_per_week", *week) for week in WEEKS),
    *(("limit_per_member_per_month", *month) for month in MONTHS),
]


@pytest.mark.parametrize(("limit", "zone", "starts", "ends"), PERIODS)
async def test_a_period_begins_at_the_programmes_midnight_and_tells_when_the_next_does(
    database_url: str, limit: str, zone: str, starts: str, ends: str
) -> None:
    first, after = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (starts, ends))
    instant = timedelta(microseconds=1)
    async with world(database_url, programme=replace(PROGRAMME, zone=ZoneInfo(zone))) as laurel:
        laurel.clock.at = first - instant
        template_id = await laurel.published(limit_per_member=None, claim_closes_at=FAR, **{limit: 1})
        await laurel.claimed(template_id)
        laurel.clock.at = first
        await laurel.claimed(template_id)
        for at in (first, first + (after - first) / 3, after - instant):
            laurel.clock.at = at
            refusal = await laurel.claim(template_id)
            assert isinstance(refusal, ClaimLimitReached), at
            assert (refusal.limit, refusal.resets_at) == (1, after)
            await previewed(laurel, template_id, refusal)
        laurel.clock.at = after
        await laurel.claimed(template_id)
        await sound(laurel)


async def previewed(laurel: World, template_id: TemplateId, refusal: ClaimLimitReached) -> None:
    """The preview is what the claim was answered with."""
    scope = Scope.of_member(member(1))
    standing = (await laurel.reads.claim_standings([template_id], member_id=member(1), scope=scope))[template_id]
    template = (await laurel.reads.templates_by_id([template_id], scope=scope))[template_id]
    zone = laurel.database.programme.zone
    facts = ClaimFacts(template, standing.campaign, standing.stock.remaining, standing.claimed, standing.read_at, zone)
    decision = explain_claim(facts, by_member=True)
    assert isinstance(decision.refusal, ClaimLimitReached)
    assert (decision.refusal.limit, decision.refusal.resets_at) == (refusal.limit, refusal.resets_at)
    assert not decision.eligibility.eligible


async def test_of_several_limits_the_one_of_the_longest_period_is_told(laurel: World) -> None:
    template_id = await laurel.published(
        limit_per_member=None,
        limit_per_member_per_day=1,
        limit_per_member_per_week=1,
        limit_per_member_per_month=1,
    )
    await laurel.claimed(template_id)
    refusal = await laurel.claim(template_id)
    assert isinstance(refusal, ClaimLimitReached)
    assert refusal.resets_at == datetime(2026, 6, 30, 16, tzinfo=UTC)


# ── campaigns ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_campaigns_limit_is_over_all_of_its_templates(laurel: World) -> None:
    campaign_id = await laurel.add_campaign(limit_per_member=2)
    one, two = [await laurel.published(campaign_id=campaign_id, limit_per_member=None) for _ in range(2)]
    await laurel.claimed(one)
    await laurel.claimed(two)
    for template_id in (one, two):
        refusal = await laurel.claim(template_id)
        assert isinstance(refusal, ClaimLimitReached)
        assert (refusal.limit, refusal.resets_at) == (2, None)
        await previewed(laurel, template_id, refusal)
    await laurel.claimed(one, 2)
    # A template of no campaign, and one of another, do not count.
    await laurel.claimed(await laurel.published())
    await laurel.claimed(await laurel.published(campaign_id=await laurel.add_campaign(2, limit_per_member=1)))
    await sound(laurel)


async def test_who_has_all_of_the_campaign_and_none_of_the_template_is_refused_its_first(laurel: World) -> None:
    campaign_id = await laurel.add_campaign(limit_per_member=1)
    one, two = [await laurel.published(campaign_id=campaign_id) for _ in range(2)]
    await laurel.claimed(one)
    assert isinstance(await laurel.claim(two), ClaimLimitReached)


# ── races ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "limit",
    ["limit_per_member", "limit_per_member_per_day", "limit_per_member_per_week", "limit_per_member_per_month"],
)
async def test_50_claims_at_once_with_a_limit_of_3_give_3(servers: list[World], limit: str) -> None:
    template_id = await servers[0].published(**{"limit_per_member": None, limit: 3})
    outcomes = await asyncio.gather(*(servers[n % 4].claim(template_id) for n in range(50)))
    assert kinds(outcomes) == {"granted": 3, "ClaimLimitReached": 47}
    await sound(servers[0])


async def test_50_claims_at_once_of_five_templates_give_as_many_as_their_campaign_allows(servers: list[World]) -> None:
    """Each template has a stock, and so a lock, of its own; the campaign's limit is one."""
    laurel = servers[0]
    campaign_id = await laurel.add_campaign(limit_per_member=3)
    templates = [await laurel.published(campaign_id=campaign_id, limit_per_member=None) for _ in range(5)]
    for round_ in range(4):
        who = [1 + 2 * round_, 2 + 2 * round_]
        outcomes = await asyncio.gather(
            *(servers[n % 4].claim(templates[n % 5], number) for n in range(25) for number in who)
        )
        assert kinds(outcomes) == {"granted": 6, "ClaimLimitReached": 44}
    await sound(laurel)


# ── as others got it wrong ───────────────────────────────────────────────────────────────────────────────────────────


async def test_ruoyi_a_limit_is_held_against_all_that_is_asked_for_and_not_against_what_there_was(
    laurel: World,
) -> None:
    """ruoyi checks `taken < limit` and then adds n: two of one template for one left would be given."""
    template_id = await laurel.published(limit_per_member=2, limit_per_member_per_week=2)
    await laurel.claimed(template_id)
    with pytest.raises(ClaimLimitReached):
        async with laurel.database.begin(Scope.system()) as tx:
            await issue(tx, template_id, number=1, count=2)
    assert await laurel.value("SELECT count(*) FROM coupons") == 1
    await sound(laurel)


async def test_mall_counting_before_inserting_is_no_limit_unless_the_lock_comes_first(servers: list[World]) -> None:
    """mall counts what a member has, then inserts: several at once all count the same. Here the lock comes first."""
    template_id = await servers[0].published(limit_per_member=1, stock=5)
    outcomes = await asyncio.gather(*(servers[n % 4].claim(template_id, n % 10) for n in range(100)))
    assert kinds(outcomes)["granted"] == 5
    assert await servers[0].value("SELECT max(n) FROM (SELECT count(*) AS n FROM coupons GROUP BY member_id) c") == 1
    await sound(servers[0])


# ── what is not asked for costs nothing ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("limits", "statements"),
    [
        ({}, ["lock_template_stock", "claim_history"]),
        ({"limit_per_member_per_day": 9}, ["lock_template_stock", "claim_history"]),
        ({"limit_per_member_per_week": 9}, ["lock_template_stock", "wide_claim_history"]),
        ({"limit_per_member_per_month": 9}, ["lock_template_stock", "wide_claim_history"]),
    ],
)
async def test_a_template_without_wide_limits_is_claimed_by_the_same_statements_as_ever(
    laurel: World, limits: dict[str, Any], statements: list[str]
) -> None:
    template_id = await laurel.published(**limits)
    told: list[str] = []
    token = on_statement.set(names_into(told))
    await laurel.claim_set([claim(template_id, n) for n in range(20)])
    on_statement.reset(token)
    writes = ["advance_stream", "insert_events_alike", "add_coupons", "take_from_stock", "record_receipts"]
    assert told == [*statements, *writes]


async def test_the_limit_of_a_campaign_adds_the_lock_of_the_members_streams(laurel: World) -> None:
    template_id = await laurel.published(campaign_id=await laurel.add_campaign(limit_per_member=1))
    told: list[str] = []
    token = on_statement.set(names_into(told))
    await laurel.claim_set([claim(template_id, n) for n in range(20)])
    on_statement.reset(token)
    assert told[:3] == ["lock_template_stock", "advance_streams", "wide_claim_history"]


async def test_what_is_not_claimed_by_members_is_not_there_for_them(laurel: World) -> None:
    template_id = await laurel.published(self_claim=False)
    assert isinstance(await laurel.claim(template_id), NotFound)
    async with laurel.database.begin(Scope.system()) as tx:
        assert await issue(tx, template_id, number=1, count=1) == 1


async def test_what_the_member_cannot_claim_is_neither_recommended_nor_listed_as_claimable(laurel: World) -> None:
    campaign_id = await laurel.add_campaign(limit_per_member=1)
    one, two = [await laurel.published(campaign_id=campaign_id) for _ in range(2)]
    given = await laurel.published(self_claim=False)
    recommendations = SqlRecommendationReads(laurel.database)

    async def recommended(number: int) -> set[object]:
        scope = Scope.of_member(member(number))
        found = await recommendations.candidates(member(number), placement=Placement.CART, limit=5, scope=scope)
        return {candidate.subject.id for candidate in found}

    assert await recommended(1) == {one, two}
    await laurel.claimed(one)
    assert await recommended(1) == set()
    assert await recommended(2) == {one, two}
    page = PageRequest(first=5, after=None)
    listed = await laurel.reads.templates_page(
        TemplateQuery(claimable_now=True), page=page, scope=Scope.of_member(member(1))
    )
    assert given not in {template.id for template in listed.items}
