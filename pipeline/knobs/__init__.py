"""The knobs, and the search spaces made of them: the only room besides ``study`` that knows Optuna."""
