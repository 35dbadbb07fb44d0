"""Explore all interleavings of small programs over shared words, with store buffers and death.

A party is a generator that yields one operation and is sent its result:

``("load", word)``, ``("store", word, value, is_release)``, ``("fence",)`` (release),
``("swap", word, expected, value)`` (compare-exchange, after its own stores have reached memory),
``("wait", word, value)`` (a load once the word differs), and ``("note", ...)``, which is no step
but goes into the record that the invariant judges.

Each party's stores reach memory later, at any moment: in order as on x86 (total store order), or,
``weak``, in any order that releases and fences leave.  A party that ``may_die`` dies before any of
its steps; its successor starts then.  A party that ``may_stop`` stops before an operation that
``stops_at`` accepts, and its successor starts beside it.  The stopped party continues at any time
after the successor's note that it ``took over``.

What no other party can notice is done at once: putting a store into the own buffer, and loading a
word that only this party writes (``owns``).  Dying between two stores is dying with the later one
still in the buffer: death keeps any part of the buffer from its front.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

Operation = tuple[Any, ...]
Party = Generator[Operation, Any, Any]
Results = tuple[Any, ...]

FENCE = "fence"
TOOK_OVER = "took over"
NOT_STARTED = ("not started",)
FINISHED = ("finished",)


class Life(NamedTuple):
    """One process: what it runs, whose successor it is and how that one ends."""

    name: str
    make: Callable[[], Party]
    follows: str = ""
    may_die: bool = False
    may_stop: bool = False
    stops_at: Callable[[Operation | None], bool] = lambda operation: True
    stops_in_burst: bool = False
    owns: frozenset[str] = frozenset()


class State(NamedTuple):
    """One state; ``places`` is the next step of each party and what it remembers."""

    memory: tuple[tuple[str, int], ...]
    buffers: tuple[tuple[tuple[str, int, bool], ...], ...]
    places: tuple[Any, ...]
    dead: tuple[bool, ...]
    notes: tuple[Operation, ...]


class Moment(NamedTuple):
    """The next step of a party after a sequence of results."""

    results: Results
    notes: tuple[Operation, ...]
    operation: Operation | None
    place: Any


def place_of(party: Party) -> Any:
    """Return a value that is the same when a party will behave the same."""
    frames = []
    inner: Any = party
    while inner is not None and inner.gi_frame is not None:
        frames.append((inner.gi_frame.f_lasti, repr(sorted(inner.gi_frame.f_locals.items()))))
        inner = inner.gi_yieldfrom if hasattr(inner.gi_yieldfrom, "gi_frame") else None
    return tuple(frames)


@dataclass
class Explorer:
    """All states that ``lives`` can reach; ``judge`` raises AssertionError at a forbidden one."""

    lives: list[Life]
    judge: Callable[[tuple[Operation, ...], bool], None]
    memory: dict[str, int]
    weak: bool = False

    def run(self) -> int:
        """Explore; return how many states there are."""
        self.moments: dict[tuple[int, Any], Moment] = {}
        self.follow: dict[tuple[int, Any, Any], Moment] = {}
        self.index_of = {life.name: index for index, life in enumerate(self.lives)}
        count = len(self.lives)
        memory = tuple(sorted(self.memory.items()))
        state = State(memory, ((),) * count, (NOT_STARTED,) * count, (False,) * count, ())
        for index, life in enumerate(self.lives):
            if not life.follows:
                state = self._start(state, index)
        seen = {state}
        stack = [state]
        while stack:
            state = stack.pop()
            followers = self._followers(state)
            self.judge(state.notes, not followers)
            fresh = set(followers) - seen
            seen |= fresh
            stack += fresh
        return len(seen)

    def _replay(self, index: int, results: Results) -> Moment:
        party = self.lives[index].make()
        notes: list[Operation] = []
        operation: Operation | None = None
        place: Any = FINISHED
        for value in (None, *results):
            notes = []
            try:
                operation = party.send(value)
                while operation[0] == "note":
                    notes.append(operation[1:])
                    operation = next(party)
            except StopIteration:
                operation = None
        if operation is not None:
            place = place_of(party)
        moment = Moment(results, tuple(notes), operation, place)
        return self.moments.setdefault((index, place), moment)._replace(notes=tuple(notes))

    def _start(self, state: State, index: int) -> State:
        return self._arrive(state, index, self._replay(index, ()))

    def _tell(self, state: State, index: int, value: Any) -> State:
        """Return the state after party ``index`` received the result of its operation."""
        key = (index, state.places[index], value)
        if key not in self.follow:
            results = self.moments[index, state.places[index]].results
            self.follow[key] = self._replay(index, (*results, value))
        return self._arrive(state, index, self.follow[key])

    def _arrive(self, state: State, index: int, moment: Moment) -> State:
        state = state._replace(
            places=_put(state.places, index, moment.place), notes=state.notes + moment.notes
        )
        operation = moment.operation
        if operation is None:
            return state
        buffer = state.buffers[index]
        if operation[0] == FENCE:
            if self.weak and buffer:
                added = (*buffer, (FENCE, 0, True))
                state = state._replace(buffers=_put(state.buffers, index, added))
            return self._tell(state, index, None)
        if operation[0] == "store":
            added = (*buffer, operation[1:])
            state = state._replace(buffers=_put(state.buffers, index, added))
            return self._tell(state, index, None)
        if operation[0] == "load" and operation[1] in self.lives[index].owns:
            return self._tell(state, index, self._view(state, index, operation[1]))
        return state

    def _followers(self, state: State) -> list[State]:
        result = []
        for index, life in enumerate(self.lives):
            place = state.places[index]
            result += self._flushes(state, index)
            if place == NOT_STARTED:
                result += self._successions(state, index, life)
            elif place != FINISHED and not state.dead[index]:
                operation = self.moments[index, place].operation
                assert operation is not None
                if self._is_stopped(state, index):
                    continue
                result += self._steps(state, index, operation)
                if life.may_die:
                    result += self._deaths(state, index)
        return result

    def _is_stopped(self, state: State, index: int) -> bool:
        """A party is stopped from its successor's start until that one has taken over."""
        return any(
            life.follows == self.lives[index].name
            and state.places[successor] != NOT_STARTED
            and (TOOK_OVER, life.name) not in state.notes
            for successor, life in enumerate(self.lives)
        )

    def _successions(self, state: State, index: int, life: Life) -> list[State]:
        before = self.index_of[life.follows]
        old, place = self.lives[before], state.places[before]
        if (TOOK_OVER, old.name) not in state.notes and not state.dead[before]:
            return []
        if state.dead[before]:
            return [] if state.buffers[before] else [self._start(state, index)]
        if not old.may_stop or (state.buffers[before] and not old.stops_in_burst):
            return []
        if place in (NOT_STARTED, FINISHED) or not old.stops_at(
            self.moments[before, place].operation
        ):
            return []
        return [self._start(state, index)]

    def _deaths(self, state: State, index: int) -> list[State]:
        buffer = state.buffers[index]
        dead = _put(state.dead, index, True)
        return [
            state._replace(dead=dead, buffers=_put(state.buffers, index, buffer[:kept_count]))
            for kept_count in range(len(buffer) + 1)
        ]

    def _steps(self, state: State, index: int, operation: Operation) -> list[State]:
        kind = operation[0]
        value = self._view(state, index, operation[1])
        if kind == "wait":
            return [self._tell(state, index, value)] if value != operation[2] else []
        if kind == "swap":
            if state.buffers[index]:
                return []
            if value != operation[2]:
                return [self._tell(state, index, False)]
            changed = _write(state.memory, operation[1], operation[3])
            return [self._tell(state._replace(memory=changed), index, True)]
        assert kind == "load", operation
        return [self._tell(state, index, value)]

    def _view(self, state: State, index: int, word: str) -> int:
        for name, value, _ in reversed(state.buffers[index]):
            if name == word:
                return value
        return dict(state.memory).get(word, 0)

    def _flushes(self, state: State, index: int) -> list[State]:
        result = []
        buffer = state.buffers[index]
        for place, (word, value, is_release) in enumerate(buffer):
            earlier = {name for name, _, _ in buffer[:place]}
            if place and (not self.weak or is_release or earlier & {word, FENCE}):
                continue
            rest = _put(state.buffers, index, buffer[:place] + buffer[place + 1 :])
            memory = state.memory if word == FENCE else _write(state.memory, word, value)
            result.append(state._replace(memory=memory, buffers=rest))
        return result


def _put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    return (*items[:index], item, *items[index + 1 :])


def _write(memory: tuple[tuple[str, int], ...], word: str, value: int) -> tuple[Any, ...]:
    changed = dict(memory)
    changed[word] = value
    return tuple(sorted(changed.items()))
