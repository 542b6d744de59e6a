"""Scores and figures made from predictions; nothing here writes anything."""
