"""What reads cost, and what the catalogue shows to whom: with it and without, compiled, the answers are the same."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, get_named_type, get_nullable_type, is_list_type

from app.executor import service_executor
from domain.shared.principal import Principal
from persistence.catalogue.follower import Catalogue
from persistence.crypto import PersonalData
from tests.architecture.test_schema import schema
from tests.queries import queries
from tests.world import OPERATOR, SCHEMA, SERVICE, World, key, of_a_reader, open_world, staff, uuid_of

EXECUTOR: Final = service_executor(SCHEMA, mode="compiled")
OPENS, CLOSES = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"
MERCHANTS = 3
WALLET: Final = """query Wallet { me { id locale wallet { coupons(first: 20) { edges { node { id code state
    template { name kind headline campaign { id name state merchant { id name } } merchant { id name } }
    } } } } } }"""


@dataclass(slots=True)
class Reader:
    """A world whose requests look at a catalogue."""

    world: World
    catalogue: Catalogue

    async def look(self) -> None:
        async with self.world.database.pool.acquire() as connection:
            await self.catalogue.look(connection)

    async def bytes(
        self, document: str, viewer: Principal | None, *, locale: str = "en", listed: bool = True, **variables: Any
    ) -> bytes:
        """The answer as it is sent."""
        context = self.world.context(viewer, locale=locale)
        if listed:
            context.catalogue_now = of_a_reader(self.catalogue.current)
        result = await EXECUTOR.execute(EXECUTOR.prepare(document), variables, context)
        assert not result.errors, result.errors
        return orjson.dumps(result.response)

    async def ask(self, document: str, viewer: Principal | None = None, **options: Any) -> Mapping[str, Any]:
        data: Mapping[str, Any] = orjson.loads(await self.bytes(document, viewer, **options))["data"]
        return data


@dataclass(slots=True)
class Street:
    """Some merchants with two stores, two campaigns, and two templates in each; a member with one coupon of each."""

    reader: Reader
    member: Principal
    merchants: list[str]
    campaigns: list[str]
    templates: list[str]


@pytest_asyncio.fixture
async def reader(database_url: str) -> AsyncIterator[Reader]:
    async with open_world(database_url) as opened:
        yield Reader(opened, Catalogue(clock=opened.clock, trust_seconds=60))


@pytest_asyncio.fixture
async def street(reader: Reader) -> Street:
    world = reader.world
    made = Street(reader, await world.member(), [], [], [])
    for m in range(MERCHANTS):
        merchant = await world.merchant(f"m{m}")
        made.merchants.append(merchant)
        for n in range(2):
            await world.do("createStore", OPERATOR, merchantId=merchant, name=f"store {n}", externalRef=f"{n}")
            campaign = await add_campaign(world, merchant, state="RUNNING")
            made.campaigns.append(campaign)
            for _ in range(2):
                made.templates.append(await add_template(world, merchant, campaign))
    for template in made.templates:
        claimed = await world.do("claimCoupon", made.member, couponTemplateId=template)
        assert claimed["__typename"] == "ClaimCouponSuccess", claimed
    await reader.look()
    return made


async def add_campaign(world: World, merchant: str, *, state: str | None) -> str:
    given = {"name": "Spring", "goal": "RETENTION", "merchantId": merchant, "startsAt": OPENS, "endsAt": CLOSES}
    campaign = str((await world.do("createCampaign", OPERATOR, "campaign { id }", **given))["campaign"]["id"])
    if state is not None:
        moved = await world.do("changeCampaignState", OPERATOR, campaignId=campaign, state=state)
        assert moved["__typename"] == "ChangeCampaignStateSuccess", moved
    return campaign


async def add_template(world: World, merchant: str, campaign: str | None, *, publish: bool = True) -> str:
    made = await world.do(
        "createCouponTemplate",
        OPERATOR,
        "couponTemplate { id }",
        name="20 off",
        kind="AMOUNT_OFF",
        terms={"amountMinor": 2000},
        currencyCode="CNY",
        merchantId=merchant,
        campaignId=campaign,
        stock=100,
        limitPerMember=10,
        claimOpensAt=OPENS,
        claimClosesAt=CLOSES,
        validity={"daysAfterClaim": 7},
    )
    template = str(made["couponTemplate"]["id"])
    if publish:
        await world.do("publishCouponTemplate", OPERATOR, couponTemplateId=template)
    return template


# ── the wallet ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_wallet_with_all_that_its_coupons_refer_to_is_two_statements(street: Street) -> None:
    with queries(2):
        shown = await street.reader.ask(WALLET, street.member)
    nodes = [edge["node"] for edge in shown["me"]["wallet"]["coupons"]["edges"]]
    assert len(nodes) == len(street.templates)
    assert all(node["template"]["campaign"]["merchant"] == node["template"]["merchant"] for node in nodes)


async def test_a_wallet_without_the_catalogue_is_five_statements_however_long(street: Street) -> None:
    with queries(5):
        await street.reader.ask(WALLET, street.member, listed=False)


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
async def test_an_answer_is_the_same_with_the_catalogue_and_without(street: Street, locale: str) -> None:
    read = await street.reader.bytes(WALLET, street.member, locale=locale, listed=False)
    for _ in range(3):  # made, kept, kept
        assert await street.reader.bytes(WALLET, street.member, locale=locale) == read


async def test_what_was_kept_for_one_locale_is_not_shown_in_another(street: Street) -> None:
    said = {locale: await street.reader.bytes(WALLET, street.member, locale=locale) for locale in ("en", "zh-CN")}
    assert said["en"] != said["zh-CN"]
    assert await street.reader.bytes(WALLET, street.member, locale="en") == said["en"]


async def test_personal_values_are_opened_only_where_they_are_asked_for(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = reader.world
    given = {"externalRef": "li-lei", "displayName": "李雷", "phone": "+8613812345678", "birthday": "1990-01-01"}
    await world.do("registerMember", SERVICE, **given)
    member, opened = await world.member(), []
    decrypt = PersonalData.decrypt

    def watched(self: PersonalData, sealed: bytes, **place: Any) -> str:
        opened.append(place["column"])
        return decrypt(self, sealed, **place)

    monkeypatch.setattr(PersonalData, "decrypt", watched)
    await reader.ask("{ me { id locale joinedAt wallet { sequence } } }", member)
    assert opened == []
    shown = await reader.ask("{ me { phone } }", member)
    assert shown == {"me": {"phone": "138****5678"}}
    assert opened == ["phone"]


# ── whose the answers are ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_draft_campaign_of_a_published_template_is_its_managers_alone_whoever_asked_first(
    reader: Reader,
) -> None:
    world = reader.world
    merchant = await world.merchant()
    template = await add_template(world, merchant, await add_campaign(world, merchant, state=None))
    await reader.look()
    document = "query Q($id: ID!) { node(id: $id) { ... on CouponTemplate { name campaign { name state } } } }"
    managers = staff(uuid_of(merchant))
    for viewer, campaign in [
        (managers, {"name": "Spring", "state": "DRAFT"}),
        (None, None),
        (managers, {"name": "Spring", "state": "DRAFT"}),
        (await world.member(), None),
    ]:
        shown = await reader.ask(document, viewer, id=template)
        assert shown["node"] == {"name": "20 off", "campaign": campaign}


async def test_a_draft_template_is_read_for_its_managers_and_hidden_from_all_others(reader: Reader) -> None:
    merchant = await reader.world.merchant()
    draft = await add_template(reader.world, merchant, None, publish=False)
    await reader.look()
    document = "query Q($id: ID!) { node(id: $id) { id } }"
    assert (await reader.ask(document, staff(uuid_of(merchant)), id=draft))["node"] == {"id": draft}
    assert (await reader.ask(document, None, id=draft))["node"] is None


# ── writers see what they wrote ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_write_is_answered_with_what_it_wrote_though_the_catalogue_is_behind(street: Street) -> None:
    campaign = street.campaigns[0]
    move = """mutation Move($input: ChangeCampaignStateInput!) { changeCampaignState(input: $input) {
        ... on ChangeCampaignStateSuccess { campaign { name state couponTemplates { nodes { campaign { state } } } }
        } } }"""
    given = {"campaignId": campaign, "state": "PAUSED", "idempotencyKey": key()}
    state = "query Q($id: ID!) { node(id: $id) { ... on Campaign { state } } }"
    assert (await street.reader.ask(state, id=campaign))["node"]["state"] == "RUNNING"
    moved = (await street.reader.ask(move, OPERATOR, input=given))["changeCampaignState"]["campaign"]
    assert moved["state"] == "PAUSED"
    assert [t["campaign"]["state"] for t in moved["couponTemplates"]["nodes"]] == ["PAUSED"] * 2
    await street.reader.look()
    assert (await street.reader.ask(state, id=campaign))["node"]["state"] == "PAUSED"


async def test_what_the_catalogue_does_not_list_yet_is_read(street: Street) -> None:
    world = street.reader.world
    fresh = await add_template(world, street.merchants[0], street.campaigns[0])
    claim = """mutation Claim($input: ClaimCouponInput!) { claimCoupon(input: $input) {
        ... on ClaimCouponSuccess { coupon { template { id name campaign { name } } } } } }"""
    given = {"couponTemplateId": fresh, "idempotencyKey": key()}
    claimed = (await street.reader.ask(claim, street.member, input=given))["claimCoupon"]["coupon"]
    assert claimed["template"] == {"id": fresh, "name": "20 off", "campaign": {"name": "Spring"}}


# ── every list ────────────────────────────────────────────────────────────────────────────────────────────────────────

# For each field that is a list, under several parents: the statements that will do, with nothing listed. A list that is
# made of its parent costs what its parent costs.
BUDGETS: Final[Mapping[str, tuple[int, str]]] = {
    "Query.campaigns": (1, "{ campaigns { nodes { name } } }"),
    "Query.couponTemplates": (1, "{ couponTemplates { nodes { name terms { name } funders { funder } } } }"),
    "Query.rewards": (1, "{ rewards { nodes { name } } }"),
    "Viewer.merchants": (1, "{ viewer { merchants { nodes { name } } } }"),
    "Merchant.campaigns": (2, "{ viewer { merchants { nodes { campaigns { nodes { name } } } } } }"),
    "Merchant.stores": (2, "{ viewer { merchants { nodes { stores { nodes { name } } } } } }"),
    "Merchant.redemptions": (2, "{ viewer { merchants { nodes { redemptions { nodes { orderRef } } } } } }"),
    "Campaign.couponTemplates": (2, "{ campaigns { nodes { couponTemplates { nodes { name } } } } }"),
    "Coupon.history": (3, "{ me { wallet { coupons { nodes { history { nodes { change } } } } } } }"),
    "Coupon.terms": (3, "{ me { wallet { coupons { nodes { terms { name } } } } } }"),
    "Wallet.coupons": (2, "{ me { wallet { coupons { nodes { id } } } } }"),
    "PointsAccount.transactions": (3, "{ me { points { transactions { nodes { id } } } } }"),
    "PointsAccount.expiring": (3, "{ me { points { expiring { id } } } }"),
    "CouponTemplate.codes": (2, "{ couponTemplates { nodes { codes { nodes { uses } } } } }"),
    "Member.tags": (1, "{ me { tags } }"),
    "CheckInStatus.calendar": (3, '{ me { checkIn { calendar(month: "2026-06-01") } } }'),
}
# Several parents of several levels at once.
DEEP: Final = """{ viewer { merchants { nodes { stores { nodes { merchant { name } } } campaigns { nodes {
    merchant { name } couponTemplates { nodes { campaign { name } merchant { name } stock { remaining } } }
    } } } } } }"""
# Lists of which there is one for each answer, or which are a part of what their parent was read as.
PARTS: Final = frozenset(
    {
        "Allocation.shares",
        "AppliedOffer.shares",
        "Budget.byFunder",
        "CheckInSuccess.coupons",
        "ClaimDecision.eligibility",
        "Combination.coupons",
        "CouponTemplate.funders",
        "CouponTemplate.terms",
        "CreateCouponCodesSuccess.codes",
        "Eligibility.checks",
        "ExchangePointsSuccess.coupons",
        "InvalidTermsProblem.path",
        "IssueCouponsSuccess.outcomes",
        "Predicate.children",
        "Query.nodes",
        "RecommendationResult.items",
        "RedeemCouponsSuccess.redemptions",
        "Redemption.shares",
        "Reservation.coupons",
        "RefundOrderSuccess.restored",
        "ReleaseReservationSuccess.coupons",
        "SyncOfflineRedemptionsSuccess.outcomes",
        "Tier.benefits",
        "Viewer.roles",
    }
)


@pytest.mark.parametrize("field", BUDGETS)
async def test_a_list_costs_no_more_for_many_parents_than_for_one(street: Street, field: str) -> None:
    most, document = BUDGETS[field]
    viewer = street.member if "me {" in document else OPERATOR
    with queries(most):
        await street.reader.ask(document, viewer, listed=False)


async def test_lists_in_lists_cost_one_statement_each(street: Street) -> None:
    with queries(7):
        await street.reader.ask(DEEP, OPERATOR, listed=False)
    with queries(5):
        await street.reader.ask(DEEP, OPERATOR)


async def test_many_nodes_of_one_type_are_read_together(street: Street) -> None:
    document = "query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    with queries(2):
        await street.reader.ask(document, None, listed=False, ids=[*street.templates, *street.merchants])
    with queries(0):
        await street.reader.ask(document, None, ids=[*street.templates, *street.merchants])


def test_every_list_has_a_budget() -> None:
    found = set()
    for type_ in schema().type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_.name.startswith("__") or type_.name == "Subscription":
            continue
        for name, field in type_.fields.items():
            listed = is_list_type(get_nullable_type(field.type))
            if (listed or get_named_type(field.type).name.endswith("Connection")) and "Connection" not in type_.name:
                found.add(f"{type_.name}.{name}")
    of_quotes = {place for place in found if place.startswith(("Quote", "Money", "Funder", "Order"))}
    assert found - set(BUDGETS) - PARTS - of_quotes == set(), "give it a budget"
