"""Our orders: their table, what they add up to, what is refused, what is wanted."""
