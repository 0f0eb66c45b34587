"""By popularity: what most members have taken comes first. It uses nothing of the member that looks."""

from collections.abc import Sequence
from typing import Final

from domain.recommendations.model import Candidate, Recommendation, Recommendations
from domain.shared.text import Text

VERSION: Final = "popularity-1"

_NEW: Final = Text("新上架", "New")


def rank(candidates: Sequence[Candidate], *, limit: int) -> Recommendations:
    """The most taken first, ties in the order given; the score is the share of the most taken's count."""
    most = max((c.taken for c in candidates), default=0)
    ordered = sorted(candidates, key=lambda c: -c.taken)[:limit]
    return Recommendations(
        items=tuple(Recommendation(c.subject, c.taken / most if most else 0.0, _reason(c.taken)) for c in ordered),
        personalized=False,
        model_version=VERSION,
    )


def _reason(taken: int) -> Text:
    if not taken:
        return _NEW
    return Text(f"已有{taken}人领取", f"Taken by {taken} members" if taken > 1 else "Taken by one member")
