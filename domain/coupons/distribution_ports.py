"""What issuing coupons in batches and redeeming codes need of the world."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from domain.coupons.distribution import (
    Batch,
    CouponCode,
    Decided,
    IssueOutcome,
    IssueProgress,
    NewCode,
)
from domain.coupons.ports import CouponsTransaction
from domain.shared.idempotency import Once
from domain.shared.ids import CouponId, MemberId, TemplateId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope


class Issues(Protocol):
    """Batches of coupons that are issued, each its caller's, under the key of its mutation."""

    async def start(self, once: Once, *, template_id: TemplateId, reason: str, total: int) -> None:
        """Notes a batch of which nothing is done; nothing happens where it is noted already."""
        ...

    async def lock(self, once: Once) -> Batch | None:
        """The batch, locked; none where it was not started."""
        ...

    async def recipients(self, member_ids: Collection[MemberId], *, scope: Scope) -> frozenset[MemberId]:
        """Those of the members to whom a caller of this scope may issue: a merchant, to who has used a coupon there."""
        ...

    async def answer(self, once: Once, *, first: int, decided: Sequence[Decided]) -> None:
        """Stores the answers of the rows from place `first` on, and that they are done."""
        ...

    async def outcomes(self, once: Once) -> Sequence[IssueOutcome]:
        """The answers of all rows, in their order; coupons as they are now."""
        ...


class Codes(Protocol):
    """Codes that members redeem for coupons, and their tries."""

    async def add(self, codes: Sequence[NewCode], *, template_id: TemplateId, uses_limit: int) -> frozenset[str]:
        """Stores codes; returns those that were stored: what there is already is left as it is."""
        ...

    async def of_batch(self, template_id: TemplateId, *, created_at: datetime) -> Sequence[str]:
        """The codes of a template that were made at that instant, as they are printed, in order."""
        ...

    def choose(self, alphabet: str) -> str:
        """One of these characters, as nobody can foretell."""
        ...

    async def find(self, code: str) -> CouponCode | None:
        """A code of a published template, as it is now; not locked, the stock of its template is."""
        ...

    async def used_by(self, code_id: UUID, *, member_ids: Collection[MemberId]) -> frozenset[MemberId]:
        """Those of the members who have used the code."""
        ...

    async def use(self, code_id: UUID, *, coupons: Mapping[MemberId, CouponId]) -> None:
        """Counts the uses of a code that has as many left, with the coupon that each member got."""
        ...

    async def attempt(
        self, member_ids: Collection[MemberId], *, most: int, within: timedelta
    ) -> Mapping[MemberId, datetime]:
        """Counts a try of each that may fail; of whom none was counted, from when on there may be another.

        The members' tries are locked, in their order.
        """
        ...

    async def forgive(self, member_ids: Collection[MemberId]) -> None:
        """Takes back the last try of each that was counted."""
        ...


class DistributionTransaction(CouponsTransaction, Protocol):
    """A transaction of issuing and of codes."""

    @property
    def issues(self) -> Issues:
        """The batches."""
        ...

    @property
    def codes(self) -> Codes:
        """The codes."""
        ...


class DistributionReads(Protocol):
    """Batches and codes, read."""

    async def issue_progress(self, *, caller_id: UUID, key: str) -> IssueProgress | None:
        """How far the caller's batch under this key is."""
        ...

    async def codes_of(
        self, template_ids: Sequence[TemplateId], *, page: PageRequest, scope: Scope
    ) -> Mapping[TemplateId, Page[CouponCode]]:
        """The same page of each template's codes, the newest first, where the scope manages them."""
        ...
