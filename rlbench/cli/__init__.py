"""The `rlbench` command: one module a verb."""

from rlbench.cli.app import main

__all__ = ["main"]
