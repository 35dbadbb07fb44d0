"""Two threads of one process: Python on one side, a compiled loop without the GIL on the other."""

import threading

from ipc import ring
from ipc.compiled import compiled
from ipc.mailbox import CAPACITY_COUNT, LETTER_DTYPE, Letter, Mailbox, post
from ipc.memory import record_at
from ipc.waiting import Wait, idle


@compiled
def echo(in_address: int, out_address: int, letter_count: int) -> int:
    """Answer each letter with its arguments turned round; return how many were out of order."""
    wrong_count = 0
    for expected in range(letter_count):
        while ring.ready_count(in_address) <= 0:
            idle(Wait.YIELD, 0)
        letter = record_at(ring.slot(in_address, 0), LETTER_DTYPE)
        if letter.subject != expected:
            wrong_count += 1
        arguments = (letter.first, letter.second, letter.third)
        rest = (letter.fourth, letter.fifth, letter.sixth)
        ring.consume(in_address, 1)
        while not post(out_address, expected, *rest, *arguments):
            idle(Wait.YIELD, 0)
    return wrong_count


def test_letters_cross_to_a_compiled_loop_and_back_in_order() -> None:
    there, back = Mailbox(), Mailbox()
    letter_count = 10 * CAPACITY_COUNT
    echo(there.reader_address, back.writer_address, 0)
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(echo(there.reader_address, back.writer_address, letter_count))
    )
    thread.start()
    sent, answers = 0, 0
    while answers < letter_count:
        letter = Letter(sent, sent + 1, sent + 2, sent + 3, sent + 4, sent + 5, sent + 6)
        if sent < letter_count and there.send(letter):
            sent += 1
        answer = back.take()
        if answer is not None:
            assert answer.subject == answers
            assert [*answer[1:]] == [answers + step for step in (4, 5, 6, 1, 2, 3)]
            answers += 1
    thread.join()
    assert results == [0]


def test_a_full_box_refuses_and_an_empty_one_has_nothing() -> None:
    box = Mailbox()
    assert box.take() is None
    for number in range(CAPACITY_COUNT):
        assert box.send(Letter(number))
    assert not box.send(Letter(-1))
    assert [box.take() for _ in range(CAPACITY_COUNT)] == [
        Letter(number) for number in range(CAPACITY_COUNT)
    ]
    assert box.take() is None
