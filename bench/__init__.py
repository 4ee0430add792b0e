"""Benchmarks: programs that print their figures.  Run them as `python -m bench.<name>`."""
