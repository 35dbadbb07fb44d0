"""Coverage-guided fuzzing of what reads bytes of others, and the slow readers it is held to."""
