"""Members: who may, which use-case."""

from collections.abc import Coroutine
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain.members.tags import read_tags
from domain.members.tiers import DEFAULT_PROGRAMME
from domain.members.use_cases import RegisterMember, SetMemberTags, register_member, set_member_tags
from domain.shared.ids import MemberId
from resolvers.context import Info
from resolvers.inputs import MAX_NAME_LENGTH, bounded, e164, known_locale, ref_of
from resolvers.messages import DEFAULT_LOCALE
from resolvers.once import once
from schema.asked import asked_below
from schema.members import (
    Member,
    RegisterMemberInput,
    RegisterMemberResult,
    RegisterMemberSuccess,
    SetMemberTagsInput,
    SetMemberTagsResult,
    SetMemberTagsSuccess,
    Tier,
    load_member,
)
from schema.node_ids import NodeType, expect_id


@strawberry.type
class MembersQuery:
    @strawberry.field(description="The member of a member's token; null for every other caller.")
    async def me(self, info: Info) -> Member | None:
        """The viewer as a member."""
        principal = info.context.principal
        if principal is None or principal.member_id is None:
            return None
        return await member_asked(info, principal.member_id)

    @strawberry.field(description="A member, for operators and services; null when there is none.")
    async def member(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of a Member.")]
    ) -> Member | None:
        """A member by id."""
        return await member_asked(info, MemberId(expect_id(id, NodeType.Member, argument="id").id))


@strawberry.type
class MembersMutation:
    @strawberry.mutation(description="Makes a member known under its external reference, or completes it.")
    async def register_member(self, info: Info, input: RegisterMemberInput) -> RegisterMemberResult:
        """Registers a member."""
        command = RegisterMember(
            external_ref=ref_of(input.external_ref),
            display_name=input.display_name
            and bounded(input.display_name, MAX_NAME_LENGTH, argument="input.displayName"),
            phone=input.phone and e164(input.phone, argument="input.phone"),
            birthday=input.birthday,
            locale=known_locale(input.locale or DEFAULT_LOCALE, argument="input.locale"),
            once=once(info, input),
        )
        done = await register_member(command, begin=info.context.begin)
        info.context.forget()
        member = await member_by_id(info, done.result.member_id)
        assert member is not None, "a registered member is there to be read by who registered it"
        return RegisterMemberSuccess(member=member, replayed=done.replayed)

    @strawberry.mutation(description="Marks a member with tags, which conditions of use may ask for.")
    async def set_member_tags(self, info: Info, input: SetMemberTagsInput) -> SetMemberTagsResult:
        """Sets a member's tags."""
        command = SetMemberTags(
            member_id=MemberId(expect_id(input.member_id, NodeType.Member, argument="input.memberId").id),
            tags=read_tags(input.tags, argument="input.tags"),
            once=once(info, input),
        )
        done = await set_member_tags(command, begin=info.context.begin)
        info.context.forget()
        member = await member_by_id(info, done.result.member_id)
        assert member is not None, "whom one may mark one may read"
        return SetMemberTagsSuccess(member=member, replayed=done.replayed)


def member_asked(info: Info, member_id: MemberId) -> Coroutine[Any, Any, Member | None]:
    """A member within the caller's scope, with what is asked of it; to be awaited."""
    return load_member(info.context, member_id, asked=asked_below(info), variables=info.variable_values)


async def member_by_id(info: Info, member_id: MemberId) -> Member | None:
    """A member within the caller's scope."""
    member = await info.context.load.members.load(member_id)
    return None if member is None else Member.from_domain(member)


async def tier_by_id(info: Info, tier_id: UUID) -> Tier | None:
    """A tier of the programme."""
    found = next((tier for tier in DEFAULT_PROGRAMME.tiers if tier.id == tier_id), None)
    return None if found is None else Tier.from_domain(found, locale=info.context.locale)
