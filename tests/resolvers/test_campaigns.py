"""Campaigns, merchants and stores: made by those who may, moved along legal moves, drafts hidden."""

from datetime import timedelta
from typing import Any

from domain.campaigns.model import CampaignState
from domain.campaigns.rules import state_at
from tests.world import OPERATOR, World, staff, uuid_of

CAMPAIGN = "campaign { id name state goal merchant { name } budget { available { amount } } }"


def plan(world: World, **changed: Any) -> dict[str, Any]:
    return {
        "name": "Spring",
        "goal": "ACQUISITION",
        "startsAt": (world.clock.at + timedelta(days=1)).isoformat(),
        "endsAt": (world.clock.at + timedelta(days=2)).isoformat(),
        **changed,
    }


async def test_a_merchant_and_its_stores_are_made_and_found(world: World) -> None:
    merchant = await world.merchant("tea")
    owner = staff(uuid_of(merchant))
    made = await world.do(
        "createStore", owner, "store { id merchant { id } }", merchantId=merchant, name="West Lake", externalRef="s1"
    )
    assert made["store"]["merchant"]["id"] == merchant
    document = "query ($id: ID!) { merchant(id: $id) { name stores { nodes { id name } } } }"
    found = (await world.ask(document, id=merchant))["merchant"]
    assert found["stores"]["nodes"] == [{"id": made["store"]["id"], "name": "West Lake"}]


async def test_a_store_for_somebody_elses_merchant_is_not_found_and_not_made(world: World) -> None:
    tea, coffee = await world.merchant("tea"), await world.merchant("coffee")
    refused = await world.do("createStore", staff(uuid_of(coffee)), merchantId=tea, name="West Lake", externalRef="s1")
    assert refused["code"] == "NOT_FOUND"
    assert await world.database.pool.fetchval("SELECT count(*) FROM stores") == 0


async def test_two_merchants_cannot_have_one_reference(world: World) -> None:
    await world.merchant("tea")
    document = "mutation ($i: CreateMerchantInput!) { createMerchant(input: $i) { __typename } }"
    given = {"name": "Another", "externalRef": "tea", "idempotencyKey": "other"}
    assert await world.codes(document, OPERATOR, i=given) == ["BAD_USER_INPUT"]


async def test_a_campaign_is_a_draft_that_its_managers_alone_see(world: World) -> None:
    tea, coffee = await world.merchant("tea"), await world.merchant("coffee")
    owner, rival = staff(uuid_of(tea)), staff(uuid_of(coffee))
    budget = {"amount": "100.00", "currencyCode": "CNY"}
    made = await world.do("createCampaign", owner, CAMPAIGN, **plan(world, merchantId=tea, budget=budget))
    assert made["campaign"]["state"] == "DRAFT"
    assert made["campaign"]["budget"]["available"]["amount"] == "100.00"
    document = "{ campaigns { nodes { id state budget { limit { amount } } metrics { claimed } } } }"
    assert (await world.ask(document, rival))["campaigns"]["nodes"] == []
    await world.do("changeCampaignState", owner, campaignId=made["campaign"]["id"], state="SCHEDULED")
    (seen,) = (await world.ask(document, rival))["campaigns"]["nodes"]
    assert seen == {"id": made["campaign"]["id"], "state": "SCHEDULED", "budget": None, "metrics": None}
    (own,) = (await world.ask(document, owner))["campaigns"]["nodes"]
    assert own["metrics"] == {"claimed": 0}


async def test_a_campaign_says_once_what_becomes_of_a_remainder_of_its_budget(world: World) -> None:
    tea = await world.merchant("tea")
    owner = staff(uuid_of(tea))
    shown, budget = "campaign { budget { remainder } }", {"amount": "10.50", "currencyCode": "CNY"}
    given = plan(world, merchantId=tea, budget=budget)
    for said, told in (
        ({}, "REJECT"),
        ({"budgetRemainder": None}, "REJECT"),
        ({"budgetRemainder": "PARTIAL"}, "PARTIAL"),
    ):
        made = await world.do("createCampaign", owner, shown, **given, **said)
        assert made["campaign"]["budget"] == {"remainder": told}
    document = "mutation ($i: CreateCampaignInput!) { createCampaign(input: $i) { __typename } }"
    wrong = plan(world, merchantId=tea, budgetRemainder="PARTIAL", idempotencyKey="none")
    assert await world.codes(document, owner, i=wrong) == ["BAD_USER_INPUT"]


