"""Members as clients see them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import strawberry

from domain.members import model, tiers
from domain.members.tags import MAX_TAG_LENGTH, MAX_TAGS
from domain.members.tiers import BenefitKind
from domain.shared.ids import MemberId
from schema.asked import Asked
from schema.context import Context, Info
from schema.enums import publish_enum
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.paging import page_request
from schema.placements import Placement
from schema.problems import IdempotencyKeyReusedProblem, NotFoundProblem, OperationInProgressProblem
from schema.scalars import SafeInt
from schema.wallets import Wallet, WalletAhead, looked_at, plain_page

if TYPE_CHECKING:
    from schema.points import CheckInStatus, PointsAccount
    from schema.recommendations import RecommendationResult

_PHONE_HEAD, _PHONE_TAIL = 3, 4


# Personal values are opened only where they are asked for.


def _display_name_of(self: "Member") -> str | None:
    return self.entity.personal.display_name


def _phone_of(self: "Member") -> str | None:
    phone = self.entity.personal.phone
    return None if phone is None else masked_phone(phone)


@strawberry.type(description="A member 会员 of the programme.")
class Member(Node):
    display_name: str | None = strawberry.field(
        resolver=_display_name_of, description="What the member wants to be called."
    )
    phone: str | None = strawberry.field(resolver=_phone_of, description="Masked: 138****5678.")
    joined_at: datetime = strawberry.field(description="Since when.")
    locale: str = strawberry.field(description="The member's language: zh-CN or en.")
    entity: strawberry.Private[model.Member]
    wallet_ahead: strawberry.Private[WalletAhead | None] = None

    @strawberry.field(description="The member's points.")
    async def points(self, info: Info) -> Annotated["PointsAccount", strawberry.lazy("schema.points")]:
        """The points account."""
        from schema.points import PointsAccount

        return await PointsAccount.of_member(self.entity.id, info)

    @strawberry.field(
        description="What the back office has marked the member with, for conditions of use; null for everybody else."
    )
    async def tags(self, info: Info) -> list[str] | None:
        """The tags, in order."""
        if not info.context.scope.everything:
            return None
        facts = await info.context.load.facts_of_members.load(self.entity.id)
        return [] if facts is None else sorted(facts.tags)

    @strawberry.field(description="The member's tier, and the way to the next one.")
    async def tier(self, info: Info) -> "TierStatus":
        """The tier."""
        return TierStatus.from_domain(
            await info.context.load.tier_statuses.load(self.entity.id), locale=info.context.locale
        )

    @strawberry.field(description="What to show the member next.")
    async def recommendations(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description="How many at most, 1 to 100.")] = 10,
        placement: Annotated[Placement, strawberry.argument(description="Where they are shown.")] = Placement.HOME,
    ) -> Annotated["RecommendationResult", strawberry.lazy("schema.recommendations")]:
        """Recommendations."""
        from schema.recommendations import RecommendationResult

        limit = page_request(10 if first is None else first, None).first
        found = await info.context.recommend(self.entity.id, placement=placement, limit=limit)
        return RecommendationResult.from_domain(found, locale=info.context.locale)

    @strawberry.field(description="Daily check-in.")
    async def check_in(self, info: Info) -> Annotated["CheckInStatus", strawberry.lazy("schema.points")]:
        """The check-in."""
        from schema.points import CheckInStatus

        status = await info.context.reads.points.check_in_status(self.entity.id, scope=info.context.scope)
        return CheckInStatus.from_domain(status, member_id=self.entity.id, locale=info.context.locale)

    @staticmethod
    def from_domain(member: model.Member, *, wallet_ahead: WalletAhead | None = None) -> "Member":
        """The domain's member as clients see it."""
        return Member(
            id=node_id(NodeType.Member, member.id),
            joined_at=member.joined_at,
            locale=member.locale,
            entity=member,
            wallet_ahead=wallet_ahead,
        )

    @strawberry.field(description="The member's coupons.")
    def wallet(self) -> Wallet:
        """The wallet."""
        return Wallet(member_id=self.entity.id, ahead=self.wallet_ahead)


# A member's fields that show nothing personal.
_NOT_PERSONAL: Final = frozenset(
    {"__typename", "id", "joined_at", "locale", "wallet", "points", "tags", "tier", "recommendations", "check_in"}
)


async def load_member(
    context: Context, member_id: MemberId, *, asked: Asked | None, variables: Mapping[str, Any]
) -> Member | None:
    """A member within the caller's scope, its wallet's page read along with it where one is asked for."""
    arguments = None if asked is None else asked.arguments(variables, "wallet", "coupons")
    plain = None if arguments is None else plain_page(**arguments)
    if asked is None or plain is None:
        member = await context.load.members.load(member_id)
        return None if member is None else Member.from_domain(member)
    query, page = plain
    found = await context.reads.coupons.member_with_wallet(
        member_id,
        query=query,
        page=page,
        scope=context.scope,
        names=looked_at(asked, "wallet", "coupons"),
        personal=not asked.names() <= _NOT_PERSONAL,
    )
    if found is None:
        return None
    return Member.from_domain(found.member, wallet_ahead=WalletAhead(query, page, found.page))


