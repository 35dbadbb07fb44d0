"""The bar of a figure, printed beside it."""


def verdict(is_reached: bool) -> str:
    """Return the word for people."""
    return "reached" if is_reached else "missed"
