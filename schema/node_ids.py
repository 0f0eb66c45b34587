"""Node ids: opaque, global, and sufficient to find the row in its partition.

An id is base64url of one byte for the type and one or two UUIDs; what a member owns carries the member's id too.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

import strawberry

from domain.shared.errors import BadUserInput
from domain.shared.ids import MemberId

_UUID_BYTES: Final = 16
_OWNED_LENGTH: Final = 44  # characters for 33 bytes


class NodeType(IntEnum):
    """Every type that has a Node id. The number is part of ids that clients hold: never change or reuse one."""

    Member = 1
    Merchant = 2
    Store = 3
    Campaign = 4
    CouponTemplate = 5
    Coupon = 6
    Redemption = 7
    PointsAccount = 8
    PointsLot = 9
    PointsTransaction = 10
    Tier = 11
    Reward = 12
    Reservation = 13


_OWNED_TYPES: Final = frozenset(
    {
        NodeType.Coupon,
        NodeType.Redemption,
        NodeType.Reservation,
        NodeType.PointsLot,
        NodeType.PointsTransaction,
    }
)


# By the number of the type: to look an enum up in a dict or a set runs Python for its hash.
_HEADS: Final = [bytes((number,)) for number in range(max(NodeType) + 1)]
_OWNED: Final = [number in _OWNED_TYPES for number in range(max(NodeType) + 1)]
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class NodeRef:
    """What an id says: the type, the thing, and for what a member owns the member."""

    type: NodeType
    id: UUID
    member_id: UUID | None = None

    @property
    def owner(self) -> MemberId:
        """The member who owns the thing; ids of owned types always say."""
        assert self.member_id is not None, "an owned thing's id names its member"
        return MemberId(self.member_id)


def node_id(node_type: NodeType, key: UUID, *, member_id: UUID | None = None) -> strawberry.ID:
    """The public id of a thing."""
    assert _OWNED[node_type] is (member_id is not None), "what a member owns, and only that, names its member"
    if member_id is not None:
        return owned_node_id(node_type, key, member_id=member_id)
    raw = _HEADS[node_type] + key.bytes
    return strawberry.ID(binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode())


def owned_node_id(node_type: NodeType, key: UUID, *, member_id: UUID) -> strawberry.ID:
    """The public id of what a member owns: 33 bytes, which need no padding."""
    raw = _HEADS[node_type] + member_id.bytes + key.bytes
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode()  # type: ignore[return-value]


def owned_node_ids(node_type: NodeType, keys: Sequence[bytes], *, member_id: UUID) -> Sequence[strawberry.ID]:
    """The public ids of what one member owns, of the bytes of its ids: one text, each is 44 characters of it."""
    if not keys:
        return ()
    head = _HEADS[node_type] + member_id.bytes
    text = binascii.b2a_base64(head + head.join(keys), newline=False).translate(_URL_SAFE)
    shown: Any = text.decode()
    return [shown[place : place + _OWNED_LENGTH] for place in range(0, len(shown), _OWNED_LENGTH)]


def read_node_id(text: str) -> NodeRef | None:
    """What an id says, or None when it is no id of ours."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw or raw[0] not in NodeType._value2member_map_:
        return None
    node_type, keys = NodeType(raw[0]), raw[1:]
    if len(keys) != _UUID_BYTES * (2 if _OWNED[node_type] else 1):
        return None
    ref = NodeRef(
        type=node_type,
        id=UUID(bytes=keys[-_UUID_BYTES:]),
        member_id=UUID(bytes=keys[:_UUID_BYTES]) if _OWNED[node_type] else None,
    )
    # One thing has one id: base64 tolerates stray bits at its end, we do not.
    return ref if node_id(ref.type, ref.id, member_id=ref.member_id) == text else None


def expect_id(text: str, node_type: NodeType, *, argument: str) -> NodeRef:
    """What an id argument says; BAD_USER_INPUT names the argument when it is not an id of this type."""
    ref = read_node_id(text)
    if ref is None or ref.type is not node_type:
        raise BadUserInput(f"{argument} is not the id of a {node_type.name}", path=argument.split("."))
    return ref
