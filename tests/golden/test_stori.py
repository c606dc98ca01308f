"""Every mode of the original STORI, frame by frame, with the draws that it made."""

import zlib
from typing import Any

import ale_py
import numpy as np
import pytest
from support.golden import OWN, folder, found, read

from rlbench.suites.stori.engine import DisturbedGame
from rlbench.suites.stori.modes import rows_of
from rlbench.suites.stori.perturbations import Schedule

GAMES = {
    "Breakout": "breakout", "Boxing": "boxing", "Gopher": "gopher", "BankHeist": "bank_heist"
}  # fmt: skip


class Recorded:
    """Gives the draws that the original made, in their order."""

    def __init__(self) -> None:
        self.left: list[list[Any]] = []

    def _next(self, *kinds: str) -> Any:
        kind, value, *_ = self.left.pop(0)
        assert kind in kinds
        return value

    def uniform(self) -> float:
        return float(self._next("np.random", "np.rand", "py.random"))

    def below(self, number: int) -> int:
        return int(self._next("space.sample", "np.randint"))

    def one_of(self, options: Any) -> int:
        value = int(self._next("py.choice", "np.choice"))
        assert value in options
        return value


TRACES: list[dict[str, Any]] = [
    trace for path in found("stori_*", folder()) for trace in read(path)["traces"]
]


def test_there_are_cases() -> None:
    if not folder().is_dir():
        pytest.skip(f"no golden cases at {folder()}")
    assert len(TRACES) >= (116 if folder() == OWN else 1)


def setting_of(trace: dict[str, Any]) -> tuple[str, float, Schedule]:
    config = trace["config"]
    intrinsic, partial = config["intrinsic_stochasticity"], config["partial_observation"]
    drift = intrinsic["action_independent_concept_drift"]
    kind, schedule = config["stochasticity_type"], Schedule()
    if kind == "2.2":
        kind = drift["secondary_concept_type"]
        schedule = Schedule(drift["temporal_mode"], drift["temporal_threshold"])
    if kind == "1":
        first = " of the first 10" if trace["game"] == "BankHeist" else ""
        p = intrinsic["action_dependent"]["stochastic_action_prob"]
        return f"random action{first}", p, schedule
    if kind == "2.1":
        event = intrinsic["action_independent_random"]
        return f"event {event['mode']}", event["random_stochasticity_prob"], schedule
    if kind == "3.2":
        return f"{partial['type']} {partial['mode']}", partial["prob"], schedule
    return "none", 0.0, schedule


@pytest.mark.parametrize(
    "trace", [pytest.param(trace, id=f"{trace['game']}-{trace['label']}") for trace in TRACES]
)
def test_as_the_original(trace: dict[str, Any]) -> None:
    game = trace["game"]
    effect, probability, schedule = setting_of(trace)
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    ale.setInt("random_seed", 0)  # of no effect without sticky actions
    ale.loadROM(ale_py.roms.get_rom_path(GAMES[game]))
    ale.reset_game()
    draws = Recorded()
    rows = rows_of(game, effect, probability)
    drift = trace["config"]["intrinsic_stochasticity"]["action_independent_concept_drift"]
    skip = drift.get("skip", 1)
    disturbed = DisturbedGame(ale, rows, schedule, [draws] * len(rows), skip=skip, original=True)
    picture = np.empty((210, 160, 3), np.uint8)

    def check_start(start: dict[str, Any]) -> None:
        draws.left += start["draws"]
        disturbed.begin(picture)
        assert (crc(picture), crc(ale.getRAM())) == (start["obs"], start["ram"])
        assert not draws.left

    def crc(array: np.ndarray) -> int:
        return zlib.crc32(array.tobytes())

    check_start(trace["reset"])
    for number, row in enumerate(trace["rows"]):
        action, sent, reward, terminated, _, lives, ram, ram_crc, obs_crc, drawn = row[:10]
        draws.left += drawn
        got = disturbed.frame(action, picture)
        assert not draws.left, number
        assert disturbed.action == sent[0], number
        assert (got, ale.game_over(), ale.lives()) == (reward, bool(terminated), lives), number
        assert ale.getRAM()[trace["ram_index"]].tolist() == ram, number
        assert crc(ale.getRAM()) == ram_crc, number
        assert crc(picture) == obs_crc, number
        for start in row[10:]:
            ale.reset_game()
            check_start(start)
