"""Submissions: bundles of records with a card, and the gate that they go through."""

from rlbench.results.submissions.bundle import (
    Refusal,
    actions_of,
    make_bundle,
    place_of,
    write_bundle,
)
from rlbench.results.submissions.card import Card
from rlbench.results.submissions.checks import Submission, check_files, notes_of
from rlbench.results.submissions.gate import Accepted, Checked, check, load

__all__ = [
    "Accepted",
    "Card",
    "Checked",
    "Refusal",
    "Submission",
    "actions_of",
    "check",
    "check_files",
    "load",
    "make_bundle",
    "notes_of",
    "place_of",
    "write_bundle",
]