publish_enum(
    BenefitKind,
    "What a tier gives.",
    values={
        "POINTS_MULTIPLIER": "More points for the same money.",
        "MEMBER_PRICE": "Prices for members.",
        "FREE_SHIPPING": "No shipping to pay.",
        "EXCLUSIVE_COUPON": "Coupons that others cannot claim.",
        "PRIORITY_SERVICE": "Served first.",
        "BIRTHDAY_GIFT": "A gift on the birthday.",
    },
)


@strawberry.type(description="One benefit of a tier.")
class Benefit:
    kind: BenefitKind = strawberry.field(description="Of what kind.")
    headline: str = strawberry.field(description="In words.")


@strawberry.type(description="A tier 会员等级 of the programme.")
class Tier(Node):
    name: str = strawberry.field(description="Its name.")
    rank: int = strawberry.field(description="From 0, the lowest, up.")
    threshold: SafeInt = strawberry.field(description="The metric from which it is earned.")
    benefits: list[Benefit] = strawberry.field(description="What it gives.")

    @staticmethod
    def from_domain(tier: tiers.Tier, *, locale: str) -> "Tier":
        """The domain's tier as clients see it."""
        return Tier(
            id=node_id(NodeType.Tier, tier.id),
            name=tier.name.read_in(locale),
            rank=tier.rank,
            threshold=SafeInt(tier.threshold),
            benefits=[Benefit(kind=b.kind, headline=b.headline.read_in(locale)) for b in tier.benefits],
        )


@strawberry.type(description="A member's tier, and the way to the next one.")
class TierStatus:
    tier: Tier = strawberry.field(description="The tier that the member has.")
    metric: SafeInt = strawberry.field(description="What counts towards tiers: points earned by orders in 365 days.")
    next: Tier | None = strawberry.field(description="The tier above; null on the highest.")
    to_next: SafeInt | None = strawberry.field(description="What is missing for it.")
    keep_until: date | None = strawberry.field(description="The first day on which the tier may fall; null: never.")

    @staticmethod
    def from_domain(status: tiers.TierStatus, *, locale: str) -> "TierStatus":
        """The domain's status as clients see it."""
        return TierStatus(
            tier=Tier.from_domain(status.standing.tier, locale=locale),
            metric=SafeInt(status.metric),
            next=None if status.next is None else Tier.from_domain(status.next, locale=locale),
            to_next=None if status.to_next is None else SafeInt(status.to_next),
            keep_until=status.standing.keep_until,
        )


def masked_phone(phone: str) -> str:
    """The first three and the last four digits of a national number: +8613812345678 becomes 138****5678."""
    digits = phone.removeprefix("+86")
    if len(digits) <= _PHONE_HEAD + _PHONE_TAIL:
        return "*" * len(digits)
    return digits[:_PHONE_HEAD] + "*" * (len(digits) - _PHONE_HEAD - _PHONE_TAIL) + digits[-_PHONE_TAIL:]


@strawberry.input(description="A member to make known, or to complete.")
class RegisterMemberInput:
    external_ref: str = strawberry.field(description="What the member's own system calls it: the `sub` of its tokens.")
    display_name: str | None = strawberry.field(default=None, description="What the member wants to be called.")
    phone: str | None = strawberry.field(
        default=None, description="With country code (+8613812345678), or a number of mainland China."
    )
    birthday: date | None = strawberry.field(default=None, description="For birthday offers.")
    locale: str | None = strawberry.field(default="zh-CN", description="zh-CN or en.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The member is known.")
class RegisterMemberSuccess:
    member: Member = strawberry.field(description="The member.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


RegisterMemberResult = Annotated[
    RegisterMemberSuccess | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("RegisterMemberResult", description="The member, or why not."),
]


@strawberry.input(description="The tags that a member is to have.")
class SetMemberTagsInput:
    member_id: strawberry.ID = strawberry.field(description="The member.")
    tags: list[str] = strawberry.field(
        description=f"All of them, in place of those that it has; none takes them away. {MAX_TAGS} at most, each of 1 "
        f"to {MAX_TAG_LENGTH} printable characters."
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The member is marked so.")
class SetMemberTagsSuccess:
    member: Member = strawberry.field(description="The member.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


SetMemberTagsResult = Annotated[
    SetMemberTagsSuccess | NotFoundProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("SetMemberTagsResult", description="The member, or why not."),
]
