"""What can be done with members."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from domain.members.model import Member, MemberRegistered, MemberTagged, NothingPersonal
from domain.members.ports import MembersTransaction
from domain.shared.errors import NotFound
from domain.shared.idempotency import Done, Once, do_once
from domain.shared.ids import MemberId

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[MembersTransaction]]


@dataclass(frozen=True, slots=True)
class RegisterMember:
    """Makes a member known, or completes one that its own token had already made known."""

    external_ref: str
    display_name: str | None
    phone: str | None
    birthday: date | None
    locale: str
    once: Once


async def register_member(command: RegisterMember, *, begin: Begin) -> Done[MemberRegistered]:
    """Registers a member under its external reference; one that exists is completed, never doubled.

    Refusals: IdempotencyKeyReused.
    """

    async def decide(tx: MembersTransaction) -> MemberRegistered:
        member_id = await _ensure(tx, external_ref=command.external_ref, locale=command.locale)
        await tx.members.fill_in(
            member_id,
            display_name=command.display_name,
            phone=command.phone,
            birthday=command.birthday,
            locale=command.locale,
        )
        return MemberRegistered(member_id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=MemberRegistered)


@dataclass(frozen=True, slots=True)
class SetMemberTags:
    """Marks a member with these tags, in place of those that it had."""

    member_id: MemberId
    tags: tuple[str, ...]
    once: Once


async def set_member_tags(command: SetMemberTags, *, begin: Begin) -> Done[MemberTagged]:
    """Sets the tags that conditions of use may ask for. Orders that are paid keep what they were paid with.

    Refusals: NotFound, IdempotencyKeyReused.
    """

    async def decide(tx: MembersTransaction) -> MemberTagged:
        if await tx.members.lock_or_none(command.member_id) is None:
            raise NotFound("Member")
        await tx.members.set_tags(command.member_id, tags=command.tags)
        return MemberTagged(command.member_id, command.tags)

    return await do_once(command.once, begin=begin, decide=decide, result_type=MemberTagged)


async def recognise_member(external_ref: str, *, locale: str, begin: Begin) -> MemberId:
    """The member of a valid token: an unknown one is registered on first sight.

    Refusals: none.
    """
    async with begin() as tx:
        return await _ensure(tx, external_ref=external_ref, locale=locale)


async def _ensure(tx: MembersTransaction, *, external_ref: str, locale: str) -> MemberId:
    known = await tx.members.find_by_ref(external_ref)
    if known is not None:
        return known
    member_id = MemberId(tx.ids.new())
    member = Member(
        id=member_id,
        external_ref=external_ref,
        personal=NothingPersonal(),
        locale=locale,
        joined_at=tx.now,
    )
    if await tx.members.add(member):
        return member_id
    # Two first sights at once: the unique reference let one through, and its row is committed by now.
    winner = await tx.members.find_by_ref(external_ref)
    assert winner is not None, "a taken reference is there to be read"
    return winner
