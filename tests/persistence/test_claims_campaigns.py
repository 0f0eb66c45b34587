"""A campaign gates its coupons: what is decided, previewed, listed and recommended is one and the same."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from domain.campaigns.model import CampaignState
from domain.campaigns.rules import state_at
from domain.coupons.claimed import Claimed
from domain.coupons.errors import Ended, NotStarted
from domain.coupons.model import TemplateQuery
from domain.coupons.rules import ClaimFacts, decide_claim, explain_claim
from domain.coupons.rules_text import rules_text
from domain.recommendations.model import Placement
from domain.shared.idempotency import Done
from domain.shared.ids import CampaignId, TemplateId
from domain.shared.paging import PageRequest
from domain.shared.principal import Scope
from persistence.recommendations.reads import SqlRecommendationReads
from tests.coupon_world import NOON, PROGRAMME, World, claim, member, world

STARTS_AT, ENDS_AT = NOON - timedelta(days=1), NOON + timedelta(days=1)
CAMPAIGN = CampaignId(member(77))
INSTANTS = (
    STARTS_AT - timedelta(microseconds=1), STARTS_AT, NOON, ENDS_AT - timedelta(microseconds=1), ENDS_AT,
)  # fmt: skip


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as made:
        yield made


async def gated(laurel: World, *, state: CampaignState = CampaignState.RUNNING) -> TemplateId:
    await laurel.rows(
        "INSERT INTO campaigns (id, name, goal, state, starts_at, ends_at, created_at)"
        " VALUES ($1, '618', 'RETENTION', $2, $3, $4, now())",
        CAMPAIGN,
        state.value,
        STARTS_AT,
        ENDS_AT,
    )
    return await laurel.published(campaign_id=CAMPAIGN, limit_per_member=None)


async def put(laurel: World, state: CampaignState) -> None:
    await laurel.rows("UPDATE campaigns SET state = $1", state.value)


@pytest.mark.parametrize("state", list(CampaignState))
async def test_a_coupon_is_claimed_while_its_campaign_runs_and_every_list_says_so(
    laurel: World, state: CampaignState
) -> None:
    template_id = await gated(laurel, state=state)
    recommendations = SqlRecommendationReads(laurel.database)
    scope = Scope.of_member(member(1))
    for at in INSTANTS:
        laurel.clock.at = at
        runs = state_at(state, starts_at=STARTS_AT, ends_at=ENDS_AT, now=at) is CampaignState.RUNNING
        standing = (await laurel.reads.claim_standings([template_id], member_id=member(1), scope=scope))[template_id]
        template = (await laurel.reads.templates_by_id([template_id], scope=scope))[template_id]
        facts = ClaimFacts(
            template, standing.campaign, standing.stock.remaining, standing.claimed, standing.read_at, PROGRAMME.zone
        )
        page = await laurel.reads.templates_page(
            TemplateQuery(claimable_now=True), page=PageRequest(first=5, after=None), scope=scope
        )
        found = await recommendations.candidates(member(1), placement=Placement.CART, limit=5, scope=scope)
        shown = (
            explain_claim(facts, by_member=True).eligibility.eligible,
            bool(page.items),
            any(candidate.subject == template for candidate in found),
        )
        outcome = await laurel.claim(template_id)
        assert shown == (runs, runs, runs), at
        assert isinstance(outcome, Done) is runs, at
        assert type(outcome) is (Claimed if runs else type(decide_claim(facts)))


async def test_before_its_campaign_a_coupon_opens_with_it(laurel: World) -> None:
    template_id = await gated(laurel, state=CampaignState.SCHEDULED)
    laurel.clock.at = STARTS_AT - timedelta(hours=1)
    early = await laurel.claim(template_id)
    assert isinstance(early, NotStarted)
    assert early.opens_at == STARTS_AT
    await put(laurel, CampaignState.DRAFT)
    assert isinstance(await laurel.claim(template_id), NotStarted)


@pytest.mark.parametrize(
    ("state", "at", "closed_at"),
    [
        (CampaignState.PAUSED, NOON, NOON),
        (CampaignState.ENDED, NOON, NOON),
        (CampaignState.RUNNING, ENDS_AT + timedelta(hours=1), ENDS_AT),
        (CampaignState.PAUSED, ENDS_AT + timedelta(hours=1), ENDS_AT),
    ],
)
async def test_a_campaign_that_is_stopped_or_over_ends_its_claims(
    laurel: World, state: CampaignState, at: datetime, closed_at: datetime
) -> None:
    template_id = await gated(laurel, state=state)
    laurel.clock.at = at
    outcomes = await laurel.claim_set([claim(template_id, n) for n in range(2)])
    assert [o.closed_at for o in outcomes if isinstance(o, Ended)] == [closed_at, closed_at]
    assert outcomes[0] is not outcomes[1], "each is told by an exception of its own"
    assert await laurel.value("SELECT count(*) FROM coupons") == 0


async def test_a_resumed_campaign_is_claimed_from_again(laurel: World) -> None:
    template_id = await gated(laurel, state=CampaignState.PAUSED)
    assert isinstance(await laurel.claim(template_id, key="mine"), Ended)
    await put(laurel, CampaignState.RUNNING)
    assert isinstance(await laurel.claim(template_id, key="mine"), Done)


async def test_a_replay_is_answered_when_its_campaign_is_over(laurel: World) -> None:
    template_id = await gated(laurel)
    first = await laurel.claim(template_id, key="mine")
    await put(laurel, CampaignState.ENDED)
    again = await laurel.claim(template_id, key="mine")
    assert isinstance(first, Done)
    assert again == Done(first.result, replayed=True)


async def test_the_conditions_say_that_the_campaign_must_run(laurel: World) -> None:
    template_id = await gated(laurel)
    template = (await laurel.reads.templates_by_id([template_id], scope=Scope.system()))[template_id]
    assert "while its campaign is running" in rules_text(template, zone=PROGRAMME.zone).en
