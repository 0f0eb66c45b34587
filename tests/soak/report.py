"""What a run found, honestly: a line for each scenario, and every broken promise in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

SHOWN: Final = 20


@dataclass(slots=True)
class Tally:
    """One scenario: how often it was played, what was answered, what of it was true."""

    scenario: str
    rounds: int = 0
    acknowledged: int = 0
    refused: int = 0
    verified: int = 0
    broken: list[str] = field(default_factory=list)
    longest_outage: float | None = None
    outcomes: Counter[str] = field(default_factory=Counter)

    def count(self, code: str) -> None:
        """One answer."""
        self.outcomes[code] += 1
        if code == "DONE":
            self.acknowledged += 1
        else:
            self.refused += 1

    def verify(self, what: str, *, holds: bool, answers: int = 1) -> None:
        """Whether so many answers are true."""
        if holds:
            self.verified += answers
        else:
            self.broken.append(f"{self.scenario}: {what}")

    def expect(self, what: str, *, holds: bool) -> None:
        """Whether a sum over all answers is right."""
        if not holds:
            self.broken.append(f"{self.scenario}: {what}")


def show(tallies: Sequence[Tally], *, console: Console) -> None:
    """The table, and what is broken."""
    table = Table(title="what was promised, and what is there")
    for name in ("scenario", "rounds", "acknowledged", "refused", "verified", "broken", "longest outage"):
        table.add_column(name, justify="left" if name == "scenario" else "right")
    for tally in tallies:
        outage = "-" if tally.longest_outage is None else f"{tally.longest_outage:.2f} s"
        figures = (tally.rounds, tally.acknowledged, tally.refused, tally.verified, len(tally.broken))
        table.add_row(tally.scenario, *(f"{figure:,}" for figure in figures), outage)
    console.print(table)
    for tally in tallies:
        for line in tally.broken[:SHOWN]:
            console.print(f"[red]broken[/red] {line}")
