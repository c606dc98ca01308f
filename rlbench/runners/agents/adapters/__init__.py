"""Agents that are not Python classes of this process."""
