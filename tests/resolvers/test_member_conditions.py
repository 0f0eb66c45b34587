"""Conditions on the member: who marks members, what is read when, and that no other member's answer is served."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from app.executor import service_executor
from domain.coupons.facts import MemberFacts
from domain.members.tiers import DEFAULT_PROGRAMME
from domain.shared.principal import Principal, Scope
from persistence.catalogue.follower import Catalogue
from schema.node_ids import NodeType, node_id
from tests.queries import queries
from tests.street import Street, street
from tests.world import OPERATOR, SCHEMA, SERVICE, of_a_reader, staff, uuid_of

__all__ = ["street"]

QUOTE = """query($input: QuoteInput!) { quote(input: $input) { discount { minorUnits } applied { coupon { id } }
  notApplied { coupon { id } eligibility { eligible unlock because { name children { name passed children {
    name passed required actual } } } } } } }"""
ELIGIBLE = """query($id: ID!, $cart: CartInput!) { node(id: $id) { ... on Coupon {
  template { headline rulesText(locale: "en") } eligibility(cart: $cart) { eligible } } } }"""
USABLE = "query($cart: CartInput!) { me { wallet { coupons(filter: {usableFor: $cart}) { nodes { id } } } } }"
TWENTY_OFF: Mapping[str, Any] = {"kind": "AMOUNT_OFF", "terms": {"amountMinor": 2000}}
VIP = {"memberTags": ["VIP"]}


async def tag(
    street: Street, *tags: str, who: Principal = OPERATOR, member: Principal | None = None
) -> Mapping[str, Any]:
    id_ = (await street.world.ask("{ me { id } }", member or street.member))["me"]["id"]
    return await street.world.do("setMemberTags", who, "member { id tags }", memberId=id_, tags=tags)


async def conditioned(street: Street, conditions: object, member: Principal | None = None, **changed: Any) -> str:
    return await street.coupon(member, conditions=conditions, **{**TWENTY_OFF, **changed})


async def discount(street: Street, *, at: Principal | None = None) -> int:
    found = await street.world.ask(QUOTE, at or street.member, input={"cart": street.cart()})
    return int(found["quote"]["discount"]["minorUnits"])


# ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_back_office_sets_all_tags_of_a_member_at_once(street: Street) -> None:
    assert (await tag(street, "VIP", "staff", "VIP"))["member"]["tags"] == ["VIP", "staff"]
    assert (await tag(street, "staff", "new", who=SERVICE))["member"]["tags"] == ["new", "staff"]
    assert (await tag(street))["member"]["tags"] == []


async def test_tags_are_the_back_offices_alone_to_read(street: Street) -> None:
    await tag(street, "churn risk")
    assert (await street.world.ask("{ me { tags } }", street.member))["me"]["tags"] is None


async def test_tags_of_nobody_are_not_found_and_what_is_no_tag_is_refused(street: Street) -> None:
    nobody = node_id(NodeType.Member, uuid_of(street.merchant))
    refused = await street.world.do("setMemberTags", OPERATOR, memberId=nobody, tags=["VIP"])
    assert refused["code"] == "NOT_FOUND"
    document = "mutation($input: SetMemberTagsInput!) { setMemberTags(input: $input) { __typename } }"
    for tags in ([" VIP"], [""], ["a\nb"], ["x" * 65], [str(n) for n in range(101)]):
        given = {"memberId": nobody, "tags": tags, "idempotencyKey": "k"}
        assert await street.world.codes(document, OPERATOR, input=given) == ["BAD_USER_INPUT"]


# ── where they decide ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_quote_eligibility_wallet_and_till_decide_alike(street: Street) -> None:
    coupon = await conditioned(street, VIP)
    shown: dict[str, Any] = {"id": coupon, "cart": street.cart()}
    for tags, eligible in (((), False), (("VIP",), True), (("gold",), False)):
        await tag(street, *tags)
        asked = (await street.world.ask(ELIGIBLE, street.member, **shown))["node"]
        assert asked["eligibility"]["eligible"] is eligible
        usable = (await street.world.ask(USABLE, street.member, cart=street.cart()))["me"]["wallet"]["coupons"]["nodes"]
        assert usable == ([{"id": coupon}] if eligible else [])
        assert await discount(street) == (2000 if eligible else 0)
    refused = await street.redeem(street.till, coupon)
    assert refused["code"] == "NOT_ELIGIBLE"
    await tag(street, "VIP")
    assert (await street.redeem(street.till, coupon))["redemptions"][0]["discount"]["minorUnits"] == 2000


async def test_what_conditions_ask_of_the_member_is_read_once_and_not_where_none_asks(street: Street) -> None:
    plain = await street.coupon(**TWENTY_OFF)
    asked = {"cart": street.cart(), "strategy": "CHOSEN", "couponIds": [plain]}
    with queries(20) as names:
        await street.world.ask(QUOTE, street.member, input=asked)
    assert names.count("facts_of_members") == 0
    coupons = [await conditioned(street, tree) for tree in (VIP, {"firstOrder": True}, {"birthdayMonth": True})]
    asked["couponIds"] = [plain, *coupons]
    with queries(50) as names:
        await street.world.ask(QUOTE, street.member, input=asked)
        assert names.count("facts_of_members") == 1
        await street.world.ask(USABLE, street.member, cart=street.cart())
        assert names.count("facts_of_members") == 2
        await street.redeem(street.till, coupons[1])
    assert names.count("facts_of_members") == 3
    assert names.index("redeem_coupon") > len(names) - names[::-1].index("facts_of_members") - 1, "before it decides"


async def test_one_members_answer_is_never_served_to_another(street: Street) -> None:
    """Two members, one template from the same catalogue, one process: each has its own answer, in either order."""
    world, executor = street.world, service_executor(SCHEMA, mode="compiled")
    other = await world.member("han-meimei")
    coupons = {}
    made = await world.do(
        "createCouponTemplate",
        OPERATOR,
        "couponTemplate { id }",
        name="VIP",
        currencyCode="CNY",
        stock=10,
        claimOpensAt="2026-01-01T00:00:00Z",
        claimClosesAt="2027-01-01T00:00:00Z",
        validity={"daysAfterClaim": 7},
        conditions=VIP,
        **TWENTY_OFF,
    )
    template = made["couponTemplate"]["id"]
    await world.do("publishCouponTemplate", OPERATOR, couponTemplateId=template)
    for who in (street.member, other):
        claimed = await world.do("claimCoupon", who, "coupon { id }", couponTemplateId=template)
        coupons[who] = claimed["coupon"]["id"]
    await tag(street, "VIP", member=other)
    catalogue = Catalogue(clock=world.clock, trust_seconds=60)
    async with world.database.pool.acquire() as connection:
        await catalogue.look(connection)

    async def eligible(who: Principal) -> tuple[bool, int]:
        found = []
        for document, variables in (
            (ELIGIBLE, {"id": coupons[who], "cart": street.cart()}),
            (QUOTE, {"input": {"cart": street.cart()}}),
        ):
            context = world.context(who)
            context.catalogue_now = of_a_reader(catalogue.current)
            result = await executor.execute(executor.prepare(document), variables, context)
            assert not result.errors
            found.append(orjson.loads(orjson.dumps(result.response))["data"])
        return found[0]["node"]["eligibility"]["eligible"], found[1]["quote"]["discount"]["minorUnits"]

    for who in (street.member, other, other, street.member):
        assert await eligible(who) == ((True, 2000) if who is other else (False, 0))


# ── orders, birthdays, tiers, stores ─────────────────────────────────────────────────────────────────────────────────


async def test_of_two_orders_paid_at_once_one_is_the_first(street: Street) -> None:
    coupons = [await conditioned(street, {"firstOrder": True}) for _ in range(2)]
    tokens = [await street.token(coupon) for coupon in coupons]
    paid = await asyncio.gather(
        *(
            street.redeem(street.till, coupon, orderRef=f"A{n}", redemptionToken=token)
            for n, (coupon, token) in enumerate(zip(coupons, tokens, strict=True))
        )
    )
    assert sorted(one["__typename"] for one in paid) == ["NotEligibleProblem", "RedeemCouponsSuccess"]


async def test_of_two_orders_reserved_at_once_one_is_the_first(street: Street) -> None:
    coupons = [await conditioned(street, {"firstOrder": True}) for _ in range(2)]
    cart = street.cart() | {"storeId": street.store}

    async def reserve(number: int, **changed: Any) -> Mapping[str, Any]:
        given = {"orderRef": f"A{number}", "cart": cart, "couponIds": [coupons[number]]} | changed
        return await street.world.do("reserveCoupons", street.member, "reservation { id }", **given)

    held = await asyncio.gather(reserve(0), reserve(1))
    assert sorted(one["__typename"] for one in held) == ["NotEligibleProblem", "ReserveCouponsSuccess"]
    first = next(number for number, one in enumerate(held) if "reservation" in one)
    assert (await street.redeem(street.till, coupons[1 - first], orderRef="B1"))["code"] == "NOT_ELIGIBLE"
    again = await reserve(first)
    assert again["__typename"] == "ReserveCouponsSuccess", "the same order holds in place of what it held"
    await street.world.do("releaseReservation", street.member, reservationId=again["reservation"]["id"])
    assert (await reserve(1 - first))["__typename"] == "ReserveCouponsSuccess"


async def test_a_cancelled_order_does_not_count_vendure_1466(street: Street) -> None:
    await conditioned(street, {"firstOrder": True})
    third = await conditioned(street, {"orderNumber": {"atLeast": 2, "atMost": 2}}, terms={"amountMinor": 300})
    assert await discount(street) == 2000
    await street.record(street.till, "PAID", cart=street.cart() | {"storeId": street.store})
    assert await discount(street) == 300
    await street.record(street.till, "CANCELLED")
    assert await discount(street) == 2000
    refused = await street.redeem(street.till, third, orderRef="A2")
    assert refused["eligibility"]["unlock"] == "Can be used after 1 more order"


async def test_who_is_born_on_29_february_is_born_in_february(street: Street) -> None:
    await street.world.do("registerMember", SERVICE, externalRef="li-lei", birthday="2000-02-29")
    member_id = street.member.member_id
    assert member_id is not None
    async with street.world.database.begin(Scope.system()) as tx:
        facts = await tx.facts.facts_of(member_id)
    assert isinstance(facts, MemberFacts)
    assert facts.birth_month == 2


async def test_a_birthday_decides_by_its_month_and_is_told_to_nobody(street: Street) -> None:
    coupon = await conditioned(street, {"birthdayMonth": True}, validity={"daysAfterClaim": 60})
    assert await discount(street) == 0
    # The world's clock stands in June.
    for birthday, off in (("1990-06-17", 2000), ("1990-07-01", 0)):
        await street.world.do("registerMember", SERVICE, externalRef="li-lei", birthday=birthday)
        assert await discount(street) == off
    refused = await street.redeem(street.till, coupon)
    assert refused["eligibility"]["unlock"] == "Can be used in the month of your birthday"
    of_a_week = await conditioned(street, {"birthdayMonth": True})
    assert (await street.redeem(street.till, of_a_week))["eligibility"]["unlock"] is None
    quoted = await street.world.ask(QUOTE, street.member, input={"cart": street.cart()})
    (proof,) = (
        child
        for group in quoted["quote"]["notApplied"][0]["eligibility"]["because"]["children"]
        for child in group["children"]
    )
    assert (proof["required"], proof["actual"]) == ("born in month 6", "another month")
    told = json.dumps([quoted, refused], default=str)
    assert "1990" not in told
    assert "month 7" not in told


async def test_a_tier_is_named_by_its_id_its_code_or_its_rank(street: Street) -> None:
    silver = DEFAULT_PROGRAMME.tiers[1]
    for name in (node_id(NodeType.Tier, silver.id), "SILVER", 1):
        coupon = await conditioned(street, {"memberTier": {"atLeast": name}})
        asked = (await street.world.ask(ELIGIBLE, street.member, id=coupon, cart=street.cart()))["node"]
        assert "a member of the tier Silver or above" in asked["template"]["rulesText"]
        assert asked["eligibility"]["eligible"] is False
    async with street.world.database.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO member_tiers (member_id, tier_code, since, keep_until)"
            " VALUES ($1, 'GOLD', now(), '2027-01-01')",
            street.member.member_id,
        )
    assert await discount(street) == 2000


async def test_a_store_is_named_by_its_id_and_called_by_its_name(street: Street) -> None:
    coupon = await conditioned(street, {"store": [street.store]})
    asked = (await street.world.ask(ELIGIBLE, street.member, id=coupon, cart=street.cart()))["node"]
    assert "bought in the store North" in asked["template"]["rulesText"]
    assert asked["eligibility"]["eligible"] is False
    refused = await street.redeem(street.owner, coupon, storeId=street.second_store)
    assert refused["eligibility"]["unlock"] == "Buy in one of the named stores to use it"
    done = await street.redeem(street.till, coupon)
    assert done["redemptions"][0]["store"]["name"] == "North"


@pytest.mark.parametrize("of", ["another merchant", "nobody"])
async def test_a_store_that_is_not_ones_own_is_refused_with_its_path(of: str, street: Street) -> None:
    id_ = street.store if of == "another merchant" else node_id(NodeType.Store, uuid_of(street.merchant))
    refused = await street.world.do(
        "createCouponTemplate",
        staff(uuid_of(street.other)),
        "couponTemplate { id } } ... on InvalidTermsProblem { path",
        name="books",
        currencyCode="CNY",
        merchantId=street.other,
        stock=1,
        claimOpensAt="2026-06-01T00:00:00Z",
        claimClosesAt="2026-07-01T00:00:00Z",
        validity={"daysAfterClaim": 7},
        conditions={"any": [{"firstOrder": True}, {"all": [{"store": [id_]}]}]},
        **TWENTY_OFF,
    )
    assert refused["path"] == ["conditions", "any", "1", "all", "0", "store", "0"]


async def test_tags_of_many_members_are_read_in_one_statement(street: Street) -> None:
    members = [await street.world.member(f"member-{n}") for n in range(3)]
    for member in members:
        await tag(street, "VIP", member=member)
    ids = [(await street.world.ask("{ me { id } }", member))["me"]["id"] for member in members]
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Member { tags } } }"
    with queries(3) as names:
        found = await street.world.ask(document, OPERATOR, ids=ids)
    assert found["nodes"] == [{"tags": ["VIP"]}] * 3
    assert names.count("facts_of_members") == 1
