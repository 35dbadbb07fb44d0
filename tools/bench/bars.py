"""What a figure shall reach, told beside it."""


def verdict(is_reached: bool) -> str:
    """Return the word for people."""
    return "reached" if is_reached else "missed"
