"""The protocols of ``ipc.ring`` and ``ipc.cell``, step for step, as parties of ``interleavings``.

The ring has two slots of two words; every word of a record is its value.  ``Rules`` name what can
be broken on purpose, to prove that the model would notice.  The names are those of ``ipc.ring``.
"""

from dataclasses import dataclass

from tests.ipc.interleavings import Party

CAPACITY = 2
WORDS = (0, 1)


@dataclass(frozen=True)
class Rules:
    """Each is kept by the real code; a mutation breaks one."""

    commit_is_fenced: bool = True
    claims_before_writing: bool = True
    publishes_last: bool = True
    respects_unread: bool = True
    starts_beyond_claimed: bool = True
    tells_of_hole: bool = True
    starts_hole_first: bool = True
    grows_when_no_hole_is_free: bool = True
    hole_count: int = 2
    reader_skips_to_epoch: bool = True
    reader_minds_generation: bool = True
    marks_cell_first: bool = True
    keeps_cell_odd: bool = True


KEPT = Rules()


def take_over_writer(name: str, rules: Rules) -> Party:
    """Return the sequence to start at, or -1 when another published meanwhile."""
    published = yield "load", "published"
    claimed = yield "load", "claimed"
    epoch = (yield "load", "epoch") + 1
    start = published
    if epoch > 1:
        start = (max(published, claimed) if rules.starts_beyond_claimed else published) + 1
        if rules.tells_of_hole:
            yield from publish_hole(published, start, claimed, rules)
    yield "store", "epoch_start", start, False
    yield "store", "epoch", epoch, True
    if (yield "swap", "published", published, start):
        yield "note", "took over", name
        return start
    return -1


def publish_hole(start: int, end: int, claimed: int, rules: Rules) -> Party:
    """Publish to observers that no record is between ``start`` and ``end``."""
    newest, newest_end = None, 0
    for hole in range(rules.hole_count):
        old_end = yield "load", f"hole{hole}_end"
        old_start = yield "load", f"hole{hole}_start"
        if old_start >= old_end or claimed - old_end >= CAPACITY:
            if rules.starts_hole_first:
                yield "store", f"hole{hole}_start", start, False
                yield "store", f"hole{hole}_end", end, True
            else:
                yield "store", f"hole{hole}_end", end, False
                yield "store", f"hole{hole}_start", start, True
            return
        if newest is None or old_end >= newest_end:
            newest, newest_end = hole, old_end
    if rules.grows_when_no_hole_is_free:
        yield "store", f"hole{newest}_end", end, True


def write(name: str, values: list[int], rules: Rules = KEPT) -> Party:
    """Writer: take over, then publish one record per value until another takes over."""
    seq = yield from take_over_writer(name, rules)
    for value in values:
        consumed = yield "load", "consumed"
        while rules.respects_unread and seq + 1 - consumed > CAPACITY:
            consumed = yield "wait", "consumed", consumed
        if (yield "load", "published") != seq:
            return
        if rules.claims_before_writing:
            yield "store", "claimed", seq + 1, False
            yield ("fence",)
        if not rules.publishes_last:
            yield "swap", "published", seq, seq + 1
            yield "note", "published", name, seq, value
        for word in WORDS:
            yield "store", f"slot{seq % CAPACITY}.{word}", value, False
        if not rules.claims_before_writing:
            yield "store", "claimed", seq + 1, False
        if not rules.commit_is_fenced:
            yield "load", "pause"  # here it can be stopped
            yield "store", "published", seq + 1, True
            yield "note", "published", name, seq, value
        elif rules.publishes_last:
            if not (yield "swap", "published", seq, seq + 1):
                return
            yield "note", "published", name, seq, value
        seq += 1


def read_epoch() -> Party:
    """Return the newest epoch and where it begins."""
    while True:
        epoch = yield "load", "epoch"
        start = yield "load", "epoch_start"
        if (yield "load", "epoch") == epoch:
            return epoch, start


def take_over_reader(name: str, rules: Rules) -> Party:
    """Return generation, epoch and the sequence to start at."""
    generation = yield "load", "generation"
    while not (yield "swap", "generation", generation, generation + 1):
        generation = yield "load", "generation"
    while True:
        epoch, epoch_start = yield from read_epoch()
        consumed = yield "load", "consumed"
        published = yield "load", "published"
        seq = max(published, consumed, epoch_start if rules.reader_skips_to_epoch else 0)
        if (yield "swap", "consumed", consumed, seq):
            yield "note", "took over", name
            yield "note", "starts", seq
            return generation + 1, epoch, seq


def read(name: str, record_count: int, rules: Rules = KEPT) -> Party:
    """Reader: take over, then poll, read word by word, give back, deliver what was given back."""
    generation, epoch, seq = yield from take_over_reader(name, rules)
    limit = seq
    while record_count:
        if limit <= seq:
            limit = yield "load", "published"
        if rules.reader_minds_generation and (yield "load", "generation") != generation:
            return
        if (yield "load", "epoch") != epoch:
            epoch, start = yield from read_epoch()
            if start > seq:
                if not (yield "swap", "consumed", seq, start):
                    return
                seq = start
        elif limit <= seq:
            limit = yield "wait", "published", limit
        else:
            words = []
            for word in WORDS:
                words.append((yield "load", f"slot{seq % CAPACITY}.{word}"))
            if not (yield "swap", "consumed", seq, seq + 1):
                return
            yield "note", "delivered", name, seq, tuple(words)
            record_count -= 1
            seq += 1


def observe(seqs: list[int], rules: Rules = KEPT) -> Party:
    """Observer: copy each sequence; note it when the contract calls the copy whole, or hides it."""
    for seq in seqs:
        published = yield "load", "published"
        if published <= seq:
            published = yield "wait", "published", published
        if published <= seq:
            continue
        is_hidden = False
        for hole in range(rules.hole_count):
            if seq < (yield "load", f"hole{hole}_end"):
                is_hidden = is_hidden or seq >= (yield "load", f"hole{hole}_start")
        if is_hidden:
            yield "note", "hidden", seq
            continue
        words = []
        for word in WORDS:
            words.append((yield "load", f"slot{seq % CAPACITY}.{word}"))
        if (yield "load", "claimed") - seq <= CAPACITY:
            yield "note", "observed", seq, tuple(words)


def write_cell(name: str, values: list[int], rules: Rules = KEPT) -> Party:
    """Owner of a cell: write the words of each value between the two marks."""
    for value in values:
        version = yield "load", "version"
        odd = (version + 1) | 1 if rules.keeps_cell_odd else version + 1
        if rules.marks_cell_first:
            yield "store", "version", odd, False
            yield ("fence",)
        for word in WORDS:
            yield "store", f"cell.{word}", value, False
        yield "store", "version", odd + 1, True


def read_cell(try_count: int) -> Party:
    """Reader of a cell: note each copy that counts as whole."""
    for _ in range(try_count):
        version = yield "load", "version"
        if version % 2:
            continue
        words = []
        for word in WORDS:
            words.append((yield "load", f"cell.{word}"))
        if (yield "load", "version") == version:
            yield "note", "copied", tuple(words)
