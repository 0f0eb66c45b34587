"""A coupon as lists show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, overload
from uuid import UUID

from domain.coupons.model import Coupon
from domain.coupons.offer import CouponState
from domain.members.model import Member
from domain.shared.ids import CouponId, MemberId, TemplateId
from domain.shared.paging import Page


@dataclass(frozen=True, slots=True)
class MemberWithWallet:
    """A member, and the page of its wallet that was read with it."""

    member: Member
    page: "Page[WalletEntry]"


class WalletEntry(Protocol):
    """A coupon in a list: what a reader looks at is there, the whole is put together when it is asked for.

    A `Coupon` is one. One that was read for a few of its names (`domain.coupons.ports.CouponReads.wallet_page`) has
    those alone; `id`, `member_id`, `template_id` and `state` are always there.
    """

    @property
    def id(self) -> CouponId:
        """Which coupon."""
        ...

    @property
    def member_id(self) -> MemberId:
        """Whose."""
        ...

    @property
    def template_id(self) -> TemplateId:
        """What it is a coupon of."""
        ...

    @property
    def state(self) -> CouponState:
        """Its state at the instant of the read."""
        ...

    @property
    def code(self) -> str:
        """What a person can read out."""
        ...

    @property
    def claimed_at(self) -> datetime:
        """When it was claimed."""
        ...

    @property
    def valid_from(self) -> datetime:
        """It can be used from this instant."""
        ...

    @property
    def valid_until(self) -> datetime:
        """Until before this instant."""
        ...

    @property
    def whole(self) -> Coupon:
        """All of it."""
        ...


class ListedEntry:
    """An entry of a list that was read by column: it has what was read."""

    __slots__ = ("claimed_at", "code", "id", "member_id", "state", "template_id", "valid_from", "valid_until")

    id: CouponId
    member_id: MemberId
    template_id: TemplateId
    state: CouponState
    code: str
    claimed_at: datetime
    valid_from: datetime
    valid_until: datetime

    @property
    def whole(self) -> Coupon:
        """There is no more of it."""
        raise AssertionError("whoever looks at the whole says so before it is read")


class EntryColumns(Sequence[ListedEntry]):
    """The entries of one member by column: each name that was read with its values in order.

    Ids are there as their bytes. An entry is made when it is looked at. (typing.override is not in the standard library
    of Python 3.11, hence the ignored errors.)
    """

    __slots__ = ("_columns", "ids", "member_id", "template_ids")

    def __init__(
        self, member_id: MemberId, *, ids: Sequence[bytes], template_ids: Sequence[bytes], more: Mapping[str, Any]
    ) -> None:
        self.member_id = member_id
        self.ids = ids
        self.template_ids = template_ids
        self._columns = more

    def column(self, name: str) -> Sequence[Any] | None:
        """The values of a name that is no id; None for one that was not read."""
        return self._columns.get(name)

    def __len__(self) -> int:  # type: ignore[explicit-override]
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> ListedEntry: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[ListedEntry]: ...
    def __getitem__(self, place: int | slice) -> ListedEntry | Sequence[ListedEntry]:  # type: ignore[explicit-override]
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        entry = ListedEntry()
        entry.id = CouponId(UUID(bytes=self.ids[place]))
        entry.member_id = self.member_id
        entry.template_id = TemplateId(UUID(bytes=self.template_ids[place]))
        for name, values in self._columns.items():
            setattr(entry, name, values[place])
        return entry
