"""Labels say what tells agents apart, and no two agents share one."""

import csv
import io
from dataclasses import replace

import pytest
from support.records import ATARI, make_record

from rlbench.leaderboard.boards import make_boards
from rlbench.results import AgentId, Identity, collect, rows, write_csv
from rlbench.results.labels import labels, run_labels
from rlbench.results.published import load


def identity(name: str = "hp", **changes: object) -> Identity:
    agent = AgentId(
        name=name, version="", spec="hp.py", config={}, source="3fa1b2" + "0" * 58,
        factory="hp:make",
    )  # fmt: skip
    return replace(make_record().identity, agent=replace(agent, **changes))


def shown(*identities: Identity) -> list[str]:
    found = labels(identities)
    assert len(found) == len(set(found.values()))
    return [found[one.agent_key] for one in identities]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{}], ["hp"]),
        ([{"config": {"k": 5}}, {"config": {"k": 7}}], ["hp [k=5]", "hp [k=7]"]),
        ([{"config": {"k": 5}}, {}], ["hp [k=5]", "hp [k unset]"]),
        ([{"config": {"k": 5}}, {"config": {"k": "5"}}], ["hp [k=5]", 'hp [k="5"]']),
        (
            [{"config": {"k": k, "lr": lr, "n": 1}} for k, lr in [(5, 1), (5, 2), (7, 1)]],
            ["hp [k=5, lr=1]", "hp [k=5, lr=2]", "hp [k=7, lr=1]"],
        ),
        (
            [{"version": "1", "source": None}, {"version": "2", "source": None}],
            ["hp [version 1]", "hp [version 2]"],
        ),
        (
            [{"version": "2", "source": None}, {}],
            ["hp [version 2]", "hp [source 3fa1b2]"],
        ),
        ([{"factory": "two:left"}, {"factory": "two:fire"}], ["hp [two:left]", "hp [two:fire]"]),
        ([{"given": ("pretraining",)}, {}], ["hp [given pretraining]", "hp [given nothing]"]),
        (
            [{"config": {"w": {"file": "w.npz", "sha256": digit * 64}}} for digit in "12"],
            ["hp [w=@w.npz 111111]", "hp [w=@w.npz 222222]"],
        ),
        ([{"factory": ""}, {}], ["hp [of an old record]", "hp [hp:make]"]),
    ],
)  # fmt: skip
def test_the_fewest_fields_that_differ_are_shown(changes: list[dict], expected: list[str]) -> None:
    assert shown(*(identity(**change) for change in changes)) == expected


def test_teachers_tell_agents_apart_too() -> None:
    teacher = AgentId(
        name="ALP", version="1", spec="alp", config={"bins": 3}, source=None, factory="alp:make"
    )
    others = [teacher, replace(teacher, config={"bins": 4}), replace(teacher, name="uniform")]
    agents = [identity("SAC"), *(replace(identity("SAC"), teacher=other) for other in others)]
    assert shown(*agents) == [
        "SAC", "SAC + ALP [teacher.bins=3]", "SAC + ALP [teacher.bins=4]", "SAC + uniform",
    ]  # fmt: skip
    record = replace(
        make_record(), identity=replace(agents[2], agent=identity("SAC", config={"k": 5}).agent)
    )
    assert rows([record], ATARI)[0]["options"] == "k=5,teacher.bins=4"
    newer = replace(teacher, version="2")
    assert shown(*(replace(identity("SAC"), teacher=one) for one in (teacher, newer))) == [
        "SAC + ALP [teacher version 1]", "SAC + ALP [teacher version 2]",
    ]  # fmt: skip


def test_an_agent_named_like_a_label_replaces_nobody() -> None:
    five, seven = identity(config={"k": 5}), identity(config={"k": 7})
    imitation = identity("hp [k=5]")
    found = shown(five, seven, imitation)
    assert found[0] == f"hp [k=5] #{five.agent_key[:6]}"
    assert found[1] == "hp [k=7]"
    again = identity(found[0])
    assert len(set(shown(five, seven, imitation, again))) == 4
    teacher = replace(five.agent, name="x")
    assert len(set(shown(identity("a + x"), replace(identity("a"), teacher=teacher)))) == 2


def test_values_that_look_alike_when_cut_off_are_told_apart() -> None:
    many = [identity(config={"text": "x" * 100 + str(k)}) for k in range(3)]
    found = shown(*many)
    assert all(len(label) < 70 for label in found)
    assert found[0].endswith(f"#{many[0].agent_key[:6]}")


def test_many_options_are_handled_in_time_and_space() -> None:
    one_of_many = [
        identity(config={f"o{k:03}": int(k == agent) for k in range(200)}) for agent in range(40)
    ]
    assert max(map(len, shown(*one_of_many))) < 140
    drawn = [
        identity(config={f"o{k:03}": (agent >> k % 6) & 1 for k in range(200)})
        for agent in range(40)
    ]
    assert shown(*drawn)[5] == "hp [o000=1, o001=0, o002=1, o003=0, o004=0, o005=0]"


def test_labels_are_the_same_wherever_agents_are_shown() -> None:
    other = ATARI.make_unofficial({"budget": 5})
    records = [
        make_record(agent="hp", config={"k": 5}, score=1.0),
        make_record(agent="hp", config={"k": 7}, status="failed"),
        make_record(agent="hp", config={"k": 9}, suite=other),
        make_record(agent="hp [k=5]", score=3.0),
    ]
    five = f"hp [k=5] #{records[0].identity.agent_key[:6]}"
    mine = collect(records, ATARI)
    assert five in mine.values
    assert mine.values[five]["Pong"].tolist() == [1.0]
    assert len(mine.values) == 2
    table = rows(records, ATARI)
    assert [row["agent"] for row in table[:2]] == [five, "hp [k=7]"]
    assert [row["options"] for row in table[:2]] == ["k=5", "k=7"]
    out = io.StringIO()
    write_csv(table, out)
    assert next(csv.DictReader(io.StringIO(out.getvalue())))["agent"] == five
    by_run = run_labels(record.identity for record in records)
    assert [by_run[r.identity.key] for r in records[:3]] == [five, "hp [k=7]", "hp"]
    board, _ = make_boards(records, papers=frozenset(), only=["atari100k"])
    assert not board.unofficial
    assert {entry.agent for entry in board.own} == set(mine.values)
    assert dict(board.without_scores) == {"hp [k=7]": 1}


def test_an_agent_named_like_a_published_one_on_a_board() -> None:
    names = ("SPR", "SPR (published)")
    records = [make_record(agent=name) for name in names]
    papers = frozenset({load(ATARI)["SPR"].source.slug})
    (board,) = make_boards(records, papers=papers, only=["atari100k"])
    agents = [entry.agent for entry in board.entries]
    assert len(agents) == len(set(agents))
    assert "SPR (published) (published)" in agents
