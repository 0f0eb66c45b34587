"""A member and its wallet's page come in one statement, of what is asked for alone; the answer is as without it."""

import gc
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import ref

import pytest
from graphql import DocumentNode, FieldNode, Node, Visitor, visit

from app.executor import service_executor
from domain.shared.principal import Principal
from execution import Executor
from tests.queries import queries
from tests.world import OPERATOR, SCHEMA, Answered, World, staff, uuid_of, world

__all__ = ["world"]

COMPILED = service_executor(SCHEMA, mode="compiled", on_error=lambda error: {"itself": error})
REFERENCE = service_executor(SCHEMA, mode="reference", on_error=lambda error: {"itself": error})

ARGUMENTS = "$first: Int, $after: String, $filter: CouponFilter, $order: CouponOrder"
PAGE = "coupons(first: $first, after: $after, filter: $filter, orderBy: $order)"
SELECTIONS = (
    "nodes { id }",
    "edges { node { state validUntil } }",
    "edges { cursor node { code claimedAt validFrom } } pageInfo { hasNextPage endCursor }",
    "nodes { headline terms { value } balance { amount } history { nodes { change } } template { name } }",
)
OF_THE_MEMBER = ("id", "locale joinedAt", "displayName phone", "points { available } tier { tier { name } }")


async def both(world: World, viewer: Principal | None, document: str, **variables: Any) -> Mapping[str, Any]:
    """The data, which is the same compiled and by graphql-core."""
    answers = []
    for executor in (COMPILED, REFERENCE):
        result = await executor.execute(executor.prepare(document), variables, world.context(viewer))
        answers.append(Answered.of(result))
    compiled, reference = answers
    assert (compiled.errors, reference.errors) == (None, None)
    assert compiled.data == reference.data
    assert compiled.data is not None
    return compiled.data


async def template(world: World, *, merchant: str | None = None, days: int = 7) -> str:
    made = await world.do(
        "createCouponTemplate",
        OPERATOR,
        "couponTemplate { id }",
        name="5 off",
        kind="AMOUNT_OFF",
        terms={"amountMinor": 500},
        currencyCode="CNY",
        merchantId=merchant,
        stock=100,
        claimOpensAt="2026-01-01T00:00:00Z",
        claimClosesAt="2027-01-01T00:00:00Z",
        validity={"daysAfterClaim": days},
    )
    id_ = str(made["couponTemplate"]["id"])
    await world.do("publishCouponTemplate", OPERATOR, couponTemplateId=id_)
    return id_


async def full(world: World) -> tuple[Principal, str]:
    """A member with coupons of two issuers, one of which is over; and the merchant among the issuers."""
    member, merchant = await world.member(), await world.merchant()
    for days, of in ((1, None), (30, merchant), (7, None), (9, merchant), (14, None)):
        await world.do("claimCoupon", member, couponTemplateId=await template(world, merchant=of, days=days))
        world.clock.advance(hours=5)
    world.clock.advance(days=2)
    return member, merchant


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("of_the_member", OF_THE_MEMBER)
async def test_each_selection_is_answered_alike(world: World, selection: str, of_the_member: str) -> None:
    member, merchant = await full(world)
    document = f"query W({ARGUMENTS}) {{ me {{ {of_the_member} wallet {{ {PAGE} {{ {selection} }} }} }} }}"
    filters: Sequence[Mapping[str, Any] | None] = (
        None,
        {"states": ["CLAIMED"]},
        {"states": ["EXPIRED"]},
        {"merchantId": merchant},
    )
    for order in (None, "EXPIRES_SOONEST", "CLAIMED_LATEST"):
        for filter_ in filters:
            await both(world, member, document, first=3, filter=filter_, order=order)


async def test_pages_follow_each_other_in_each_order(world: World) -> None:
    member, _ = await full(world)
    selection = "nodes { id } pageInfo { hasNextPage endCursor }"
    document = f"query W({ARGUMENTS}) {{ me {{ wallet {{ {PAGE} {{ {selection} }} }} }} }}"
    for order in ("EXPIRES_SOONEST", "CLAIMED_LATEST"):
        seen: list[str] = []
        after: str | None = None
        more: list[bool] = []
        for _ in range(3):
            data = await both(world, member, document, first=2, after=after, order=order)
            page = data["me"]["wallet"]["coupons"]
            seen += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            more.append(page["pageInfo"]["hasNextPage"])
        assert len(seen) == len(set(seen)) == 5
        assert more == [True, True, False]


async def test_it_is_one_statement_where_the_page_is_known_beforehand(world: World) -> None:
    member, merchant = await full(world)
    one = COMPILED.prepare("{ me { id locale wallet { coupons(first: 3) { nodes { id state } } } } }")
    with queries(1) as names:
        assert not (await COMPILED.execute(one, {}, world.context(member))).errors
    assert names == ["member_and_wallet_claimed_latest"]
    # A filter of literals and variables is known when the field is called, and two pages are not one.
    composed = (
        "query($of: ID!) { me { wallet { coupons(filter: {merchantId: $of, states: [CLAIMED]}) { nodes { id } } } } }"
    )
    two = "{ me { wallet { a: coupons(first: 1) { nodes { id } } b: coupons(first: 2) { nodes { id } } } } }"
    for document, most, given in ((composed, 2, {"of": merchant}), (two, 3, {})):
        with queries(most):
            await world.ask(document, member, **given)
        await both(world, member, document, **given)


def nodes_of(document: DocumentNode) -> list[Node]:
    met: list[Node] = []

    class Meets(Visitor):
        def enter(self, node: Node, *_: object) -> None:
            met.append(node)

    visit(document, Meets())
    return met


def is_field(node: Node, name: str) -> bool:
    return isinstance(node, FieldNode) and node.name.value == name


async def test_a_plan_that_made_room_for_others_is_held_by_nothing(world: World) -> None:
    member, executor = await world.member(), Executor(SCHEMA, cache_size=1)

    async def wallet_asked_for(document: str) -> ref[Node]:
        plan = executor.prepare(document)
        assert not (await executor.execute(plan, {}, world.context(member))).errors
        assert plan.document is not None
        return next(ref(node) for node in nodes_of(plan.document) if is_field(node, "wallet"))

    first = await wallet_asked_for("{ me { wallet { coupons { nodes { id } } } } }")
    second = await wallet_asked_for("{ me { id wallet { coupons { nodes { code } } } } }")
    gc.collect()
    assert (first() is None, second() is None) == (True, False)


async def test_an_empty_wallet_has_its_member(world: World) -> None:
    member = await world.member("nobody-gave-me-any")
    data = await both(world, member, "{ me { locale wallet { coupons { nodes { id } pageInfo { hasNextPage } } } } }")
    assert data["me"] == {"locale": "zh-CN", "wallet": {"coupons": {"nodes": [], "pageInfo": {"hasNextPage": False}}}}


async def test_nobody_but_its_member_and_the_programme_sees_it(world: World) -> None:
    member, merchant = await full(world)
    mine = (await world.ask("{ me { id } }", member))["me"]["id"]
    document = "query($id: ID!) { member(id: $id) { wallet { coupons { nodes { id } } } } }"
    assert len((await both(world, OPERATOR, document, id=mine))["member"]["wallet"]["coupons"]["nodes"]) == 5
    for viewer in (await world.member("another"), staff(uuid_of(merchant)), None):
        answered = await world.answer(document, viewer, id=mine)
        assert answered.data is None or answered.data["member"] is None
