"""What is kept: records, the store, and scores as arrays."""

from rlbench.results.record import (
    AgentId,
    Evaluation,
    Failure,
    Identity,
    Phase,
    Record,
    Status,
    Training,
)
from rlbench.results.scores import Scores, belongs, collect, rows, unofficial_text, write_csv
from rlbench.results.store import Loaded, Problem, Store
from rlbench.results.tables import read_csv, select

__all__ = [
    "AgentId",
    "Evaluation",
    "Failure",
    "Identity",
    "Loaded",
    "Phase",
    "Problem",
    "Record",
    "Scores",
    "Status",
    "Store",
    "Training",
    "belongs",
    "collect",
    "read_csv",
    "rows",
    "select",
    "unofficial_text",
    "write_csv",
]
