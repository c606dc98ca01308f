"""Labels: what agents are called where several are shown; no two share one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import comb
from pathlib import PurePath
from typing import Any

from rlbench.results.identity import AgentId, Identity
from rlbench.results.values import unofficial_text, value_text

MAX_VALUE = 40  # characters of an option's value that are shown
MAX_TEXT = 120  # characters in brackets
_MOST = 5000  # sets of fields that are tried


def labels(identities: Iterable[Identity]) -> dict[str, str]:
    """Return a label for each agent, by `Identity.agent_key`.

    An agent goes by its name, and in a curriculum by its teacher's: ``SAC + ALP-GMM``. Where agents
    share a name, the fewest fields that tell them apart follow: ``hp [k=5]``, ``hp [two:left]``,
    ``hp [version 2]``, ``hp [source 3fa1b2]``, ``hp [given pretraining]``. If labels are still
    alike, the start of the key follows.
    """
    agents = {identity.agent_key: identity for identity in identities}
    groups: dict[str, dict[str, Identity]] = {}
    for key, identity in sorted(agents.items()):
        groups.setdefault(display_name(identity), {})[key] = identity
    found: dict[str, str] = {}
    for name, group in groups.items():
        found |= {key: f"{name}{what}" for key, what in _differences(group).items()}
    return _made_unique(found)


def run_labels(identities: Iterable[Identity]) -> dict[str, str]:
    """Return the label of each run's agent, by the run's key.

    The agents of one suite, with the same unofficial constants, are told apart from each other, as
    on its board.
    """
    groups: dict[tuple[str, str], list[Identity]] = {}
    for identity in identities:
        board = (identity.suite, unofficial_text(identity.unofficial))
        groups.setdefault(board, []).append(identity)
    found = {}
    for group in groups.values():
        names = labels(group)
        found.update({identity.key: names[identity.agent_key] for identity in group})
    return found


def display_name(identity: Identity) -> str:
    """Return the agent's name, and in a curriculum the teacher's: ``SAC + ALP-GMM``."""
    teacher = f" + {identity.teacher.name}" if identity.teacher else ""
    return identity.agent.name + teacher


def all_options(identity: Identity) -> dict[str, Any]:
    """Return the options of the agent and, as ``teacher.NAME``, those of its teacher."""
    teacher = identity.teacher.config if identity.teacher else {}
    return {**identity.agent.config, **{f"teacher.{name}": v for name, v in teacher.items()}}


def _differences(group: Mapping[str, Identity]) -> dict[str, str]:
    """Return in brackets what tells agents of one name apart, or nothing for a single one."""
    if len(group) == 1:
        return dict.fromkeys(group, "")
    fields = {key: dict(_fields(identity)) for key, identity in group.items()}
    names = sorted({name for of_agent in fields.values() for name in of_agent})
    texts = {
        name: [of_agent.get(name, f"{name[1]} unset") for of_agent in fields.values()]
        for name in names
    }
    different = [name for name in names if len(set(texts[name])) > 1]
    chosen = _fewest({name: texts[name] for name in different})
    shown = [
        _cut(", ".join(texts[name][k] for name in chosen), MAX_TEXT) for k in range(len(group))
    ]
    return {key: f" [{text}]" if text else "" for key, text in zip(group, shown, strict=True)}


def _fewest(texts: Mapping[Any, Sequence[str]]) -> tuple[Any, ...]:
    """Return the fewest fields by which all agents differ, the first of these; or else all.

    Where there are very many fields, those that tell most agents apart are taken one by one.
    """
    for size in range(1, len(texts)):
        if comb(len(texts), size) > _MOST:
            return _in_turn(texts)
        for names in combinations(texts, size):
            rows = list(zip(*(texts[name] for name in names), strict=True))
            if len(set(rows)) == len(rows):
                return names
    return tuple(texts)


def _in_turn(texts: Mapping[Any, Sequence[str]]) -> tuple[Any, ...]:
    chosen: list[Any] = []
    apart, most = 1, len(next(iter(texts.values())))
    while apart < most:
        counts = {
            name: len(set(zip(*(texts[n] for n in (*chosen, name)), strict=True))) for name in texts
        }
        best = max(counts, key=counts.__getitem__)
        if counts[best] == apart:
            break
        chosen.append(best)
        apart = counts[best]
    return tuple(chosen)


def _fields(identity: Identity) -> Iterator[tuple[tuple[int, str], str]]:
    """Yield what may tell agents of a name apart: (order, name), and how it is shown."""
    teacher = [("teacher.", identity.teacher)] if identity.teacher else []
    for place, (prefix, who) in enumerate([("", identity.agent), *teacher]):
        said = prefix.replace(".", " ")
        yield (place, f"{said}factory"), said + (who.factory or "of an old record")
        for name, value in who.config.items():
            yield (2 + place, prefix + name), f"{prefix}{name}={_short(value)}"
        yield (4 + place, f"{said}given"), f"{said}given {'+'.join(who.given) or 'nothing'}"
        yield (6 + place, f"{said}code"), said + _code(who)


def _code(who: AgentId) -> str:
    return f"version {who.version}" if who.version else f"source {str(who.source)[:6]}"


def _short(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"file", "sha256"}:
        return f"@{PurePath(str(value['file'])).name} {str(value['sha256'])[:6]}"
    return _cut(value_text(value), MAX_VALUE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _made_unique(found: Mapping[str, str]) -> dict[str, str]:
    """Return labels by key, with the start of the key behind those that are alike."""
    for digits in (6, 16):
        marked: set[str] = set()
        while True:
            now = {k: f"{v} #{k[:digits]}" if k in marked else v for k, v in found.items()}
            counts = Counter(now.values())
            alike = {key for key, label in now.items() if counts[label] > 1}
            if not alike:
                return now
            if alike <= marked:  # keys that begin alike
                break
            marked |= alike
    raise AssertionError("two agents have one key")
