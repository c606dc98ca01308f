"""`rlbench check FOLDER`: the gate of submissions."""

from collections.abc import Sequence
from pathlib import Path

from rlbench.cli.output import echo, print_json
from rlbench.results.submissions import Refusal, check, notes_of

EXIT_REFUSED = 2
MAX_LINES = 100


def check_submissions(folder: Path, base: Path | None, namespace: str, *, json: bool) -> int:
    """Check a folder of submissions; return the exit code."""
    checked = check(folder, base, namespace)
    if json:
        print_json([refusal._asdict() for refusal in checked.refused])
    else:
        for submission in checked.accepted:
            for note in notes_of(submission):
                echo(f"accepted: {note}")
        print_refusals(checked.refused)
        echo(f"{len(checked.accepted)} accepted, {len(checked.refused)} problems")
    return EXIT_REFUSED if checked.refused else 0


def print_refusals(refused: Sequence[Refusal]) -> None:
    """Print why submissions are refused, a line each."""
    for refusal in refused[:MAX_LINES]:
        echo(f"refused: {refusal.kind}: {refusal}", err=True)
    if len(refused) > MAX_LINES:
        echo(f"refused: {len(refused) - MAX_LINES} more problems", err=True)
