"""Write the files of `rlbench/results/published/` from raw tables of published scores.

    python tools/rekey_published.py RAW [--out FOLDER] [--page docs/published-scores.md]

RAW holds one CSV a suite with a row a run: protocol, task, algorithm, run, step, score and
protocol_note, and `teachmyagent_summary.csv` with mean, std and n_seeds. Figures and names carry
over. What is not on any board is left out, and counted. The page's tables of sources, which stand
below its last line that is `<!-- sources -->`, are written anew.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

from rlbench import suites
from rlbench.results.published import (
    COLUMNS,
    Published,
    PublishedSource,
    deviations,
    in_words,
    load,
    slug_of,
    sources,
)

RAW = {
    "atari100k": "atari100k.csv",
    "stori": "stori.csv",
    "dmc": "dmc.csv",
    "procgen": "procgen.csv",
    "neorl2": "neorl2.csv",
    "parkour": "teachmyagent.csv",
}
STAND_IN = "FALLBACK"
MARK = "<!-- sources -->\n"


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def task_of(raw: str) -> str:
    """Return a task's name on our boards."""
    return raw.replace("/type", "/").removeprefix("parkour/")


def number(text: str) -> str:
    """Return the shortest text of the same number."""
    return repr(float(text)).removesuffix(".0")


def on_boards(source: PublishedSource) -> list[str]:
    """Return the tasks of a source's boards, in their order."""
    return list(
        dict.fromkeys(task.name for name in source.boards for task in suites.get(name).tasks)
    )


def line(source: PublishedSource, task: str, rows: list[dict[str, str]]) -> list[str]:
    """Return the cells of one task but for the spread."""
    steps = [row["step"] for row in rows]
    same = len(set(steps)) == 1
    names = ["mean"] if source.means_only else [row["run"] for row in rows]
    marked = [
        name
        for name, row in zip(names, rows, strict=True)
        if row["protocol_note"].startswith(STAND_IN)
    ]
    scores = [number(row["score"]) for row in rows]
    known = "" if steps[0] == "0" else " ".join(steps[:1] if same else steps)
    return [source.slug, task, known, *map(" ".join, (names, scores, marked))]


def holds(scores: Published) -> str:
    """Return how many tasks and runs a task there are."""
    if scores.source.means_only:
        return f"{len(scores.values)} tasks, means"
    runs = sorted({len(values) for values in scores.values.values()})
    each = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    return f"{len(scores.values)} tasks, {each} runs each"


def attribution() -> str:
    """Return a table of sources for each board that is the nearest to some."""
    parts = []
    for board in dict.fromkeys(source.boards[0] for source in sources()):
        parts.append(
            f"\n### {board}\n\n"
            "| source | agent | paper | taken from | licence | holds | unlike the board |\n"
            "|---|---|---|---|---|---|---|\n"
        )
        for scores in load(suites.get(board)).values():
            source = scores.source
            if source.boards[0] != board:
                continue
            cells = (
                f"`{source.slug}`",
                source.agent,
                source.paper,
                f"[{source.repository.name}]({source.url}), `{source.path}`",
                source.licence,
                holds(scores),
                in_words(deviations(scores)) + (f". {source.note}" if source.note else ""),
            )
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


def main() -> None:
    """Write one file a suite and say what was left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path)
    default = Path(__file__).parents[1] / "rlbench/results/published"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    spread = {
        (slug_of("parkour_20m_means_only", row["algorithm"]), task_of(row["task"])): (
            number(row["std"]),
            row["n_seeds"],
        )
        for row in read(options.raw / "teachmyagent_summary.csv")
    }
    for name, table in RAW.items():
        groups: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in read(options.raw / table):
            key = (slug_of(row["protocol"], row["algorithm"]), task_of(row["task"]))
            groups.setdefault(key, []).append(row)
        with (options.out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for source in (source for source in sources() if source.file == name):
                for task in on_boards(source):
                    if rows := groups.pop((source.slug, task), None):
                        cells = line(source, task, rows)
                        writer.writerow([*cells, *spread.get((source.slug, task), ("", ""))])
        left: Counter[str] = Counter()
        for (_, task), rows in groups.items():
            left[task] += len(rows)
        print(f"{name}: left out {dict(left)}" if left else f"{name}: complete")
    if options.page:
        text, mark, _ = options.page.read_text(encoding="utf-8").rpartition(MARK)
        options.page.write_text(f"{text}{mark}{attribution()}", encoding="utf-8")


if __name__ == "__main__":
    main()
