"""All interleavings of the ring's and the cell's protocol, with death and stoppage at every step.

The invariants: nothing torn, repeated, reordered or lost within an epoch is delivered; a replaced
party publishes and delivers nothing; an observer accepts only published records.  Mutations
prove that each rule is needed and that the model can fail.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scale import compiled_only

from tests.ipc.interleavings import Explorer, Life, Operation, Party
from tests.ipc.ring_model import KEPT, Rules, observe, read, read_cell, write, write_cell

pytestmark = pytest.mark.timeout(120)


def judge_ring(notes: tuple[Operation, ...], whole_run: bool) -> None:
    """Raise where the ring's contract is broken."""
    published: dict[int, int] = {}
    delivered: list[tuple[str, int]] = []
    replaced: set[str] = set()
    start_seq = 0
    for kind, *rest in notes:
        if kind == "took over":
            replaced.add({"second writer": "writer", "second reader": "reader"}.get(rest[0], ""))
        elif kind == "starts":
            start_seq = rest[0]
        elif kind == "published":
            name, seq, value = rest
            assert name not in replaced, f"{name} was replaced and published {value}"
            published[seq] = value
        elif kind == "delivered":
            name, seq, words = rest
            assert name not in replaced, f"{name} was replaced and delivered {words}"
            assert words == (published.get(seq),) * 2, f"{words} delivered as {seq}"
            if delivered and delivered[-1][0] == name:
                last_value = published[delivered[-1][1]]
                follows = published[seq] in (last_value + 1, 11)
                assert follows, f"{published[seq]} delivered after {last_value}"
            assert not delivered or seq > delivered[-1][1], f"{seq} delivered again"
            delivered.append((name, seq))
        elif kind == "hidden":
            assert rest[0] not in published, f"{rest[0]} was published and is hidden"
        else:
            seq, words = rest
            assert words == (published.get(seq),) * 2, f"{words} observed as {seq}"
    if whole_run:
        due = [seq for seq in published if seq >= start_seq]
        assert [seq for _, seq in delivered] == due, "stuck"


def explore(lives: list[Life], ends: bool = False, weak: bool = False) -> int:
    """Explore; with ``ends`` all is delivered wherever nothing more can happen."""
    return Explorer(lives, lambda notes, at_end: judge_ring(notes, at_end and ends), {}, weak).run()


HOLE_WORDS = {f"hole{index}_{word}" for index in (0, 1) for word in ("start", "end")}
WRITER_WORDS = frozenset({"published", "claimed", "epoch", "epoch_start"} | HOLE_WORDS)
READER_WORDS = frozenset({"consumed", "generation"})


def life(name: str, make: Callable[[], Party], **fate: Any) -> Life:
    """A party that alone writes the words of its role, unless it may be stopped."""
    owns = WRITER_WORDS if "writer" in name else READER_WORDS if "reader" in name else frozenset()
    return Life(name, make, owns=owns, **fate)


def writer(rules: Rules = KEPT, values: tuple[int, ...] = (1, 2, 3), **fate: Any) -> Life:
    return life("writer", lambda: write("writer", list(values), rules), **fate)


def second_writer(rules: Rules = KEPT, values: tuple[int, ...] = (11, 12), **fate: Any) -> Life:
    name = "second writer"
    return life(name, lambda: write(name, list(values), rules), follows="writer", **fate)


def third_writer(rules: Rules, values: tuple[int, ...]) -> Life:
    name = "third writer"
    return life(name, lambda: write(name, list(values), rules), follows="second writer")


def reader(rules: Rules = KEPT, record_count: int = 3, **fate: Any) -> Life:
    return life("reader", lambda: read("reader", record_count, rules), **fate)


def second_reader(rules: Rules = KEPT, record_count: int = 3) -> Life:
    name = "second reader"
    return life(name, lambda: read(name, record_count, rules), follows="reader")


def observer(*seqs: int, rules: Rules = KEPT) -> Life:
    return life("observer", lambda: observe(list(seqs), rules))


def share(lives: list[Life]) -> list[Life]:
    """Nobody owns a word where two parties of one role run at once."""
    return [life._replace(owns=frozenset()) for life in lives]


def between_bursts(operation: Operation | None) -> bool:
    """Stopped where no store of a record is still to come: idle, or before the commit."""
    return operation is not None and operation[:2] in (
        ("swap", "published"),
        ("load", "consumed"),
        ("wait", "consumed"),
        ("load", "pause"),
    )


def three_writers(rules: Rules, observed_seqs: tuple[int, ...]) -> list[Life]:
    """Two die, each with a record out, and an observer looks; nobody reads."""
    return [
        writer(rules, (1, 2), may_die=True),
        second_writer(rules, (11, 12), may_die=True),
        third_writer(rules, (21,)),
        observer(*observed_seqs, rules=rules),
    ]


