"""How much a test does: all of it in machine code, a part of it as plain Python.

``make test-python`` runs the tests of ``ipc`` and ``vortex`` a second time, with the compiled
functions as they are written (``NUMBA_DISABLE_JIT=1``).  Each step then takes a hundred times as
long, and shows no more when it is repeated a million times.
"""

from typing import Any

import hypothesis
import pytest
from hypothesis import settings

from ipc.compiled import PLAIN_PYTHON

#: How many examples hypothesis tries as plain Python, and how many steps each has.
PLAIN_EXAMPLES, PLAIN_STEPS = 8, 20


def scaled(count: int, plain_count: int) -> int:
    """Return how often to do something: ``count`` times, as plain Python ``plain_count`` times."""
    return plain_count if PLAIN_PYTHON else count


def compiled_only(reason: str) -> pytest.MarkDecorator:
    """Mark a test that shows nothing as plain Python, or that cannot be made smaller."""
    return pytest.mark.compiled_only(reason)


class FewerExamples(settings):
    """Settings of a test that runs as plain Python."""

    def __init__(self, parent: Any = None, **given: Any) -> None:
        limits = {"max_examples": PLAIN_EXAMPLES, "stateful_step_count": PLAIN_STEPS}
        fewer = {name: min(given.get(name, limit), limit) for name, limit in limits.items()}
        super().__init__(parent, **given | fewer)


def use_fewer_examples() -> None:
    """Let every test that is imported from now on try few examples."""
    hypothesis.settings = FewerExamples  # type: ignore[misc]
    settings.register_profile("plain", FewerExamples(deadline=None))
    settings.load_profile("plain")
