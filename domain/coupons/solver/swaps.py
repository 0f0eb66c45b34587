"""What is gained at most where other coupons come into a way, and those that they do not go with leave it."""

from collections.abc import Sequence

from domain.coupons.solver.candidates import Candidate
from domain.coupons.solver.rivals import Rivals


class Swaps:
    """Built from the end of a way to its beginning: coupons that act, with what leaving them out costs, and others.

    Of each family one set of classes acts. What leaving out the way's own costs is held; what another set has more is a
    gain.
    """

    def __init__(self, rivals: Rivals, *, candidates: Sequence[Candidate], crowded: frozenset[int]) -> None:
        self._rivals = rivals
        self._candidates = candidates
        self._crowded = crowded
        self._weights: dict[int, list[tuple[float, Candidate]]] = {}
        self._best: dict[int, float] = {}
        self._held: dict[int, float] = {}
        self._gains: dict[int, float] = {}
        self._besides: dict[int, float] = {}
        self.gained = 0.0

    def hold(self, number: int, cost: float) -> None:
        """One that acts."""
        family = self._rivals.family[self._rivals.of[number]]
        self._held[family] = self._held.get(family, 0.0) + cost
        self._weigh(number, cost)

    def offer(self, number: int, most: float) -> None:
        """One that does not, and may come in."""
        self._weigh(number, most)

    def gained_with(self, number: int) -> float:
        """What is gained besides where this one comes in: those that it does not go with do not act then."""
        rivals, of = self._rivals, self._rivals.of[number]
        family, best = rivals.family[of], self._beside(of)
        if rivals.friendly[of]:
            best += self._best.get(of, 0.0)
        return self.gained - self._gains.get(family, 0.0) + best - self._held.get(family, 0.0)

    def gained_at_most_with(self, number: int, most: float) -> float:
        """What is gained in all where this one comes in somewhere, when all is known."""
        rivals, of = self._rivals, self._rivals.of[number]
        family, best = rivals.family[of], self._beside(of)
        best += self._best.get(of, 0.0) if rivals.friendly[of] else most
        return self.gained - self._gains.get(family, 0.0) + best - self._held.get(family, 0.0)

    def _beside(self, of: int) -> float:
        """What is best of the other classes that may act with this one; it is asked for again and again."""
        known = self._besides.get(of)
        if known is None:
            sets = self._rivals.sets[self._rivals.family[of]]
            totals = [sum([self._best.get(other, 0.0) for other in one if other != of]) for one in sets if of in one]
            known = self._besides[of] = max(totals)
        return known

    def _weigh(self, number: int, weight: float) -> None:
        rivals, of = self._rivals, self._rivals.of[number]
        if self._crowded:
            self._weights.setdefault(of, []).append((weight, self._candidates[number]))
            self._best[of] = self._best_of(of)
        elif rivals.friendly[of]:
            self._best[of] = self._best.get(of, 0.0) + max(0.0, weight)
        else:
            self._best[of] = max(self._best.get(of, 0.0), weight)
        family = rivals.family[of]
        best = max([sum([self._best.get(other, 0.0) for other in one]) for one in rivals.sets[family]])
        gain = max(0.0, best - self._held.get(family, 0.0))
        self.gained += gain - self._gains.get(family, 0.0)
        self._gains[family] = gain
        self._besides.clear()

    def _best_of(self, of: int) -> float:
        """What a class is worth where an order takes only so many of a template."""
        weights = sorted(self._weights[of], key=lambda one: -one[0])
        if not self._rivals.friendly[of]:
            return max(0.0, weights[0][0])
        total, counts = 0.0, dict[int, int]()
        for weight, candidate in weights:
            counts[candidate.template] = counts.get(candidate.template, 0) + 1
            if counts[candidate.template] <= candidate.at_most:
                total += max(0.0, weight)
        return total
