"""What the recommendations slice needs of the world."""

from collections.abc import Sequence
from typing import Protocol

from domain.recommendations.model import Candidate, Placement
from domain.shared.ids import MemberId
from domain.shared.principal import Scope


class RecommendationReads(Protocol):
    """Candidates, read. What the member may not have is not among them."""

    async def candidates(
        self, member_id: MemberId, *, placement: Placement, limit: int, scope: Scope
    ) -> Sequence[Candidate]:
        """What the member could take now, the most taken first: coupons everywhere, rewards and campaigns at home."""
        ...
