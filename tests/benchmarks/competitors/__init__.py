"""The competitors of the search benchmark, each in a process of its own, on one core, for the same seconds."""
