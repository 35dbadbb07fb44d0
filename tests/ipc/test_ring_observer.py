"""An observer beside a ring at full speed sees whole records or learns that it was overtaken."""

import pytest
from scale import compiled_only

from ipc.segment import segment_name
from ipc.shared import SharedRing
from tests.ipc.drivers import SPEC
from tests.ipc.processes import Child

VALUE_COUNT = 50_000 * SPEC.capacity_count


@compiled_only("it needs a writer that is faster than its observer")
@pytest.mark.timeout(60)
def test_an_observer_accepts_no_torn_record(instance: str) -> None:
    """It chases a writer that overwrites the ring without a pause, at most half a ring behind."""
    name = segment_name(instance, "ring")
    created = SharedRing.create(name, SPEC, run_id=1)
    with (
        Child.driver("churn", name, VALUE_COUNT) as writer,
        Child.driver("observer", name, VALUE_COUNT - SPEC.message_count_max) as observer,
    ):
        assert writer.hear() == ["ready"]
        assert observer.hear() == ["ready"]
        observer.say()
        writer.say()
        assert int(writer.hear()[0]) >= VALUE_COUNT
        whole_count, torn_count, lost_count = map(int, observer.hear())
    assert torn_count == 0
    assert whole_count > 0
    assert lost_count > 0, "never overtaken: the test proved nothing"
    created.close()
