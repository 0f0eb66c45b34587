"""The moves that a campaign may make."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from domain.campaigns.model import CampaignState as State

MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.DRAFT: frozenset({State.SCHEDULED, State.RUNNING, State.ENDED}),
    State.SCHEDULED: frozenset({State.DRAFT, State.RUNNING, State.PAUSED, State.ENDED}),
    State.RUNNING: frozenset({State.PAUSED, State.ENDED}),
    State.PAUSED: frozenset({State.RUNNING, State.ENDED}),
    State.ENDED: frozenset(),
}


def state_at(state: State, *, starts_at: datetime, ends_at: datetime, now: datetime) -> State:
    """Where a campaign stands at an instant: its period `[starts_at, ends_at)` moves it without anybody's doing."""
    if state is not State.DRAFT and now >= ends_at:
        return State.ENDED
    if state is State.SCHEDULED and now >= starts_at:
        return State.RUNNING
    return state


def may_move(current: State, *, to: State) -> bool:
    """Whether the move is legal."""
    return to in MOVES[current]
