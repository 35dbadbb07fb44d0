"""A plug with an assertion; pytest would rewrite one in a test's own file."""

from ipc.compiled import compiled


@compiled
def fail_on_negative(first: int, second: int, third: int, fourth: int, fifth: int) -> int:
    """Fail when the first argument is negative."""
    assert first >= 0, "negative"
    return first
