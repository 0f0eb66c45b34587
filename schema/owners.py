"""What conditions of use ask of the member whose coupons are looked at: read once in a request, and shown to nobody."""

from dataclasses import dataclass

from domain.coupons.facts import Owner, Unasked
from domain.shared.ids import MemberId
from schema.context import Context


@dataclass(frozen=True, slots=True)
class LoadedFacts:
    """The facts of members as the request has loaded them, within the viewer's scope."""

    context: Context

    async def facts_of(self, member_id: MemberId) -> Owner:
        """The member's facts; hidden from a viewer who may not see the member."""
        return await self.context.load.facts_of_members.load(member_id) or Unasked.HIDDEN
