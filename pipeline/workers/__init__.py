"""Processes that train: a coordinator hands them work, hears of it, and answers for those that die."""
