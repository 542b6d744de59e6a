"""Runs, metrics, figures and models in MLflow: the only room that knows it."""