pytestmark = compiled_only("a model of the ring, which is plain Python anyway")

Scenario = Callable[[Rules], list[Life]]

SCENARIOS: dict[str, Scenario] = {
    "plain": lambda rules: [writer(rules), reader(rules)],
    "observed": lambda rules: [writer(rules), reader(rules), observer(0)],
    "writer dies": lambda rules: [
        writer(rules, (1, 2), may_die=True),
        second_writer(rules),
        reader(rules, 3),
    ],
    "writer dies, observed": lambda rules: [
        writer(rules, (1, 2), may_die=True),
        second_writer(rules, (11,)),
        reader(rules, 1),
        observer(1),
    ],
    "writers die, observed": lambda rules: three_writers(
        replace(rules, respects_unread=False), observed_seqs=(2, 3)
    ),
    "writer stops": lambda rules: share(
        [
            writer(rules, (1, 2), may_stop=True, stops_at=between_bursts),
            second_writer(rules, (11,)),
            reader(rules, 2),
        ]
    ),
    "reader dies": lambda rules: [
        writer(rules, (1, 2)),
        reader(rules, 2, may_die=True),
        second_reader(rules),
    ],
    "reader stops": lambda rules: share(
        [writer(rules, (1, 2)), reader(rules, 2, may_stop=True), second_reader(rules, 2)]
    ),
    "both die": lambda rules: [
        writer(rules, (1,), may_die=True),
        second_writer(rules, ()),
        reader(rules, 1, may_die=True),
        second_reader(rules, 1),
    ],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_interleaving_breaks_the_ring(name: str) -> None:
    assert explore(SCENARIOS[name](KEPT), ends=name == "plain") > 1_000


@pytest.mark.parametrize("name", ["plain", "writer dies"])
def test_no_interleaving_breaks_the_ring_where_stores_pass_each_other(name: str) -> None:
    """Only releases and fences keep stores in order: what the code says, not what x86 gives."""
    assert explore(SCENARIOS[name](KEPT), weak=True) > 1_000


MUTATIONS = {
    "a plain store commits": ("writer stops", replace(KEPT, commit_is_fenced=False)),
    "claimed_seq is raised after the words": (
        "observed",
        replace(KEPT, claims_before_writing=False),
    ),
    "published before written": ("plain", replace(KEPT, publishes_last=False)),
    "unread records are overwritten": ("plain", replace(KEPT, respects_unread=False)),
    "the hole is not published to observers": (
        "writer dies, observed",
        replace(KEPT, tells_of_hole=False),
    ),
    "a hole ends before it begins": (
        "writers die, observed",
        replace(KEPT, starts_hole_first=False),
    ),
    "a second hole is not published": (
        "writers die, observed",
        replace(KEPT, hole_count=1, grows_when_no_hole_is_free=False),
    ),
    "there is one hole for two": ("writers die, observed", replace(KEPT, hole_count=1)),
    "a new reader starts in the hole": ("both die", replace(KEPT, reader_skips_to_epoch=False)),
    "a replaced reader goes on": ("reader stops", replace(KEPT, reader_minds_generation=False)),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_model_notices(mutation: str) -> None:
    name, rules = MUTATIONS[mutation]
    with pytest.raises(AssertionError):
        explore(SCENARIOS[name](rules), ends=name == "plain")


def test_a_writer_stopped_in_a_burst_of_stores_can_tear_its_successors_record() -> None:
    """What no ring prevents, and why the role's lock, which a stopped process keeps, must."""
    lives = [
        writer(KEPT, (1, 2), may_stop=True, stops_in_burst=True),
        second_writer(),
        reader(KEPT, 3),
    ]
    lives = share(lives)
    with pytest.raises(AssertionError, match="delivered as"):
        explore(lives)


def judge_cell(notes: tuple[Operation, ...], whole_run: bool) -> None:
    for _, words in notes:
        assert words[0] == words[1], f"{words} accepted"


def cell_lives(rules: Rules) -> list[Life]:
    return [
        Life("owner", lambda: write_cell("owner", [1, 2], rules), may_die=True),
        Life("second owner", lambda: write_cell("second owner", [3, 4], rules), "owner"),
        Life("cell reader", lambda: read_cell(2)),
    ]


@pytest.mark.parametrize("weak", [False, True], ids=["tso", "weak"])
def test_no_interleaving_tears_a_cell(weak: bool) -> None:
    assert Explorer(cell_lives(KEPT), judge_cell, {}, weak).run() > 1_000


@pytest.mark.parametrize("rule", ["marks_cell_first", "keeps_cell_odd"])
def test_the_model_notices_a_broken_cell(rule: str) -> None:
    with pytest.raises(AssertionError, match="accepted"):
        Explorer(cell_lives(replace(KEPT, **{rule: False})), judge_cell, {}).run()
