"""Who may: the one place.

Every root field, every node type and every id argument has a rule here; a test generated from the schema fails for one
without. The second wall, in the SQL, holds even where a rule here is wrong.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from inspect import isawaitable
from types import CoroutineType
from typing import Any, Final

from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField
from typing_extensions import override

from domain.shared.errors import Forbidden, Unauthenticated
from domain.shared.principal import MerchantRole, Principal, Role
from resolvers.context import Info
from schema.node_ids import NodeType


@dataclass(frozen=True, slots=True)
class Rule:
    """Which roles may use a field; None lets everybody, also the anonymous.

    Of a merchant's staff, `merchant_roles` alone; staff whose merchant role is not known has none of them.
    """

    roles: frozenset[Role] | None
    merchant_roles: frozenset[MerchantRole] = frozenset(MerchantRole)

    def check(self, principal: Principal | None) -> None:
        """UNAUTHENTICATED for nobody, FORBIDDEN for the wrong role."""
        if self.roles is None:
            return
        if principal is None:
            raise Unauthenticated("send a token: Authorization: Bearer …")
        held = principal.roles & self.roles
        if not held:
            raise Forbidden(f"this needs one of the roles {_listed(self.roles)}")
        if held == {Role.MERCHANT} and principal.merchant_role not in self.merchant_roles:
            raise Forbidden(f"this needs one of the merchant roles {_listed(self.merchant_roles)}")


def _listed(roles: Iterable[Enum]) -> str:
    return ", ".join(sorted(role.value for role in roles))


PUBLIC: Final = Rule(roles=None)


def only(*roles: Role) -> Rule:
    """These roles alone."""
    return Rule(roles=frozenset(roles))


AUTHENTICATED: Final = only(*Role)
_MEMBER = only(Role.MEMBER)
# A till redeems and reads what it redeemed; a manager also plans; an owner does everything of its merchants.
_STAFF = only(Role.MERCHANT, Role.OPERATOR)
_OWNERS = Rule(roles=frozenset({Role.MERCHANT, Role.OPERATOR}), merchant_roles=frozenset({MerchantRole.OWNER}))
_PLANNERS = Rule(
    roles=frozenset({Role.MERCHANT, Role.OPERATOR}),
    merchant_roles=frozenset({MerchantRole.OWNER, MerchantRole.MANAGER}),
)
_OPERATOR = only(Role.OPERATOR)
_BACK_OFFICE = only(Role.OPERATOR, Role.SERVICE)
_SELLERS = only(Role.SERVICE, Role.MERCHANT)
_MEMBER_OR_SERVICE = only(Role.MEMBER, Role.SERVICE)
_MEMBER_OR_BACK_OFFICE = only(Role.MEMBER, Role.OPERATOR, Role.SERVICE)

ROOT_FIELDS: Final[Mapping[str, Rule]] = {
    "Query.campaigns": PUBLIC,
    "Query.couponTemplates": PUBLIC,
    "Query.me": PUBLIC,
    "Query.member": _BACK_OFFICE,
    "Query.merchant": PUBLIC,
    "Query.node": PUBLIC,
    "Query.nodes": PUBLIC,
    "Query.operation": AUTHENTICATED,
    "Query.quote": _MEMBER_OR_BACK_OFFICE,
    "Query.rewards": PUBLIC,
    "Query.viewer": PUBLIC,
    "Mutation.createMerchant": _OPERATOR,
    "Mutation.createStore": _OWNERS,
    "Mutation.createCampaign": _PLANNERS,
    "Mutation.changeCampaignState": _PLANNERS,
    "Mutation.adjustPoints": _OPERATOR,
    "Mutation.checkIn": _MEMBER,
    "Mutation.createReward": _OPERATOR,
    "Mutation.exchangePoints": _MEMBER,
    "Mutation.createCouponTemplate": _PLANNERS,
    "Mutation.publishCouponTemplate": _PLANNERS,
    "Mutation.claimCoupon": _MEMBER,
    "Mutation.issueCoupons": _PLANNERS,
    "Mutation.createCouponCodes": _PLANNERS,
    "Mutation.redeemCode": _MEMBER,
    "Mutation.reserveCoupons": _MEMBER_OR_SERVICE,
    "Mutation.releaseReservation": _MEMBER_OR_SERVICE,
    "Mutation.voidCoupon": _OPERATOR,
    "Mutation.redeemCoupons": _SELLERS,
    "Mutation.recordOrder": _SELLERS,
    "Mutation.refundOrder": _SELLERS,
    "Subscription.walletChanged": _MEMBER,
    "Subscription.pointsChanged": _MEMBER,
    "Subscription.stockChanged": PUBLIC,
    "Subscription.merchantRedemptions": _STAFF,
    "Mutation.registerMember": _BACK_OFFICE,
    "Mutation.setMemberTags": _BACK_OFFICE,
    "Mutation.setOfflineLimits": _OPERATOR,
    "Mutation.syncOfflineRedemptions": _SELLERS,
}

# Who may reach a node of this type by its id. Within the roles, the scope in the SQL decides which rows there are.
NODES: Final[Mapping[NodeType, Rule]] = {
    NodeType.PointsAccount: _MEMBER_OR_BACK_OFFICE,
    NodeType.PointsLot: _MEMBER_OR_BACK_OFFICE,
    NodeType.PointsTransaction: _MEMBER_OR_BACK_OFFICE,
    NodeType.Reward: PUBLIC,
    NodeType.Tier: PUBLIC,
    NodeType.Merchant: PUBLIC,
    NodeType.Store: PUBLIC,
    NodeType.Campaign: PUBLIC,
    NodeType.CouponTemplate: PUBLIC,
    NodeType.Coupon: only(Role.MEMBER, Role.OPERATOR, Role.SERVICE),
    NodeType.Redemption: AUTHENTICATED,
    NodeType.Reservation: _MEMBER_OR_BACK_OFFICE,
    NodeType.Member: _MEMBER_OR_BACK_OFFICE,
}

# Every argument or input field of type ID: the node type that it names, or None where it is the caller's own word.
ID_ARGUMENTS: Final[Mapping[str, NodeType | None]] = {
    "Query.node(id)": None,
    "Query.nodes(ids)": None,
    "Subscription.merchantRedemptions(merchantId)": NodeType.Merchant,
    "Subscription.stockChanged(couponTemplateId)": NodeType.CouponTemplate,
    "Query.member(id)": NodeType.Member,
    "Query.operation(idempotencyKey)": None,
    "Query.merchant(id)": NodeType.Merchant,
    "CampaignFilter.merchantId": NodeType.Merchant,
    "CreateMerchantInput.idempotencyKey": None,
    "CreateStoreInput.merchantId": NodeType.Merchant,
    "CreateStoreInput.idempotencyKey": None,
    "CreateCampaignInput.merchantId": NodeType.Merchant,
    "CreateCampaignInput.idempotencyKey": None,
    "ChangeCampaignStateInput.campaignId": NodeType.Campaign,
    "ChangeCampaignStateInput.idempotencyKey": None,
    "AdjustPointsInput.memberId": NodeType.Member,
    "AdjustPointsInput.idempotencyKey": None,
    "CheckInInput.idempotencyKey": None,
    "CreateRewardInput.couponTemplateId": NodeType.CouponTemplate,
    "CreateRewardInput.idempotencyKey": None,
    "ExchangePointsInput.rewardId": NodeType.Reward,
    "ExchangePointsInput.idempotencyKey": None,
    "CouponTemplateFilter.merchantId": NodeType.Merchant,
    "CouponTemplateFilter.campaignId": NodeType.Campaign,
    "CouponFilter.merchantId": NodeType.Merchant,
    "CartInput.storeId": NodeType.Store,
    "CartLineInput.id": None,
    "CartLineInput.merchantId": NodeType.Merchant,
    "ScopeInput.merchantIds": NodeType.Merchant,
    "ScopeInput.storeIds": NodeType.Store,
    "CreateCouponTemplateInput.campaignId": NodeType.Campaign,
    "CreateCouponTemplateInput.merchantId": NodeType.Merchant,
    "CreateCouponTemplateInput.idempotencyKey": None,
    "PublishCouponTemplateInput.couponTemplateId": NodeType.CouponTemplate,
    "PublishCouponTemplateInput.idempotencyKey": None,
    "IssueCouponsInput.couponTemplateId": NodeType.CouponTemplate,
    "IssueCouponsInput.memberIds": NodeType.Member,
    "IssueCouponsInput.idempotencyKey": None,
    "CreateCouponCodesInput.couponTemplateId": NodeType.CouponTemplate,
    "CreateCouponCodesInput.idempotencyKey": None,
    "RedeemCodeInput.idempotencyKey": None,
    "ClaimCouponInput.couponTemplateId": NodeType.CouponTemplate,
    "ClaimCouponInput.idempotencyKey": None,
    "QuoteInput.couponIds": NodeType.Coupon,
    "QuoteInput.memberId": NodeType.Member,
    "ReserveCouponsInput.couponIds": NodeType.Coupon,
    "ReserveCouponsInput.idempotencyKey": None,
    "VoidCouponInput.couponId": NodeType.Coupon,
    "VoidCouponInput.idempotencyKey": None,
    "ReleaseReservationInput.reservationId": NodeType.Reservation,
    "ReleaseReservationInput.idempotencyKey": None,
    "RedeemCouponsInput.reservationId": NodeType.Reservation,
    "RedeemCouponsInput.storeId": NodeType.Store,
    "RedeemCouponsInput.idempotencyKey": None,
    "RecordOrderInput.memberId": NodeType.Member,
    "RecordOrderInput.idempotencyKey": None,
    "RefundLineInput.lineId": None,
    "RefundOrderInput.idempotencyKey": None,
    "RegisterMemberInput.idempotencyKey": None,
    "SetMemberTagsInput.memberId": NodeType.Member,
    "SetMemberTagsInput.idempotencyKey": None,
    "SetOfflineLimitsInput.merchantId": NodeType.Merchant,
    "SetOfflineLimitsInput.storeId": NodeType.Store,
    "SetOfflineLimitsInput.idempotencyKey": None,
    "SyncOfflineRedemptionsInput.storeId": NodeType.Store,
    "SyncOfflineRedemptionsInput.idempotencyKey": None,
}


# Mutations that change nothing which the catalogue lists. After any other the rest of the request reads everything, so
# that it sees what it wrote; what other requests see is at most a second old.
LEAVES_CATALOGUE_AS_IT_IS: Final = frozenset(
    {
        "Mutation.adjustPoints",
        "Mutation.checkIn",
        "Mutation.claimCoupon",
        "Mutation.createCouponCodes",
        "Mutation.issueCoupons",
        "Mutation.redeemCode",
        "Mutation.exchangePoints",
        "Mutation.recordOrder",
        "Mutation.redeemCoupons",
        "Mutation.refundOrder",
        "Mutation.registerMember",
        "Mutation.releaseReservation",
        "Mutation.reserveCoupons",
        "Mutation.voidCoupon",
        "Mutation.setMemberTags",
        "Mutation.setOfflineLimits",
        "Mutation.syncOfflineRedemptions",
    }
)


class Guard(FieldExtension):
    """Holds a root field to its rule; after a mutation it makes the request forget what it had loaded."""

    def __init__(self, rule: Rule, *, writes: bool, writes_catalogue: bool) -> None:
        self.rule = rule
        self.writes = writes
        self.writes_catalogue = writes_catalogue

    @override
    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **kwargs: Any) -> Any:
        self.rule.check(info.context.principal)
        if self.writes_catalogue:
            info.context.leave_catalogue()
        try:
            # Strawberry hands a plain value through for a resolver that is not async.
            result: Any = next_(source, info, **kwargs)
            return await result if result.__class__ is CoroutineType or isawaitable(result) else result
        finally:
            if self.writes:
                info.context.forget()


def guard(root_type: type, *, name: str) -> None:
    """Puts its rule on every field of a root type; a field without one is a bug found when the schema is built."""
    for field in root_type.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        assert isinstance(field, StrawberryField)
        public_name = field.graphql_name or _camel(field.python_name)
        root_field, writes = f"{name}.{public_name}", name == "Mutation"
        writes_catalogue = writes and root_field not in LEAVES_CATALOGUE_AS_IT_IS
        if not any(isinstance(e, Guard) for e in field.extensions):
            field.extensions.append(Guard(ROOT_FIELDS[root_field], writes=writes, writes_catalogue=writes_catalogue))


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
