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
        self._best = [0.0] * len(rivals.family)
        self._sums = [[0.0] * len(sets) for sets in rivals.sets]
        self._held = [0.0] * len(rivals.sets)
        self._gains = [0.0] * len(rivals.sets)
        self.gained = 0.0

    def hold(self, number: int, cost: float) -> None:
        """One that acts."""
        self._held[self._rivals.family[self._rivals.of[number]]] += cost
        self._weigh(number, cost)

    def offer(self, number: int, most: float) -> None:
        """One that does not, and may come in."""
        self._weigh(number, most)

    def gained_with(self, number: int, most: float = 0.0) -> float:
        """What is gained in all where this one comes in: those that it does not go with do not act then.

        Its own amount, `most`, counts where it is one of a class of which one acts; of others it is in the class's.
        """
        rivals, of = self._rivals, self._rivals.of[number]
        family, own = rivals.family[of], self._best[of]
        sums = self._sums[family]
        best = max([sums[place] for place in rivals.within[of]])
        if not rivals.friendly[of]:
            best += most - own
        return self.gained - self._gains[family] + best - self._held[family]

    def _weigh(self, number: int, weight: float) -> None:
        rivals, of = self._rivals, self._rivals.of[number]
        before = self._best[of]
        if self._crowded:
            self._weights.setdefault(of, []).append((weight, self._candidates[number]))
            best = self._best_of(of)
        elif rivals.friendly[of]:
            best = before + weight if weight > 0.0 else before
        else:
            best = max(before, weight)
        family = rivals.family[of]
        sums = self._sums[family]
        if best != before:
            self._best[of] = best
            for place in rivals.within[of]:
                sums[place] += best - before
        gain = max(sums) - self._held[family]
        gain = max(0.0, gain)
        self.gained += gain - self._gains[family]
        self._gains[family] = gain

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
