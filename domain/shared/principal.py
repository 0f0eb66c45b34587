"""Who is asking, and how far that reaches."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from uuid import UUID, uuid5

from domain.shared.ids import MemberId, MerchantId, StoreId

_CALLERS = UUID("6f1d0c3e-5f0a-5c5e-9b1e-0d5a3c7e9a11")


class Role(Enum):
    """What a caller acts as; one caller may hold several."""

    MEMBER = "MEMBER"
    MERCHANT = "MERCHANT"
    OPERATOR = "OPERATOR"
    SERVICE = "SERVICE"


class MerchantRole(Enum):
    """What a merchant's staff may do: a till redeems, a manager also plans campaigns, an owner does all."""

    OWNER = "OWNER"
    MANAGER = "MANAGER"
    TILL = "TILL"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows a statement may touch. Every statement on an owned table carries one in its WHERE.

    `everything` is for operators, services and the system's own jobs; otherwise the rows of `member_id` and of
    `merchant_ids` alone.
    """

    everything: bool
    member_id: MemberId | None
    merchant_ids: tuple[MerchantId, ...]

    @property
    def is_public(self) -> bool:
        """Whether it reaches nothing of any merchant's that is not for all to see."""
        return not self.everything and not self.merchant_ids

    @staticmethod
    def system() -> "Scope":
        """The scope of the system's own work: relay, sweeps, migrations, demo data."""
        return Scope(everything=True, member_id=None, merchant_ids=())

    @staticmethod
    def nobody() -> "Scope":
        """The scope of an anonymous caller: public rows alone."""
        return Scope(everything=False, member_id=None, merchant_ids=())

    @staticmethod
    def of_member(member_id: MemberId) -> "Scope":
        """The rows of one member."""
        return Scope(everything=False, member_id=member_id, merchant_ids=())


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. Empty `store_ids` means every store of its merchants."""

    subject: str
    issuer: str
    roles: frozenset[Role]
    merchant_ids: frozenset[MerchantId] = frozenset()
    store_ids: frozenset[StoreId] = frozenset()
    merchant_role: MerchantRole | None = None
    member_id: MemberId | None = None
    expires_at: datetime | None = None
    scope: Scope = field(init=False, repr=False, compare=False)
    """What this caller's statements may reach."""

    def __post_init__(self) -> None:
        """Works out the scope: a principal is remembered with its token, and asked for it by every statement."""
        object.__setattr__(self, "scope", self._scope())

    @property
    def caller_id(self) -> UUID:
        """Under which this caller's idempotency keys live: the member's id, or one made of issuer and subject."""
        if self.member_id is not None:
            return self.member_id
        return uuid5(_CALLERS, f"{self.issuer}\n{self.subject}")

    def _scope(self) -> Scope:
        if self.roles & {Role.OPERATOR, Role.SERVICE}:
            return Scope.system()
        return Scope(
            everything=False,
            member_id=self.member_id,
            merchant_ids=tuple(sorted(self.merchant_ids)) if Role.MERCHANT in self.roles else (),
        )

    @property
    def managing_scope(self) -> Scope:
        """What this caller may plan and publish: as `scope`, but a till plans nothing of its merchants'."""
        if self.merchant_role is not MerchantRole.TILL:
            return self.scope
        return replace(self.scope, merchant_ids=())
