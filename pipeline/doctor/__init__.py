"""Mends what killed commands and moved folders leave: each concern returns acts, which a dry run only tells."""
