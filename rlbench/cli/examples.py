"""What `--help` shows last: commands to copy."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "": (
        "rlbench list suites",
        "rlbench init my_agent.py",
        "rlbench run --suite atari100k --agent my_agent.py --tasks Pong --seeds 3",
        "rlbench stats scores.csv --suite atari100k",
        "rlbench compare SPR 'DrQ(eps)' --suite atari100k --store published",
    ),
    "run": (
        "rlbench run --suite atari100k --agent my_agent.py --dry-run",
        "rlbench run --suite atari100k --agent my_agent.py --tasks Pong --seeds 3",
        "rlbench run --suite atari100k --agent random --unofficial budget=2000",
        "rlbench run --suite my_suite.toml --agent my_agent.py",
        "rlbench run --suite atari100k --agent my_agent.py --backend ray",
    ),
    "evaluate": (
        "rlbench evaluate --suite atari100k --agent sb3-zip:ppo.zip --trust",
        "rlbench evaluate --suite atari100k --agent random --tasks Pong --seeds 3",
    ),
    "check": (
        "rlbench check my_agent.py",
        "rlbench check my_agent.py --suite stori --task Boxing --steps 500",
        "rlbench check my_agent.py -o stretch=20 --json",
        "rlbench check --suite my_suite.toml",
        "rlbench check submissions/ann",
        "rlbench check pr --against base --namespace ann",
    ),
    "init": (
        "rlbench init",
        "rlbench init agents/mine.py --force",
        "rlbench init --suite my_suite.toml",
    ),
    "doctor": (
        "rlbench doctor",
        "rlbench doctor --suite atari100k",
        "rlbench doctor --engines --suite atari100k",
    ),
    "status": (
        "rlbench status",
        "rlbench status --store runs --json",
        "rlbench status --clean",
    ),
    "show": (
        "rlbench show atari100k",
        "rlbench show SPR",
        "rlbench show 3f9c --json",
        "rlbench show --video 3f9c",
    ),
    "verify": (
        "rlbench verify 3f9c",
        "rlbench verify --store runs --json",
    ),
    "export": (
        "rlbench export --suite atari100k --csv scores.csv",
        "rlbench export --suite stump-tracks-1m --proposals history.json",
        "rlbench export --suite atari100k --csv -",
        "rlbench export --suite atari100k-sticky --training-episodes 100 --csv t.csv",
    ),
    "stats": (
        "rlbench stats scores.csv --suite atari100k",
        "rlbench stats scores.csv --normalise-by random,human --per-task",
        "rlbench stats --suite atari100k --store runs --store published",
    ),
    "compare": (
        "rlbench compare scores.csv --suite atari100k",
        "rlbench compare SPR 'DrQ(eps)' --suite atari100k --store published",
        "rlbench compare scores.csv --suite atari100k --against 1",
        "rlbench compare my_agent.py random --suite atari100k --run --dry-run",
    ),
    "duel": (
        "rlbench duel sb3-zip:a.zip sb3-zip:b.zip --trust --suite dmc-mini",
        "rlbench duel new=my_agent.py random --suite atari100k --tasks Pong",
    ),
    "study": (
        "rlbench study run ablation.toml --dry-run",
        "rlbench study run ablation.toml",
    ),
    "study run": (
        "rlbench study run ablation.toml --dry-run",
        "rlbench study run ablation.toml --jobs 2",
    ),
    "plan": (
        "rlbench plan scores.csv --suite atari100k",
        "rlbench plan scores.csv --suite atari100k --difference 0.1 --power 0.9",
    ),
    "figures": (
        "rlbench figures scores.csv --suite atari100k --out figures",
        "rlbench figures scores.csv --out figures --kind intervals --format svg",
        "rlbench figures curves.csv --out figures --kind speedups --baseline PPO",
    ),
    "table": (
        "rlbench table scores.csv --suite atari100k",
        "rlbench table scores.csv --suite atari100k --format markdown",
    ),
    "list": (
        "rlbench list suites",
        "rlbench list runs --store published",
    ),
    "list suites": ("rlbench list suites", "rlbench list suites --json"),
    "list tasks": (
        "rlbench list tasks --suite atari100k",
        "rlbench list tasks --suite stori --json",
    ),
    "list agents": ("rlbench list agents", "rlbench list agents --json"),
    "list teachers": ("rlbench list teachers", "rlbench list teachers --json"),
    "list runs": (
        "rlbench list runs",
        "rlbench list runs --store published",
    ),
    "data": (
        "rlbench data fetch neorl2 --task DMSD",
        "rlbench data list",
    ),
    "data fetch": (
        "rlbench data fetch neorl2 --task DMSD",
        "rlbench data fetch procgen-reference",
    ),
    "data list": ("rlbench data list", "rlbench data list --json"),
    "data show": (
        "rlbench data show neorl2 --task DMSD",
        "rlbench data show neorl2 --task DMSD --out dmsd.png",
    ),
    "data import": (
        "rlbench data import hopper_medium-v2.hdf5 --name hopper-medium",
        "rlbench data import ~/.minari/datasets/D4RL/door/human-v2 --name door-human",
    ),
    "data export": (
        "rlbench data export neorl2 --task DMSD --out ~/.minari/datasets",
        "rlbench data export neorl2 --task Fusion --out minari",
    ),
    "submit": (
        "rlbench submit runs --suite atari100k --agent my_agent",
        "rlbench submit runs --card card.toml --actions",
        "rlbench check submissions",
    ),
    "leaderboard": (
        "rlbench leaderboard build --store runs --out site",
        "rlbench leaderboard serve --out site",
    ),
    "leaderboard build": (
        "rlbench leaderboard build --out site",
        "rlbench leaderboard build --store runs --suite atari100k --out site",
        "rlbench leaderboard build --suite my_suite.toml",
    ),
    "leaderboard release": (
        "rlbench leaderboard release --store runs",
        "rlbench leaderboard release --releases releases --date 2026-01-31",
    ),
    "leaderboard serve": (
        "rlbench leaderboard serve --out site",
        "rlbench leaderboard serve --out site --port 0",
    ),
}


def examples(verb: str) -> str:
    """Return the end of a verb's help: its examples, a line each."""
    # Text after \b is not wrapped.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[verb])])
