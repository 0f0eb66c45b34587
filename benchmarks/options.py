"""How much is measured, and for how long."""

from dataclasses import dataclass

from benchmarks.seeds import FULL, SMALL, SMALL_TENTH, TENTH, Size


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    size: Size
    tenth: Size
    rounds: int
    seconds: float
    callers: int
    claimers: int
    sockets: int
    in_flight: int


def real(*, rounds: int = 5, seconds: float = 4.0) -> Options:
    """What the published figures are measured with."""
    return Options(
        size=FULL, tenth=TENTH, rounds=rounds, seconds=seconds, callers=1_000, claimers=4_000, sockets=5_000,
        in_flight=1_000,
    )  # fmt: skip


def small(*, rounds: int = 1, seconds: float = 1.0) -> Options:
    """Enough to see that it runs."""
    return Options(
        size=SMALL, tenth=SMALL_TENTH, rounds=rounds, seconds=seconds, callers=100, claimers=500, sockets=100,
        in_flight=100,
    )  # fmt: skip
