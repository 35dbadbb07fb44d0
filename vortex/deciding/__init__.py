"""What a strategy file is held to, and what it may call."""
