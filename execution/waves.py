"""Batched loading: all keys that one level of a response asks of a loader go to it in one call."""

from asyncio import CancelledError, ensure_future, gather, shield
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError, located_error

from execution.info import path_keys
from execution.places import Batch, Complete, FieldPlace, PathTuple
from execution.sharing import Load, answers_of
from execution.state import Coroutine, State

# One value that is awaited from a loader: for which field of which parent, by which key, and where it goes.
# One that no loader is asked has the answer itself in its key's place.
Question = tuple[FieldPlace, Any, Any, dict[str, Any], PathTuple]


@dataclass(slots=True)
class Queue:
    """What one level asks of one loader; `gathers` where the loader itself waits for others to ask along."""

    loader_id: int
    load: Load
    gathers: bool
    questions: list[Question] = field(default_factory=list)


class Wave(State):
    """The state within a region whose fields are all plain or loaded in batches.

    The region is walked without waiting. What was asked on the way is loaded together, put in its places and walked
    in turn, until nothing is asked any more.
    """

    __slots__ = ("answered", "base", "is_alone", "loaders", "queues", "queues_of", "value")

    base: PathTuple | None
    is_alone: bool
    value: Any
    queues: dict[int, Queue]
    queues_of: dict[FieldPlace, list[Question]]
    loaders: dict[FieldPlace, Any]
    answered: list[Question]

    @classmethod
    def within(cls, state: State, *, base: PathTuple | None, is_alone: bool) -> "Wave":
        """A region below this path: alone, or along with others that may ask the same loaders."""
        wave = cls.__new__(cls)
        wave.operation = state.operation
        wave.given = state.given
        wave.variables = state.variables
        wave.context = state.context
        wave.root = state.root
        wave.errors = state.errors
        wave.error_positions = state.error_positions
        wave.hidden_errors = state.hidden_errors
        wave.gatherings = state.gatherings
        wave.base = base
        wave.is_alone = is_alone
        wave.value = None
        wave.queues = {}
        wave.queues_of = {}
        wave.loaders = {}
        wave.answered = []
        return wave

    def ask(self, place: FieldPlace, parent: Any, key: Any, into: dict[str, Any], path: PathTuple) -> None:
        """Ask for the field's value. No key, no value: that is null, in its turn."""
        if key is None:
            self.answered.append((place, parent, None, into, path))
            return
        questions = self.queues_of.get(place)
        if questions is None:
            questions = self.queues_of[place] = self._queue(place).questions
        questions.append((place, parent, key, into, path))

    def _queue(self, place: FieldPlace) -> Queue:
        """The queue of the field's loader on this level; fields that have the same loader share it."""
        loader = self.loaders.get(place)
        if loader is None:
            batch: Batch | None = place.batch
            assert batch is not None, "only a field that declares its batch is asked for"
            loader = self.loaders[place] = batch.loader(self.context)
        queue = self.queues.get(id(loader))
        if queue is None:
            queue = self.queues[id(loader)] = Queue(id(loader), loading(loader), not hasattr(loader, "load_all"))
        return queue

    def ask_in_vain(self, place: FieldPlace, error: Exception, into: dict[str, Any], path: PathTuple) -> None:
        """The field has no key to ask with: its failure comes when its answer would, as from a resolver that waits."""
        self.answered.append((place, None, error, into, path))

    @property
    def unfinished(self) -> bool:
        """Whether anything was asked that has not been answered."""
        return bool(self.queues or self.answered)

    async def finish(self, value: Any) -> Any:
        """Load and complete, level by level, until the region's value is whole."""
        self.value = await value if value.__class__ is Coroutine else value
        while self.queues or self.answered:
            answered, self.answered = self.answered, []
            queues = list(self.queues.values())
            self.queues = {}
            self.queues_of = {}
            await self._fill(answered, [question[2] for question in answered])
            for queue, values in zip(queues, await self._answers(queues), strict=True):
                await self._fill(queue.questions, values)
        return self.value

    async def _answers(self, queues: Sequence[Queue]) -> Sequence[Sequence[Any]]:
        if len(queues) == 1:
            return [await self._answers_of(queues[0])]
        return await gather(*[self._answers_of(queue) for queue in queues])

    async def _answers_of(self, queue: Queue) -> Sequence[Any]:
        """The answers to a queue's questions, in order."""
        keys = list(dict.fromkeys(question[2] for question in queue.questions))
        if self.is_alone or queue.gathers:
            found = await answers_of(queue.load, keys)
        else:
            found = await self.gatherings.ask(queue.loader_id, queue.load, keys)
        return [found[question[2]] for question in queue.questions]

    async def _fill(self, questions: Sequence[Question], answers: Sequence[Any]) -> None:
        """Complete the answers and put them in their places."""
        for (place, parent, _, into, path), answer in zip(questions, answers, strict=True):
            try:
                make = None if place.batch is None or isinstance(answer, Exception) else place.batch.make
                made = answer if make is None else make(parent, answer, self.context)
                completed = place.complete(made, path, self)
                into[place.key] = await completed if completed.__class__ is Coroutine else completed
            except Exception as error:  # noqa: BLE001  (every failure of a field is an error of the response)
                self._fail(place, located_error(error, place.nodes, path_keys(path)), path)

    def _fail(self, place: FieldPlace, error: GraphQLError, path: PathTuple) -> None:
        """Put a null where the nearest place above may be null, and report the error there.

        Raises the error when there is none in this region: it is then the failure of the region itself.
        """
        if place.null_up is None:
            raise error
        position: PathTuple = path
        for _ in range(place.null_up):
            assert position[0] is not None, "a place that may be null stands within the response"
            position = position[0]
        self.add(error, position)
        self._put_null(position)

    def _put_null(self, position: PathTuple) -> None:
        keys: list[Any] = []
        here: PathTuple | None = position
        while here is not self.base and here is not None:
            keys.append(here[1])
            here = here[0]
        container = self.value
        for key in keys[:0:-1]:
            container = container[key]
            if container is None:
                return
        container[keys[0]] = None


def loading(loader: Any) -> Load:
    """How to load many keys at once: the loader's own `load_all`, or a DataLoader's `load` for each.

    Both give a value, or an exception in the value's place, for each key.
    """
    load_all: Load | None = getattr(loader, "load_all", None)
    if load_all is not None:
        return load_all

    async def load_each(keys: Sequence[Any]) -> list[Any]:
        # Shielded: these futures may be other parents' too, who want them even if this region is cancelled.
        waiting = [ensure_future(loader.load(key)) for key in keys]
        values: list[Any] = []
        for one in waiting:
            try:
                values.append(await shield(one))
            except CancelledError:
                if not one.cancelled():
                    raise  # it is this request that was cancelled
                values.append(RuntimeError("the load was cancelled along with another's"))
            except Exception as error:  # noqa: BLE001  (one key's failure is that key's alone)
                values.append(error)
        return values

    return load_each


def in_region(complete: Complete, *, is_alone: bool) -> Complete:
    """Complete a value as a region of its own."""

    def complete_region(value: Any, path: PathTuple, state: State) -> Any:
        wave = Wave.within(state, base=path, is_alone=is_alone)
        completed = complete(value, path, wave)
        if completed.__class__ is Coroutine or wave.unfinished:
            return wave.finish(completed)
        return completed

    return complete_region
