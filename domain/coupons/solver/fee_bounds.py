"""What coupons on the shipping fee cost and gain: together they take the fee at most."""

from typing import Final

from domain.coupons.solver.candidates import How
from domain.coupons.solver.rivals import Rivals
from domain.coupons.solver.ways import Turn, Way

FEE: Final = How.FEE


class FeeBounds:
    """Those of one way."""

    def __init__(self, way: Way, *, rivals: Rivals) -> None:
        self._rivals = rivals
        self._fee_minor = way.start.stand.shipping
        self._turns = [turn for turn in way.turns if turn.candidate.how is FEE]
        self._nothing_left = not way.end.stand.shipping

    def cost(self, turn: Turn) -> float:
        """What leaving out this one costs, which acts: others may take what it took."""
        wanted, best = 0, dict[int, int]()
        for other in self._turns:
            most = min(other.candidate.cap_minor, self._fee_minor)
            if other is turn:
                continue
            if other.acts:
                wanted += most - other.off_minor
            elif self._nothing_left:
                of = self._rivals.of[other.number]
                before = best.get(of, 0)
                best[of] = before + most if self._rivals.friendly[of] else max(before, most)
        return float(max(0, turn.off_minor - wanted - sum(best.values())))

    def most(self, turn: Turn) -> float:
        """What is gained where this one comes in: nothing where nothing is left of the fee."""
        return 0.0 if self._nothing_left else float(min(turn.candidate.cap_minor, self._fee_minor))
