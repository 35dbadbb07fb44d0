"""Coverage-guided fuzzing of the readers of foreign bytes, against slow readers."""
