"""Members as clients see them."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from domain.members import model
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.problems import IdempotencyKeyReusedProblem

_PHONE_HEAD, _PHONE_TAIL = 3, 4


@strawberry.type(description="A member 会员 of the programme.")
class Member(Node):
    display_name: str | None = strawberry.field(description="What the member wants to be called.")
    phone: str | None = strawberry.field(description="Masked: 138****5678.")
    joined_at: datetime = strawberry.field(description="Since when.")
    locale: str = strawberry.field(description="The member's language: zh-CN or en.")
    entity: strawberry.Private[model.Member]

    @staticmethod
    def from_domain(member: model.Member) -> "Member":
        """The domain's member as clients see it."""
        return Member(
            id=node_id(NodeType.Member, member.id),
            display_name=member.display_name,
            phone=None if member.phone is None else masked_phone(member.phone),
            joined_at=member.joined_at,
            locale=member.locale,
            entity=member,
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
    locale: str = strawberry.field(default="zh-CN", description="zh-CN or en.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The member is known.")
class RegisterMemberSuccess:
    member: Member = strawberry.field(description="The member.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


RegisterMemberResult = Annotated[
    RegisterMemberSuccess | IdempotencyKeyReusedProblem,
    strawberry.union("RegisterMemberResult", description="The member, or why not."),
]
