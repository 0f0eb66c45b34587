"""Recommendations: which candidates, by which rule they are ranked."""

from domain.recommendations.model import Placement, Recommendations
from domain.recommendations.rules.popularity import rank
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from schema.context import Reads


async def recommend(
    reads: Reads, *, member_id: MemberId, placement: Placement, limit: int, scope: Scope
) -> Recommendations:
    """What to show a member next: what it could take now, the most taken first."""
    candidates = await reads.recommendations.candidates(member_id, placement=placement, limit=limit, scope=scope)
    return rank(candidates, limit=limit)
