"""A merchant's and a member's things of every kind, and everybody who might ask for them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)

from domain.shared.principal import MerchantRole, Principal
from persistence.base import metadata
from resolvers.access import ID_ARGUMENTS
from schema.node_ids import NodeRef, NodeType, node_id, read_node_id
from tests.architecture.test_schema import schema
from tests.world import OPERATOR, SERVICE, Answered, World, key, staff, uuid_of

OPENS, CLOSES = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"
NOBODY = UUID("00000000-0000-7000-8000-00000000dead")

# Values that an input must have to mean something; the rest is made from the types.
MEANING: Final[Mapping[str, object]] = {
    "CreateCouponTemplateInput.kind": "AMOUNT_OFF",
    "CreateCouponTemplateInput.terms": {"amountMinor": 100},
    "CreateCouponTemplateInput.claimOpensAt": OPENS,
    "CreateCouponTemplateInput.claimClosesAt": CLOSES,
    "CreateCouponTemplateInput.validity": {"daysAfterClaim": 7},
    "CreateCampaignInput.startsAt": OPENS,
    "CreateCampaignInput.endsAt": CLOSES,
    "ChangeCampaignStateInput.state": "SCHEDULED",
    "CreateRewardInput.kind": "GOODS",
    "RecordOrderInput.state": "PAID",
    "Query.nodes(ids)": [],
}
SCALARS: Final[Mapping[str, object]] = {
    "Boolean": True,
    "CurrencyCode": "CNY",
    "Date": "2026-06-01",
    "DateTime": "2026-07-01T00:00:00Z",
    "Decimal": "100.00",
    "Int": 1,
    "JSON": {},
    "SafeInt": 1,
}


# By whose a thing is: the member's, the planners' of a merchant, its tills'.
SEEN_BY: Final[Mapping[str, frozenset[str]]] = {
    "member": frozenset({"the member", "operator", "service"}),
    "planners": frozenset({"owner", "manager", "operator", "service"}),
    "tills": frozenset({"the member", "owner", "manager", "till", "operator", "service"}),
}


@dataclass(frozen=True, slots=True)
class Example:
    """A thing that there is. `owner` says whose: "public", or a key of `SEEN_BY`."""

    id: str
    owner: str

    @property
    def ref(self) -> NodeRef:
        ref = read_node_id(self.id)
        assert ref is not None
        return ref

    @property
    def missing(self) -> str:
        """The id of another of its kind, of the same member, that does not exist."""
        return node_id(self.ref.type, NOBODY, member_id=self.ref.member_id)


@dataclass(frozen=True, slots=True)
class Stage:
    """The world with its things and its callers."""

    world: World
    callers: Mapping[str, Principal | None]
    examples: Mapping[NodeType, tuple[Example, ...]]

    def sees(self, caller: str, example: Example) -> bool:
        """Whether the thing is there for the caller, by whose it is; the rules of resolvers/access.py left aside."""
        return example.owner == "public" or caller in SEEN_BY[example.owner]

    def hidden_from(self, caller: str, node_type: NodeType) -> list[Example]:
        return [example for example in self.examples[node_type] if not self.sees(caller, example)]

    async def call(self, root: str, caller: str, **overridden: object) -> Answered:
        """Asks a root field as somebody, with arguments made from their types."""
        document, variables = self.operation(root, overridden)
        return await self.world.answer(document, self.callers[caller], **variables)

    def operation(self, root: str, overridden: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
        """A document with its variables; `overridden` gives values by place, as in `CreateStoreInput.merchantId`."""
        kind, _, name = root.partition(".")
        type_ = schema().type_map[kind]
        assert isinstance(type_, GraphQLObjectType)
        field = type_.fields[name]
        variables = {
            argument: self._value(given.type, f"{root}({argument})", overridden)
            for argument, given in field.args.items()
            if isinstance(given.type, GraphQLNonNull) or f"{root}({argument})" in overridden
        }
        declared = ", ".join(f"${a}: {field.args[a].type}" for a in variables)
        passed = ", ".join(f"{a}: ${a}" for a in variables)
        selection = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
        if kind == "Mutation":
            selection = "{ __typename ... on Problem { code message } }"
        head = f"{kind.lower()} Asked({declared})" if declared else kind.lower()
        return f"{head} {{ {name}{f'({passed})' if passed else ''} {selection} }}", variables

    def _value(self, type_: GraphQLInputType, place: str, overridden: Mapping[str, object]) -> object:
        if place in overridden or place in MEANING:
            return overridden.get(place, MEANING.get(place))
        match type_:
            case GraphQLNonNull():
                return self._value(type_.of_type, place, overridden)
            case GraphQLList():
                return [self._value(type_.of_type, place, overridden)]
            case GraphQLInputObjectType():
                return self._object(type_, overridden)
            case GraphQLEnumType():
                return next(iter(type_.values))
            case _:
                return self._scalar(type_.name, place)

    def _object(self, type_: GraphQLInputObjectType, overridden: Mapping[str, object]) -> dict[str, object]:
        """An input with what it must have, and with what is on the way to what is overridden."""
        return {
            name: self._value(given.type, f"{type_.name}.{name}", overridden)
            for name, given in type_.fields.items()
            if isinstance(given.type, GraphQLNonNull)
            or f"{type_.name}.{name}" in overridden
            or any(place.startswith(f"{get_named_type(given.type).name}.") for place in overridden)
        }

    def _scalar(self, name: str, place: str) -> object:
        named = ID_ARGUMENTS[place] if name == "ID" else None
        if named is not None:
            return self.examples[named][0].id
        return key() if name in {"ID", "String"} else SCALARS[name]

    async def rows(self) -> Mapping[str, tuple[int, str]]:
        """What each table holds: how many rows, and a digest of them."""
        parts = (
            f"SELECT '{name}' AS name, count(*) AS rows, md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) AS digest "  # noqa: E501, S608 - names of ours
            f'FROM "{name}" AS t'
            for name in metadata.tables
        )
        found = await self.world.database.pool.fetch(" UNION ALL ".join(parts))
        return {row["name"]: (row["rows"], row["digest"]) for row in found}


def codes(answered: Answered) -> set[str]:
    """The codes of the top-level errors; INTERNAL for what has none."""
    return {getattr(e.original_error, "code", "INTERNAL") for e in answered.errors or ()}


def as_bytes(answered: Answered) -> bytes:
    """All of an answer that a client can see."""
    errors = [{"message": e.message, "path": e.path, "code": sorted(codes(answered))} for e in answered.errors or ()]
    return json.dumps({"data": answered.data, "errors": errors}, sort_keys=True, default=str).encode()


async def set_stage(world: World) -> Stage:
    """Makes one of everything: a merchant's in all states of visibility, a member's of every kind."""
    member, other = await world.member("the-member"), await world.member("another-member")
    tea, books = await world.merchant("tea"), await world.merchant("books")
    store = await _made(world, "createStore", "store", merchantId=tea, name="First", externalRef="1")
    far = await _made(world, "createStore", "store", merchantId=tea, name="Second", externalRef="2")
    draft, running = [await _campaign(world, tea, name) for name in ("Draft", "Running")]
    await _done(world, "changeCampaignState", campaignId=running, state="RUNNING")
    drafted, published = [await _template(world, tea, name) for name in ("Draft", "Published")]
    await _done(world, "publishCouponTemplate", couponTemplateId=published)
    reward = await _made(world, "createReward", "reward", name="Cup", kind="GOODS", pointsPrice=10, stock=10)
    claimed = await world.do("claimCoupon", member, "coupon { id }", couponTemplateId=published)
    me = (await world.ask("{ me { id points { id } tier { tier { id } } } }", member))["me"]
    given = await world.do(
        "adjustPoints", OPERATOR, "transaction { id }", memberId=me["id"], delta=100, reason="hello", expiresAt=CLOSES
    )
    lots = (await world.ask("{ me { points { expiring(withinDays: 365) { id } } } }", member))["me"]["points"]
    redemption = await _redeemed(world, member, tea=tea, store=store, template=published)
    reservation = await _reserved(world, member, tea=tea, template=published)
    owner = staff(uuid_of(tea))
    return Stage(
        world=world,
        callers={
            "anonymous": None,
            "the member": member,
            "another member": other,
            "owner": owner,
            "manager": staff(uuid_of(tea), role=MerchantRole.MANAGER, subject="manager"),
            "till": staff(uuid_of(tea), uuid_of(store), role=MerchantRole.TILL, subject="till"),
            "till of another store": staff(uuid_of(tea), uuid_of(far), role=MerchantRole.TILL, subject="far"),
            "staff of another merchant": staff(uuid_of(books), subject="books"),
            "operator": OPERATOR,
            "service": SERVICE,
        },
        examples={
            NodeType.Merchant: (Example(tea, "public"),),
            NodeType.Store: (Example(store, "public"),),
            NodeType.Campaign: (Example(draft, "planners"), Example(running, "public")),
            NodeType.CouponTemplate: (Example(drafted, "planners"), Example(published, "public")),
            NodeType.Reward: (Example(reward, "public"),),
            NodeType.Tier: (Example(me["tier"]["tier"]["id"], "public"),),
            NodeType.Member: (Example(me["id"], "member"),),
            NodeType.PointsAccount: (Example(me["points"]["id"], "member"),),
            NodeType.PointsLot: (Example(lots["expiring"][0]["id"], "member"),),
            NodeType.PointsTransaction: (Example(given["transaction"]["id"], "member"),),
            NodeType.Coupon: (Example(claimed["coupon"]["id"], "member"),),
            NodeType.Redemption: (Example(redemption, "tills"),),
            NodeType.Reservation: (Example(reservation, "member"),),
        },
    )


async def _done(world: World, mutation: str, selection: str = "", **given: object) -> Mapping[str, Any]:
    done = await world.do(mutation, OPERATOR, selection, **given)
    assert done["__typename"].endswith("Success"), done
    return done


async def _made(world: World, mutation: str, made: str, **given: object) -> str:
    return str((await _done(world, mutation, f"{made} {{ id }}", **given))[made]["id"])


async def _campaign(world: World, merchant: str, name: str) -> str:
    given = {"name": name, "goal": "RETENTION", "merchantId": merchant, "startsAt": OPENS, "endsAt": CLOSES}
    return await _made(world, "createCampaign", "campaign", **given)


async def _template(world: World, merchant: str, name: str) -> str:
    return await _made(
        world,
        "createCouponTemplate",
        "couponTemplate",
        name=name,
        kind="AMOUNT_OFF",
        terms={"amountMinor": 100},
        currencyCode="CNY",
        merchantId=merchant,
        stock=100,
        limitPerMember=10,
        claimOpensAt=OPENS,
        claimClosesAt=CLOSES,
        validity={"daysAfterClaim": 7},
    )


async def _reserved(world: World, member: Principal, *, tea: str, template: str) -> str:
    claimed = await world.do("claimCoupon", member, "coupon { id }", couponTemplateId=template)
    line = {
        "id": "1",
        "productRef": "leaves",
        "merchantId": tea,
        "quantity": 1,
        "unitPrice": {"amount": "20.00", "currencyCode": "CNY"},
    }
    held = await world.do(
        "reserveCoupons",
        member,
        "reservation { id }",
        orderRef="held",
        couponIds=[claimed["coupon"]["id"]],
        cart={"currencyCode": "CNY", "lines": [line]},
    )
    assert held["__typename"] == "ReserveCouponsSuccess", held
    return str(held["reservation"]["id"])


async def _redeemed(world: World, member: Principal, *, tea: str, store: str, template: str) -> str:
    claimed = await world.do("claimCoupon", member, "coupon { redemptionCode { token } }", couponTemplateId=template)
    cart = {
        "currencyCode": "CNY",
        "storeId": store,
        "channel": "IN_STORE",
        "lines": [
            {
                "id": "1",
                "productRef": "leaves",
                "merchantId": tea,
                "quantity": 1,
                "unitPrice": {"amount": "20.00", "currencyCode": "CNY"},
            }
        ],
    }
    token = claimed["coupon"]["redemptionCode"]["token"]
    till = staff(uuid_of(tea), uuid_of(store), role=MerchantRole.TILL, subject="till")
    done = await world.do(
        "redeemCoupons", till, "redemptions { id }", orderRef="1", redemptionToken=token, cart=cart, storeId=store
    )
    assert done["__typename"] == "RedeemCouponsSuccess", done
    return str(done["redemptions"][0]["id"])
