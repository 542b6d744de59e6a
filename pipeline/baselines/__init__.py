"""Trainings outside a study, onto the same leaderboard: hand-made models, a classical one, a trial once more."""
