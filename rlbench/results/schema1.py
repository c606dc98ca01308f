"""Records of schema 1, the form before this one: read and shown, never written.

Their digests and keys hash other names of constants, so they stand apart from newer records.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rlbench.errors import InvalidRecord
from rlbench.results.identity import Identity
from rlbench.results.record import (
    Evaluation,
    Failure,
    Proposals,
    Record,
    Replay,
    Training,
    check_schema,
    from_plain,
)
from rlbench.suites import sha256_of


def upgraded(content: Any) -> Record:
    """Return the record in the content of a file of schema 1.

    Raises:
        InvalidRecord: It breaks the schema, was changed after it was written, or its digest or key
            is not that of its contents.
    """
    check_schema(content, "record1")
    body = {name: value for name, value in content.items() if name != "sha256"}
    if sha256_of(body) != content["sha256"]:
        raise InvalidRecord("it was changed after it was written (its sha256 does not fit)")
    if (content["digest"], content["key"]) != (sha256_of(content["constants"]), _key_of(content)):
        raise InvalidRecord("its digest or key is not that of its contents")
    return Record(
        identity=_identity_of(content),
        status=content["status"],
        error=content["error"] and Failure(**content["error"]),
        budget_used=content["budget_used"],
        evaluations=tuple(from_plain(Evaluation, e) for e in content["evaluations"]),
        training=from_plain(Training, content["training"]),
        provenance=content["provenance"],
        timing=content["timing"],
        proposals=from_plain(Proposals, content["proposals"]) if "proposals" in content else None,
        replay=from_plain(Replay, content["replay"]) if "replay" in content else None,
        old_sha256=content["sha256"],
    )


def _identity_of(content: Mapping[str, Any]) -> Identity:
    return replace(Identity.from_dict(content), old_key=content["key"])


def _key_of(content: Mapping[str, Any]) -> str:
    """Return the key of what was run, by the rule of schema 1."""
    return sha256_of(
        {
            "digest": content["digest"],
            "task": content["task"],
            **_content_of(content["agent"]),
            "teacher": content["teacher"] and _content_of(content["teacher"]),
            "seed": content["seed"],
        }
    )[:16]


def _content_of(agent: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "agent": f"{agent['name']}@{agent['version']}",
        "config": agent["config"],
        "source": agent["source"],
    }
