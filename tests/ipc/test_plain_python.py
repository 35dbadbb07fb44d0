"""The same functions as plain Python: for a debugger, and as a second meaning of each intrinsic."""

from scale import compiled_only

from ipc.segment import segment_name
from tests.ipc.processes import Child

PROGRAM = """
import sys
import time
import numpy as np
from ipc import ring
from ipc.cell import begin_write, end_write, read_cell
from ipc.clock import CLOCK, calibrate, now_ns
from ipc.compiled import PLAIN_PYTHON
from ipc.counters import COUNTERS, add, read_counter
from ipc.histogram import HISTOGRAM, record_value, summary
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of, copy_bytes, load_byte, record_at, store_byte, zero_bytes
from ipc.shared import SharedRing
from tests.ipc.drivers import SPEC, RECORD_DTYPE, read_values, write_values

assert PLAIN_PYTHON
created = SharedRing.create(sys.argv[1], SPEC, run_id=1)
writer = SharedRing.attach_writer(sys.argv[1], SPEC)
reader = SharedRing.attach_reader(sys.argv[1], SPEC)
for value in range(0, 200, 20):
    assert write_values(writer.address, value, value + 20, 7) == value + 20
    assert read_values(reader.address, value, value + 20) == value + 20
copy = np.zeros(1, RECORD_DTYPE)
assert ring.observe(created.address, 199, address_of(copy)) == 1
assert copy[0]["value"] == 199
assert ring.observe(created.address, 3, address_of(copy)) == -1
successor = SharedRing.attach_writer(sys.argv[1], SPEC)
assert ring.claim(writer.address) == 0
assert ring.ready_count(reader.address) == ring.NEW_EPOCH
assert ring.enter_epoch(reader.address) > 0

words = np.arange(8, dtype=np.int64)
copied = np.zeros(8, np.int64)
begin_write(address_of(words))
assert not read_cell(address_of(words), address_of(copied), 64)
end_write(address_of(words))
assert read_cell(address_of(words), address_of(copied), 64)
assert (copied == words).all()
store_byte(address_of(words), 300)
assert load_byte(address_of(words)) == 300 % 256
copy_bytes(address_of(copied), address_of(words), 64)
assert (copied == words).all()
zero_bytes(address_of(words), 64)
assert not words.any()

counters = np.zeros(1, COUNTERS.dtype)
add(address_of(counters), 5, 7)
assert read_counter(address_of(counters), 5) == 7
histogram = np.zeros(1, HISTOGRAM.dtype)
record_value(address_of(histogram), 1000, 20)
assert summary(histogram[0])["p50"] == 1000
clock = np.zeros(1, CLOCK.dtype)
calibrate(clock)
assert now_ns(address_of(clock)) <= now_ns(address_of(clock))
clock["ns_per_cycle"] = 0.4  # as a compiled process calibrated it for the whole run
before = time.monotonic_ns()
assert before <= now_ns(address_of(clock)) <= time.monotonic_ns()
box = Mailbox()
assert box.send(Letter(1, 2))
assert box.take() == Letter(1, 2)
print("done", flush=True)
"""


@compiled_only("it starts plain Python itself")
def test_all_of_it_runs_without_a_compiler(instance: str) -> None:
    name = segment_name(instance, "ring")
    with Child("-W", "error", "-c", PROGRAM, name, NUMBA_DISABLE_JIT="1") as child:
        assert child.hear() == ["done"]
        assert child.wait() == 0
