"""Atari 100k and its variants."""
