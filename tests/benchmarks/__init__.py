"""Benchmarks, one command each: a table and a figure out. Their small forms run with the tests."""
