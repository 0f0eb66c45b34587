"""How coupons get to members besides claims: batches 批量发放 that are issued, codes 兑换码 that are redeemed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from domain.coupons.errors import ClaimLimitReached, Ended, NotStarted, SoldOut
from domain.coupons.model import Coupon
from domain.shared.errors import NotFound, Refusal
from domain.shared.ids import CouponId, MemberId, TemplateId

# What a row of a batch may be refused with.
ROW_REFUSALS: Final[tuple[type[Refusal], ...]] = (NotFound, NotStarted, Ended, ClaimLimitReached, SoldOut)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as far as it is done: rows have their answers in the order in which they were given."""

    input_hash: bytes
    total: int
    done: int


@dataclass(frozen=True, slots=True)
class IssueProgress:
    """How many rows of a batch have their answer, and when the last of these got it."""

    key: str
    total: int
    done: int
    changed_at: datetime


Decided: TypeAlias = tuple[MemberId, CouponId | Refusal]
"""A row's member, and what was decided for it."""


@dataclass(frozen=True, slots=True)
class IssueOutcome:
    """A row's answer: the coupon, or why there is none."""

    member_id: MemberId
    answer: Coupon | Refusal


@dataclass(frozen=True, slots=True)
class CouponsIssued:
    """The result of a batch; its answers are kept row by row."""

    total: int


@dataclass(frozen=True, slots=True)
class IssuedBatch:
    """The answers of a batch, one per row, in order; `replayed`: all of them had been given before."""

    outcomes: tuple[IssueOutcome, ...]
    replayed: bool


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code to store: `code` is what is compared, `printed` what people see."""

    id: UUID
    code: str
    printed: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class CouponCode:
    """A code of a template: it works `uses_limit` times, once for each member, before `expires_at` (None: for ever)."""

    id: UUID
    template_id: TemplateId
    printed: str
    uses_limit: int
    uses: int
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CodesCreated:
    """The result of making codes: they are those of the template that were made at this instant."""

    template_id: TemplateId
    created_at: datetime
    count: int
