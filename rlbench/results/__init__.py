"""What is kept: records, the store, and scores as arrays."""

from rlbench.results.claims import Claim, ClaimFile, read_claim
from rlbench.results.files import read_scores
from rlbench.results.identity import AgentId, Identity, identities
from rlbench.results.record import (
    Engine,
    Evaluation,
    Failure,
    Phase,
    Proposals,
    Record,
    Replay,
    Status,
    Training,
)
from rlbench.results.score_files import Runs, ScoreFile, select
from rlbench.results.scores import Scores, belongs, collect, rows, write_csv
from rlbench.results.store import Loaded, Problem, Store
from rlbench.results.values import unofficial_text

__all__ = [
    "AgentId",
    "Claim",
    "ClaimFile",
    "Engine",
    "Evaluation",
    "Failure",
    "Identity",
    "Loaded",
    "Phase",
    "Problem",
    "Proposals",
    "Record",
    "Replay",
    "Runs",
    "ScoreFile",
    "Scores",
    "Status",
    "Store",
    "Training",
    "belongs",
    "collect",
    "identities",
    "read_claim",
    "read_scores",
    "rows",
    "select",
    "unofficial_text",
    "write_csv",
]
