"""Ids that are written together are those that are written one by one; what is remembered of an instant is its text."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.node_ids import NodeRef, NodeType, owned_node_id, owned_node_ids, read_node_id
from schema.scalars import SCALARS

EARLIEST, LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)


def show(value: object) -> object:
    serialise = SCALARS[datetime].serialize
    assert serialise is not None
    return serialise(value)


@given(member_id=st.uuids(), keys=st.lists(st.uuids(), max_size=40))
def test_ids_written_together_are_those_written_one_by_one(member_id: UUID, keys: list[UUID]) -> None:
    together = owned_node_ids(NodeType.Coupon, [key.bytes for key in keys], member_id=member_id)
    assert list(together) == [owned_node_id(NodeType.Coupon, key, member_id=member_id) for key in keys]
    assert [read_node_id(each) for each in together] == [NodeRef(NodeType.Coupon, key, member_id) for key in keys]


@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_an_instant_reads_the_same_whichever_zone_it_comes_in(naive: datetime, minutes: int) -> None:
    """Instants that are equal share what is remembered of them, whatever their zone."""
    instant = min(max(naive.replace(tzinfo=UTC), EARLIEST), LATEST)
    elsewhere = instant.astimezone(timezone(timedelta(minutes=minutes)))
    for _ in range(2):
        assert show(elsewhere) == show(instant) == instant.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), "2026-01-01T00:00:00Z", None, 5, {}, []])  # noqa: DTZ001
def test_what_is_no_instant_is_refused(value: object) -> None:
    with pytest.raises(Exception, match=r"DateTime cannot represent|unhashable type"):
        show(value)
