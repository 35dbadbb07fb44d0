"""A matching engine and simulated traders, for the local exchange."""
