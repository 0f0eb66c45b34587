"""Whatever is asked of a wallet's coupons, however they stand, it is answered as graphql-core answers it."""

import asyncio
import gc
import os
from collections.abc import Mapping
from random import Random
from typing import Any, Final

import orjson
import pytest

from app.executor import service_executor
from domain.shared.principal import Principal
from persistence.catalogue.follower import Catalogue
from resolvers.context import NO_CATALOGUE
from schema.context import Catalogue as Listing
from tests.resolvers.stage import CLOSES, OPENS
from tests.world import OPERATOR, SCHEMA, World, staff, uuid_of, world

__all__ = ["world"]

EXECUTORS: Final = [service_executor(SCHEMA, mode="compiled"), service_executor(SCHEMA, mode="reference")]
DRAWN: Final = int(os.environ.get("LAUREL_WALLET_SELECTIONS", "60"))

LINE: Final = (
    '{id: "1", productRef: "leaves", merchantId: $merchant, quantity: 1,'
    ' unitPrice: {amount: "20.00", currencyCode: "CNY"}}'
)
CART: Final = f'{{currencyCode: "CNY", lines: [{LINE}]}}'
# Of each type the fields that are drawn: to each what is asked below it.
FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Wallet": {"coupons": "CouponConnection", "counts": "WalletCounts", "sequence": ""},
    "CouponConnection": {"edges": "CouponEdge", "nodes": "Coupon", "pageInfo": "PageInfo"},
    "CouponEdge": {"cursor": "", "node": "Coupon"},
    "PageInfo": dict.fromkeys(("hasNextPage", "hasPreviousPage", "startCursor", "endCursor"), ""),
    "WalletCounts": dict.fromkeys(("claimed", "reserved", "redeemed", "expired", "expiringSoon"), ""),
    "Coupon": {
        **dict.fromkeys(("id", "code", "state", "claimedAt", "validFrom", "validUntil", "headline"), ""),
        "template": "CouponTemplate",
        "terms": "CouponTerm",
        "balance": "Money",
        "redemptionCode": "RedemptionCode",
        "history": "CouponEventConnection",
        f"eligibility(cart: {CART})": "Eligibility",
    },
    "CouponTerm": dict.fromkeys(("name", "value", "unit"), ""),
    "Money": dict.fromkeys(("amount", "currencyCode"), ""),
    "RedemptionCode": {"expiresAt": "", "__typename": ""},
    "CouponEventConnection": {"nodes": "CouponEvent"},
    "CouponEvent": dict.fromkeys(("sequence", "change", "occurredAt", "reason"), ""),
    "Eligibility": {"eligible": ""},
    "CouponTemplate": {
        **dict.fromkeys(("id", "name", "kind", "headline", "published", "claimOpensAt", "rulesText"), ""),
        "campaign": "Campaign",
        "merchant": "Merchant",
        "stock": "StockStatus",
        "terms": "CouponTerm",
    },
    "StockStatus": {"__typename": ""},
    "Campaign": {**dict.fromkeys(("id", "name", "state"), ""), "merchant": "Merchant"},
    "Merchant": dict.fromkeys(("id", "name"), ""),
}
SIMPLE: Final = ("id", "code", "state", "claimedAt", "validFrom", "validUntil", "template")
ARGUMENTS: Final = (
    "",
    "(first: $first)",
    "(first: 2)",
    "(first: $first, after: $after, filter: $filter, orderBy: $order)",
    "(filter: {states: [CLAIMED, VOIDED, RESERVED]}, orderBy: EXPIRES_SOONEST)",
    "(filter: {merchantId: $merchant})",
    "(filter: $filter, orderBy: $order)",
    "(first: 0)",
    f"(filter: {{usableFor: {CART}}}, orderBy: BEST_VALUE)",
)
DECLARED: Final[Mapping[str, str]] = {
    "first": "Int",
    "after": "String",
    "filter": "CouponFilter",
    "order": "CouponOrder",
    "merchant": "ID!",
    "member": "ID!",
    "yes": "Boolean! = true",
    "no": "Boolean! = false",
}


