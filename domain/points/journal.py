"""The double-entry journal of points: every entry's postings sum to zero, and a balance is a sum of postings.

A member's accounts are AVAILABLE, PENDING and DEBT (whose balance is negative while something is owed); the
programme's are where points come from and go to. Lots mirror AVAILABLE: what an entry puts into a lot, less what it
draws from lots, is what it does to AVAILABLE.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from domain.shared.ids import LotId
from domain.shared.money import SAFE_INT_MAX


class Account(Enum):
    """Where points are. The first three are the member's, the others the programme's."""

    AVAILABLE = "AVAILABLE"
    PENDING = "PENDING"
    DEBT = "DEBT"
    ISSUED = "ISSUED"
    SPENT = "SPENT"
    EXPIRED = "EXPIRED"
    ADJUSTED = "ADJUSTED"


class EntryKind(Enum):
    """Why points moved. PENDING is a promise that may still be withdrawn, and no transaction that a member sees."""

    PENDING = "PENDING"
    EARN = "EARN"
    SPEND = "SPEND"
    EXPIRE = "EXPIRE"
    REFUND = "REFUND"
    CLAWBACK = "CLAWBACK"
    ADJUST = "ADJUST"


class UnbalancedEntry(ValueError):
    """Postings that create or lose points: a bug, never a refusal."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Points that were earned together and expire together; None: never."""

    id: LotId
    remaining: int
    earned_at: datetime
    expires_at: datetime | None = None

    def is_expired(self, at: datetime) -> bool:
        """Whether its points may not be spent any more."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, slots=True)
class Posting:
    """Points into (positive) or out of (negative) one account."""

    account: Account
    points: int


@dataclass(frozen=True, slots=True)
class Draw:
    """Points taken from one lot; negative in a REFUND, which gives them back to it."""

    lot_id: LotId
    points: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of points: balanced postings, the draws it makes on lots, and what it puts into a new lot."""

    kind: EntryKind
    postings: tuple[Posting, ...]
    draws: tuple[Draw, ...] = ()
    lot_points: int = 0

    def __post_init__(self) -> None:
        """Refuse what does not balance: UnbalancedEntry."""
        accounts = [posting.account for posting in self.postings]
        if len(set(accounts)) < len(accounts) or any(posting.points == 0 for posting in self.postings):
            raise UnbalancedEntry("an entry posts once to an account, and never nothing")
        if sum(posting.points for posting in self.postings) != 0:
            raise UnbalancedEntry("the postings of an entry sum to zero")
        drawn = sum(draw.points for draw in self.draws)
        gives_back = self.kind is EntryKind.REFUND
        if any(draw.points == 0 or (draw.points < 0) != gives_back for draw in self.draws):
            raise UnbalancedEntry("an entry draws from lots, and a refund gives back to them")
        if self.lot_points < 0 or self.lot_points - drawn != self.delta:
            raise UnbalancedEntry("lots mirror what is available")
        if any(abs(posting.points) > SAFE_INT_MAX for posting in self.postings):
            raise UnbalancedEntry("a posting is a safe integer")

    @property
    def delta(self) -> int:
        """What it does to the available balance."""
        return self.on(Account.AVAILABLE)

    def on(self, account: Account) -> int:
        """What it does to one account."""
        return sum(posting.points for posting in self.postings if posting.account is account)


def entry(
    kind: EntryKind, *, draws: tuple[Draw, ...] = (), lot_points: int = 0, postings: tuple[tuple[Account, int], ...]
) -> Entry:
    """An entry of these movements; movements of nothing are left out."""
    moved = tuple(Posting(account, points) for account, points in postings if points)
    return Entry(kind, moved, draws, lot_points)
