"""A module that cannot be imported."""

SUITE = make = 1 / 0