class Drawn:
    """Draws one document."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.fragments: list[str] = []
        self.aliases = 0

    def document(self, root: str) -> str:
        of_me = self.random.choice(("", "id ", "locale displayName ", "points { available } "))
        body = f"{{ {root} {{ {of_me}wallet {self.selection('Wallet', sure='coupons')} }} }}"
        text = "\n".join([body, *self.fragments, "query Other { me { id } }"])
        declared = ", ".join(f"${name}: {type_}" for name, type_ in DECLARED.items() if f"${name}" in text)
        return f"query Q{f'({declared})' if declared else ''} {text}"

    def selection(self, type_: str, *, sure: str | None = None, deep: int = 0) -> str:
        known = FIELDS[type_]
        names = list(known)
        if type_ == "Coupon" and self.random.random() < 0.6:
            names = list(SIMPLE)
        drawn = self.random.choices(names, k=self.random.randint(1, 5))
        if sure is not None:
            drawn = [sure, *(drawn if self.random.random() < 0.4 else ())]
        parts = [self.part(type_, name, below=known[name], deep=deep) for name in drawn]
        if self.random.random() < 0.2:
            parts.append("__typename")
        return f"{{ {' '.join(parts)} }}"

    def part(self, type_: str, name: str, *, below: str, deep: int) -> str:
        draw = self.random.random()
        field = name
        if name == "coupons":
            field += self.random.choice(ARGUMENTS)
        # Another alias each time but where the same may be merged.
        if draw < 0.2 or "(" in field or (below and draw < 0.5):
            self.aliases += 1
            field = f"a{self.aliases}: {field}"
        field += self.condition()
        if below:
            field += " " + self.selection(below, deep=deep + 1)
        draw = self.random.random()
        if draw < 0.1:
            return f"... on {type_} {{ {field} }}"
        if draw < 0.15:
            return f"...{self.condition()} {{ {field} }}"
        if draw < 0.25:
            fragment = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {fragment} on {type_} {{ {field} }}")
            return f"...{fragment}{self.condition()}"
        return field

    def condition(self) -> str:
        draw = self.random.random()
        if draw > 0.2:
            return ""
        return self.random.choice((" @include(if: $yes)", " @skip(if: $no)", " @skip(if: $yes)", " @include(if: true)"))


async def made(world: World, mutation: str, viewer: Principal = OPERATOR, selection: str = "", **given: Any) -> Any:
    done = await world.do(mutation, viewer, selection, **given)
    assert done["__typename"].endswith("Success"), done
    return done


async def template(
    world: World, *, merchant: str | None, campaign: str | None = None, days: int = 7, **more: Any
) -> str:
    given = {"kind": "AMOUNT_OFF", "terms": {"amountMinor": 500}, **more}
    id_ = (
        await made(
            world,
            "createCouponTemplate",
            selection="couponTemplate { id }",
            name=f"of {days} days",
            currencyCode="CNY",
            merchantId=merchant,
            campaignId=campaign,
            stock=100,
            limitPerMember=9,
            claimOpensAt=OPENS,
            claimClosesAt=CLOSES,
            validity={"daysAfterClaim": days},
            **given,
        )
    )["couponTemplate"]["id"]
    await made(world, "publishCouponTemplate", couponTemplateId=id_)
    return str(id_)


async def claimed(world: World, member: Principal, template: str) -> str:
    return str((await made(world, "claimCoupon", member, "coupon { id }", couponTemplateId=template))["coupon"]["id"])


def cart(merchant: str, amount: str = "90.00") -> dict[str, Any]:
    price = {"amount": amount, "currencyCode": "CNY"}
    line = {"id": "1", "productRef": "leaves", "merchantId": merchant, "quantity": 1, "unitPrice": price}
    return {"currencyCode": "CNY", "lines": [line]}


async def full(world: World, catalogue: Catalogue) -> tuple[Principal, str]:
    """A member with coupons in every state; the catalogue is older than some of what they are of."""
    member, merchant = await world.member(), await world.merchant()
    given: dict[str, Any] = {
        "name": "Spring",
        "goal": "RETENTION",
        "merchantId": merchant,
        "startsAt": OPENS,
        "endsAt": CLOSES,
    }
    campaign = (await made(world, "createCampaign", selection="campaign { id }", **given))["campaign"]["id"]
    await made(world, "changeCampaignState", campaignId=campaign, state="RUNNING")
    plain = await template(world, merchant=merchant, campaign=campaign)
    short, issuerless = await template(world, merchant=merchant, days=1), await template(world, merchant=None)
    await claimed(world, member, short)
    held = await claimed(world, member, plain)
    await made(world, "reserveCoupons", member, orderRef="lapses", couponIds=[held], cart=cart(merchant))
    world.clock.advance(days=2)
    async with world.database.pool.acquire() as connection:
        await catalogue.look(connection)
    cash = await template(world, merchant=merchant, days=30, kind="CASH", terms={"faceMinor": 20_000})
    balance = await claimed(world, member, cash)
    await claimed(world, member, cash)
    store = await made(
        world, "createStore", selection="store { id }", merchantId=merchant, name="First", externalRef="1"
    )
    till = staff(uuid_of(merchant), uuid_of(store["store"]["id"]))
    for order, coupon in (("part", balance), ("all", await claimed(world, member, plain))):
        asked = "query($id: ID!) { node(id: $id) { ... on Coupon { redemptionCode { token } } } }"
        token = (await world.ask(asked, member, id=coupon))["node"]["redemptionCode"]["token"]
        paid = {**cart(merchant), "storeId": store["store"]["id"], "channel": "IN_STORE"}
        given = {"orderRef": order, "redemptionToken": token, "cart": paid, "storeId": store["store"]["id"]}
        await made(world, "redeemCoupons", till, **given)
    now = await claimed(world, member, issuerless)
    await made(world, "reserveCoupons", member, orderRef="held", couponIds=[now], cart=cart(merchant))
    void = await claimed(world, member, plain)
    await made(world, "voidCoupon", couponId=void, reason="by mistake")
    await claimed(world, member, issuerless)
    return member, merchant


async def answered(world: World, viewer: Principal, document: str, listing: Listing, variables: Any) -> list[bytes]:
    """The answer, compiled (twice: what was kept serialised is used the second time) and by graphql-core."""
    answers = []
    for executor in (EXECUTORS[0], EXECUTORS[0], EXECUTORS[1]):
        context = world.context(viewer, locale=variables["locale"])
        context.catalogue_now = lambda: listing
        given = {name: value for name, value in variables.items() if name != "locale"}
        result = await executor.execute(executor.prepare(document, "Q"), given, context)
        answers.append(orjson.dumps(result.response))
    return answers


# An error that ends what is above it leaves coroutines that nobody awaits: graphql-core does, and so do plans.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
async def test_whatever_is_asked_of_a_wallet_is_answered_alike(world: World) -> None:
    catalogue = Catalogue(clock=world.clock, trust_seconds=3600)
    member, merchant = await full(world, catalogue)
    world.clock.advance(minutes=30)  # by now the hold of one is over, though nobody has seen to it
    states = await world.ask("{ me { wallet { coupons { nodes { state } pageInfo { endCursor } } } } }", member)
    page = states["me"]["wallet"]["coupons"]
    assert {node["state"] for node in page["nodes"]} >= {"CLAIMED", "EXPIRED", "REDEEMED", "VOIDED"}
    async with world.database.pool.acquire() as connection:
        fresh = Catalogue(clock=world.clock, trust_seconds=3600)
        await fresh.look(connection)
    first = await world.ask("{ me { wallet { coupons(first: 3) { pageInfo { endCursor } } } } }", member)
    cursor = first["me"]["wallet"]["coupons"]["pageInfo"]["endCursor"]
    me = (await world.ask("{ me { id } }", member))["me"]["id"]
    shown = 0
    for seed in range(DRAWN):
        random = Random(seed)
        viewer, root = random.choice(((member, "me"), (member, "me"), (OPERATOR, "member(id: $member)")))
        document = Drawn(random).document(root)
        variables: dict[str, Any] = {
            "locale": random.choice(("en", "zh-CN")),
            "merchant": merchant,
            "member": me,
            "first": random.choice((None, 1, 3, 50, 0, 101)),
            "after": random.choice((None, cursor, "nonsense")),
            "filter": random.choice((None, {}, {"states": ["CLAIMED"]}, {"states": ["EXPIRED"]}, {"states": []})),
            "order": random.choice((None, "EXPIRES_SOONEST", "CLAIMED_LATEST", "BEST_VALUE")),
        }
        for name in ("first", "after", "filter", "order"):
            if random.random() < 0.3:
                del variables[name]
        for listing in (NO_CATALOGUE, catalogue.current(), fresh.current()):
            once, again, reference = await answered(world, viewer, document, listing, variables)
            assert once == again == reference, (seed, document, variables)
            shown += b'"errors"' not in once
    await asyncio.sleep(0.01)  # those that were called off end
    gc.collect()  # while they may complain
    assert shown > DRAWN  # of three answers one, at least, tells something
