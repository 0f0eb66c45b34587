"""Events: history, push and outbox in one row, numbered without a gap per owner and stream."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.shared.events import JSON, Event
from domain.shared.principal import Scope
from persistence.base import (
    Conn,
    Statement,
    array_text,
    arrays,
    columns_of,
    insert_rows,
    metadata,
    scope_params,
    within_scope,
)
from persistence.columns import document, instant, key, text, uuid, whole

streams = sa.Table(
    "streams", metadata, key("owner_id"), text("stream", primary=True), whole("sequence"), info={"owner": "both"}
)

events = sa.Table(
    "events",
    metadata,
    key("owner_id"),
    text("stream", primary=True),
    whole("sequence", primary=True),
    text("kind"),
    uuid("subject_id"),
    document("facts"),
    instant("occurred_at"),
    instant("published_at", null=True),
    info={"owner": "both"},
)
sa.Index(
    "events_unpublished_idx",
    events.c.occurred_at,
    events.c.owner_id,
    events.c.sequence,
    postgresql_where=events.c.published_at.is_(None),
)

_counted = arrays("counted", {"owner_id": sa.Uuid(), "stream": sa.Text(), "sequence": sa.BigInteger()})
_advance = pg.insert(streams).from_select(
    ["owner_id", "stream", "sequence"],
    sa.select(_counted.c.owner_id, _counted.c.stream, _counted.c.sequence)
    .where(within_scope(member=_counted.c.owner_id, merchant=_counted.c.owner_id))
    .order_by(_counted.c.owner_id, _counted.c.stream),
)
# Locks the stream rows in order and numbers what is about to be appended; by 0 it only locks.
ADVANCE_STREAMS = Statement(
    "advance_streams",
    _advance.on_conflict_do_update(
        index_elements=["owner_id", "stream"],
        set_={"sequence": streams.c.sequence + _advance.excluded.sequence},
    ).returning(streams.c.owner_id, streams.c.stream, streams.c.sequence),
)

_COLUMNS = ("owner_id", "stream", "sequence", "kind", "subject_id", "facts")
# An event goes to a member or to a merchant: the scope is held against both, at most one of them can match. What a till
# redeems is told to the member too, which is why events are appended under the system's scope.
INSERT_EVENTS = Statement(
    "insert_events",
    insert_rows(
        events,
        _COLUMNS,
        member="owner_id",
        merchant="owner_id",
        constants={
            "occurred_at": sa.func.coalesce(sa.bindparam("occurred_at", type_=events.c.occurred_at.type), sa.func.now())
        },
    ),
)


_of_stream = arrays("counted", {"owner_id": sa.Uuid(), "sequence": sa.BigInteger()}, as_text=("sequence",))
_STREAM = sa.bindparam("stream", type_=sa.Text)
_advance_one = pg.insert(streams).from_select(
    ["owner_id", "stream", "sequence"],
    sa.select(_of_stream.c.owner_id, _STREAM, _of_stream.c.sequence)
    .where(within_scope(member=_of_stream.c.owner_id, merchant=_of_stream.c.owner_id))
    .order_by(_of_stream.c.owner_id),
)
# The same as ADVANCE_STREAMS where all events are of one stream.
ADVANCE_STREAM = Statement(
    "advance_stream",
    _advance_one.on_conflict_do_update(
        index_elements=["owner_id", "stream"],
        set_={"sequence": streams.c.sequence + _advance_one.excluded.sequence},
    ).returning(streams.c.owner_id, streams.c.sequence),
)
INSERT_EVENTS_ALIKE = Statement(
    "insert_events_alike",
    insert_rows(
        events,
        ("owner_id", "sequence", "subject_id"),
        member="owner_id",
        merchant="owner_id",
        constants={
            "stream": _STREAM,
            "kind": sa.bindparam("kind", type_=sa.Text),
            "facts": sa.bindparam("facts", type_=pg.JSONB),
            "occurred_at": sa.func.coalesce(
                sa.bindparam("occurred_at", type_=events.c.occurred_at.type), sa.func.now()
            ),
        },
        as_text=("sequence",),
    ),
)
_by_number: Final = attrgetter("int")


class SqlEvents:
    """Appends events in the transaction of the write that caused them; `now` None is PostgreSQL's own instant of it."""

    def __init__(self, connection: Conn, *, now: datetime | None) -> None:
        self._connection = connection
        self._now = now

    async def lock(self, owner_ids: Collection[UUID], *, stream: str) -> None:
        """Takes the owners' streams, in order, before anything of theirs is decided."""
        await self._advance(Counter({(owner, stream): 0 for owner in owner_ids}))

    async def append(self, appended: Sequence[Event]) -> Sequence[int]:
        """Numbers and stores the events; returns their sequences in the order given."""
        if not appended:
            return []
        counts = Counter((e.owner_id, e.stream) for e in appended)
        last = await self._advance(counts)
        following = {k: last[k] - counts[k] for k in counts}
        rows = []
        for event in appended:
            place = (event.owner_id, event.stream)
            following[place] += 1
            rows.append(
                {
                    "owner_id": event.owner_id,
                    "stream": event.stream,
                    "sequence": following[place],
                    "kind": event.kind,
                    "subject_id": event.subject_id,
                    "facts": dict(event.facts),
                }
            )
        params = columns_of(rows, _COLUMNS) | {"occurred_at": self._now} | scope_params(Scope.system())
        stored = await INSERT_EVENTS.execute(self._connection, params)
        assert stored == len(rows), "every event is stored"
        return [int(str(r["sequence"])) for r in rows]

    async def append_alike(
        self,
        owner_ids: Sequence[UUID],
        *,
        stream: str,
        kind: str,
        subject_ids: Sequence[UUID],
        facts: Mapping[str, JSON] | None = None,
    ) -> None:
        """Numbers and stores events of one kind and the same facts on one stream: to each owner of its subject."""
        if not owner_ids:
            return
        system = scope_params(Scope.system())
        counts = Counter(owner_ids)
        # In order of the owner, as `_advance`.
        ordered = sorted(counts, key=_by_number)
        advanced = {
            "owner_id": ordered,
            "sequence": array_text([counts[owner] for owner in ordered]),
            "stream": stream,
            **system,
        }
        rows = await ADVANCE_STREAM.fetch(self._connection, advanced)
        last: dict[UUID, int] = dict(rows)  # type: ignore[arg-type] # a record of two columns is a pair
        if len(counts) == len(owner_ids):
            sequences = [last[owner] for owner in owner_ids]
        else:
            following = {owner: last[owner] - counts[owner] for owner in counts}
            sequences = []
            for owner in owner_ids:
                following[owner] += 1
                sequences.append(following[owner])
        params = {
            "owner_id": owner_ids,
            "sequence": array_text(sequences),
            "subject_id": subject_ids,
            "stream": stream,
            "kind": kind,
            "facts": dict(facts or {}),
            "occurred_at": self._now,
            **system,
        }
        stored = await INSERT_EVENTS_ALIKE.execute(self._connection, params)
        assert stored == len(owner_ids), "every event is stored"

    async def _advance(self, counts: Counter[tuple[UUID, str]]) -> dict[tuple[UUID, str], int]:
        # In order, so that two transactions that touch the same streams wait for each other and never in a ring.
        # (UUIDs compare as their numbers do, which sort faster.)
        ordered = sorted(counts, key=lambda place: (place[0].int, place[1]))
        found = await ADVANCE_STREAMS.fetch(
            self._connection,
            {
                "owner_id": [owner for owner, _ in ordered],
                "stream": [stream for _, stream in ordered],
                "sequence": [counts[place] for place in ordered],
                **scope_params(Scope.system()),
            },
        )
        return {(r["owner_id"], r["stream"]): r["sequence"] for r in found}
