"""NeoRL-2: seven tasks to be learned from near-real-world datasets, their simulators and data."""
