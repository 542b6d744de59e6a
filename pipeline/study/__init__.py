"""The study: storage, samplers, pruners, the trials and the workers that run them."""