async def test_a_period_moves_a_campaign_by_itself_in_lists_as_in_the_rule(world: World) -> None:
    tea = await world.merchant("tea")
    owner = staff(uuid_of(tea))
    given = plan(world, merchantId=tea)
    made = await world.do("createCampaign", owner, CAMPAIGN, **given)
    await world.do("changeCampaignState", owner, campaignId=made["campaign"]["id"], state="SCHEDULED")
    start = world.clock.at
    for days, state in ((0.5, "SCHEDULED"), (1, "RUNNING"), (1.5, "RUNNING"), (2, "ENDED")):
        world.clock.at = start + timedelta(days=days)
        document = f"{{ campaigns(filter: {{states: [{state}]}}) {{ nodes {{ state }} }} }}"
        assert (await world.ask(document))["campaigns"]["nodes"] == [{"state": state}]
        by_rule = state_at(
            CampaignState.SCHEDULED,
            starts_at=start + timedelta(days=1),
            ends_at=start + timedelta(days=2),
            now=world.clock.at,
        )
        assert by_rule.value == state


async def test_an_illegal_move_is_refused_with_both_states(world: World) -> None:
    tea = await world.merchant("tea")
    owner = staff(uuid_of(tea))
    made = await world.do("createCampaign", owner, CAMPAIGN, **plan(world, merchantId=tea))
    id_ = made["campaign"]["id"]
    assert (await world.do("changeCampaignState", owner, campaignId=id_, state="PAUSED"))["message"] == (
        "It is DRAFT and cannot become PAUSED."
    )
    await world.do("changeCampaignState", owner, campaignId=id_, state="ENDED")
    refused = await world.do("changeCampaignState", owner, campaignId=id_, state="RUNNING")
    assert refused["code"] == "INVALID_STATE_CHANGE"


async def test_somebody_elses_campaign_is_not_found_when_it_is_moved(world: World) -> None:
    tea, coffee = await world.merchant("tea"), await world.merchant("coffee")
    made = await world.do("createCampaign", staff(uuid_of(tea)), CAMPAIGN, **plan(world, merchantId=tea))
    refused = await world.do(
        "changeCampaignState", staff(uuid_of(coffee)), campaignId=made["campaign"]["id"], state="ENDED"
    )
    assert refused["code"] == "NOT_FOUND"
    assert await world.database.pool.fetchval("SELECT state FROM campaigns") == "DRAFT"


async def test_pages_follow_each_other_without_a_gap(world: World) -> None:
    for number in range(7):
        starts = (world.clock.at + timedelta(days=number % 3)).isoformat()
        await world.do(
            "createCampaign",
            OPERATOR,
            **plan(world, name=f"C{number}", startsAt=starts, endsAt="2027-01-01T00:00:00Z"),
        )
    document = """query ($after: String) { campaigns(first: 3, after: $after) {
        nodes { name } pageInfo { hasNextPage endCursor } } }"""
    seen: list[str] = []
    after = None
    while True:
        page = (await world.ask(document, OPERATOR, after=after))["campaigns"]
        seen += [n["name"] for n in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert sorted(seen) == [f"C{n}" for n in range(7)]
    assert await world.codes(document, OPERATOR, after="nonsense") == ["BAD_USER_INPUT"]


async def test_the_viewer_sees_its_roles_and_merchants_and_what_became_of_its_writes(world: World) -> None:
    tea = await world.merchant("tea")
    owner = staff(uuid_of(tea))
    await world.do("createStore", owner, merchantId=tea, name="S", externalRef="s", idempotencyKey="mine")
    document = """{ viewer { roles member { id } merchants { nodes { id } } }
        operation(idempotencyKey: "mine") { mutation idempotencyKey } }"""
    seen = await world.ask(document, owner)
    assert seen["viewer"] == {"roles": ["MERCHANT"], "member": None, "merchants": {"nodes": [{"id": tea}]}}
    assert seen["operation"] == {"mutation": "createStore", "idempotencyKey": "mine"}
    assert (await world.ask(document, OPERATOR))["operation"] is None
