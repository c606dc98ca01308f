"""The published sources: whose scores, from where, under which licence, and under what protocol.

What each protocol does was read in the code of the repositories, where that was possible; where it
was not, the field is None. Three kinds of score are told apart: evaluation episodes after training,
evaluation episodes while training, and returns of training episodes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rlbench.results.published.fields import (
    BEST_OF_GRID,
    DIGITISED,
    LAST,
    NEVER_RANKED,
    SEPARATE,
    TRAINING_RETURN,
    WHILE_TRAINING,
    Fields,
)
from rlbench.suites import slug
from rlbench.suites.papers import Field


class Repository(NamedTuple):
    """Where scores were taken from.

    Attributes:
        name: On GitHub.
        commit: The commit that was read.
        licence: What it says of itself.
    """

    name: str
    commit: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSource:
    """Scores of one agent under one protocol, as somebody published them.

    Attributes:
        slug: Its name, e.g. ``atari100k.spr``.
        agent: The display name; one of a board.
        boards: The suites whose tasks it has scores of; the one that it is nearest to first.
        file: The file beside this module with its scores.
        paper: Whose agent it is, and whose runs, if that is somebody else.
        repository: Where the scores were taken from.
        path: Of the file or the files in the repository.
        note: What a reader must know, if there is anything.
        fields: The protocol, without the budget, which is computed from the scores' steps.
        means_only: Each task has one mean over runs, and no runs.
        pairs: A run has the same seed on every task, so runs may be resampled whole.
    """

    slug: str
    agent: str
    boards: tuple[str, ...]
    file: str
    paper: str
    repository: Repository
    path: str
    note: str
    fields: Fields
    means_only: bool
    pairs: bool

    @property
    def url(self) -> str:
        """The repository as it was read."""
        return f"https://github.com/{self.repository.name}/tree/{self.repository.commit}"

    @property
    def year(self) -> str:
        """The year in which the scores were published: the last that `paper` names."""
        return str(re.findall(r"\b\d{4}", self.paper)[-1])

    @property
    def licence(self) -> str:
        """The licence of the repository; only figures and names were taken."""
        return self.repository.licence

    @property
    def never_ranked(self) -> str:
        """Why its scores are shown but never ranked; nothing if they may be."""
        if self.means_only:
            return "its scores are means, not runs"
        return NEVER_RANKED.get(str(self.fields["selection"]), "")


def slug_of(protocol: str, algorithm: str) -> str:
    """Return the slug of a source by the names that the raw tables give it.

    >>> slug_of("dmc_state_tdmpc2", "TD-MPC2")
    'dmc-state-tdmpc2.td-mpc2'
    """
    return f"{slug(protocol).replace('_', '-')}.{slug(algorithm)}"


_IRIS_REPO = Repository("eloialonso/iris", "24326aaaa283c527f42b89b44cfdecf2665a7a16", "GPL-3.0")
_DIAMOND_REPO = Repository("eloialonso/diamond", "5bcd1599755b4f2fae8e5e079e02f0728e174965", "MIT")
_DELTA_IRIS_REPO = Repository(
    "vmicheli/delta-iris", "f8d417321717a3d7012488785d7cdc66b62455dd", "GPL-3.0"
)
_TWM_REPO = Repository("jrobine/twm", "e6a8e599864f5539b166ee9a8d173ece8f3fba84", "MIT")
_STORM_REPO = Repository(
    "weipu-zhang/STORM", "1c50658e379d9470ba934f16ee72e810fc503f4e", "none given"
)
_REM_REPO = Repository("leor-c/REM", "34828c30952bdb1dfc80b410d02ceabb4bf4a3f4", "GPL-3.0")
_SIMULUS_REPO = Repository("leor-c/Simulus", "c1e75e9c98699dfde47190b03420e12a519d7245", "GPL-3.0")
_DREAMER_REPO = Repository("danijar/dreamerv3", "e3f02248693a79dc8b0ebd62c93683888ddaccfe", "MIT")
_GOOGLE_REPO = Repository(
    "google-research/google-research", "5e786838e9825e74992a9884bc079d46734f1baf", "Apache-2.0"
)
_TDMPC_REPO = Repository("nicklashansen/tdmpc", "f4d85eca7419039b71bab2234ffc8aca378dd313", "MIT")
_TDMPC2_REPO = Repository("nicklashansen/tdmpc2", "e9f59321933cbc8e11a002b842adc7d4ffae8ff1", "MIT")
_SIMBA_REPO = Repository(
    "SonyResearch/simba", "7d0358b1f1fa3404fc5ea0ffedf9dc1424b49a45", "Apache-2.0"
)
_SIMBAV2_REPO = Repository(
    "DAVIAN-Robotics/SimbaV2", "86899c277cdc697b2b02d827243de1ea93f20a1d", "Apache-2.0"
)
_TRAIN_PROCGEN_REPO = Repository(
    "openai/train-procgen", "1a2ae2194a61f76a733a39339530401c024c3ad8", "MIT"
)
_PPG_REPO = Repository(
    "openai/phasic-policy-gradient", "7295473f0185c82f9eb9c1e17a373135edd8aacc", "MIT"
)
_STORI_REPO = Repository("ARY2260/stori", "84a13802ebd3b3e1af571b9d1d84df5151e06984", "none given")
_NEORL2_REPO = Repository(
    "polixir/NeoRL2",
    "b50d91d0a65916a89342a4f6978188b17cb2d97a",
    "Apache-2.0 (code), CC BY 4.0 (data)",
)
_PARKOUR_REPO = Repository(
    "flowersteam/TeachMyAgent", "ce153440840a7073849112b868d82ed5231ff1a2", "MIT"
)

_ATARI = ("atari100k", "atari100k-rgb64", "atari100k-sticky")
_ATARI_RGB = ("atari100k-rgb64", "atari100k", "atari100k-sticky")

# The fields of Atari 100k. Dopamine, IRIS and its two descendants, DIAMOND, DreamerV3, TWM and
# STORM were read in code; the others are from papers, and None where these do not say.
_UNKNOWN: Fields = dict.fromkeys(
    ("sticky_actions", "action_set", "image", "resize", "stack", "no_ops", "life_loss",
     "episode_limit", "episodes", "score", "selection"),
)  # fmt: skip
_TERMINAL = "terminal, the game goes on"
_EPISODIC = "terminal, the game goes on after a no-op"
_DOPAMINE: Fields = {
    "sticky_actions": 0.0,
    "action_set": "minimal",
    "image": "84x84 gray",
    "resize": "area",
    "stack": 4,
    "no_ops": "0 to 29 agent steps",
    "life_loss": _TERMINAL,
    "episode_limit": 27_000,
    "episodes": 100,
    "score": SEPARATE,
    "selection": LAST,
}
_OF_IRIS: Fields = {
    "sticky_actions": 0.0,
    "action_set": "minimal",
    "image": "64x64 colour",
    "resize": "bilinear, each frame before pooling",
    "stack": 1,
    "no_ops": "1 to 30 frames; 1 in evaluation",
    "life_loss": _EPISODIC,
    "episode_limit": 5_000,
    "episodes": 100,
    "score": SEPARATE,
    "selection": LAST,
}
_OF_DREAMER: Fields = {
    "sticky_actions": 0.0,
    "action_set": "minimal",
    "image": "64x64 colour",
    "resize": "bilinear",
    "stack": 1,
    "no_ops": "0 to 30 frames",
    "life_loss": "not reported",
    "episode_limit": 27_000,
    "episodes": "those that ended",
    "score": TRAINING_RETURN,
    "selection": "mean of the last 10,000 frames",
}


def _source(
    raw: tuple[str, str],
    *,
    agent: str = "",
    boards: tuple[str, ...],
    file: str,
    paper: str,
    repository: Repository,
    path: str,
    fields: Fields,
    note: str = "",
    means_only: bool = False,
    pairs: bool = False,
) -> PublishedSource:
    """Return a source by its protocol and algorithm in the raw tables."""
    return PublishedSource(
        slug=slug_of(*raw),
        agent=agent or raw[1],
        boards=boards,
        file=file,
        paper=paper,
        repository=repository,
        path=path,
        note=note,
        fields=fields,
        means_only=means_only,
        pairs=pairs,
    )


def _atari(
    algorithm: str,
    paper: str,
    repository: Repository,
    path: str,
    fields: Fields,
    *,
    note: str = "",
    boards: tuple[str, ...] = _ATARI,
    means_only: bool = False,
) -> PublishedSource:
    protocol = "atari100k_means_only" if means_only else "atari100k"
    return _source(
        (protocol, algorithm), boards=boards, file="atari100k", paper=paper,
        repository=repository, path=path, fields=fields, note=note, means_only=means_only,
    )  # fmt: skip


_RERUN = "runs by Agarwal et al. 2021"
_ATARI_SOURCES = (
    _atari(
        "SimPLe", f"Kaiser et al. 2020; {_RERUN}", _IRIS_REPO, "results/data/SimPLe.json",
        {**_UNKNOWN, "sticky_actions": 0.0, "image": "105x80 colour", "stack": 4,
         "life_loss": "not reported", "score": SEPARATE},
        note="5 runs as they came with the scores of Agarwal et al.",
    ),
    _atari(
        "CURL", f"Laskin et al. 2020; {_RERUN}", _IRIS_REPO, "results/data/CURL_10_evals.json",
        {**_UNKNOWN, "sticky_actions": 0.0, "image": "84x84 gray", "stack": 4,
         "life_loss": _TERMINAL, "episode_limit": 27_000, "score": SEPARATE, "selection": LAST},
        note="The last of ten evaluations, not the best, which the original paper reports. The "
        "source holds normalised scores; these are turned back.",
    ),
    _atari(
        "DrQ(eps)", "Yarats et al. 2021; variant and runs by Agarwal et al. 2021", _IRIS_REPO,
        "results/data/DrQ(eps).json", _DOPAMINE,
        note="Dopamine; evaluated with epsilon .001.",
    ),
    _atari(
        "SPR", f"Schwarzer et al. 2021a; {_RERUN}", _IRIS_REPO, "results/data/SPR.json", _DOPAMINE,
        note="Dopamine; evaluated with epsilon .001. The original's own runs are not public.",
    ),
    _atari(
        "BBF", "Schwarzer et al. 2023", _GOOGLE_REPO, "bigger_better_faster/scores/RR8_BBF.csv",
        _DOPAMINE,
        note="Replay ratio 8; rounded to two decimals; 52 to 60 runs a game, not the sample of "
        "the paper. Transcribed by hand.",
    ),
    _atari(
        "TWM", "Robine et al. 2023", _TWM_REPO, "results/scores.json",
        {**_DOPAMINE, "image": "64x64 gray", "life_loss": _EPISODIC,
         "no_ops": "1 to 30 frames; after FIRE 1 to 30 agent steps"},
        note="Presses FIRE at a start and after a lost life, where the game has it.",
    ),
    _atari(
        "IRIS", "Micheli et al. 2023", _IRIS_REPO, "results/data/IRIS.json", _OF_IRIS,
        boards=_ATARI_RGB,
    ),
    _atari(
        "delta-IRIS", "Micheli et al. 2024", _DELTA_IRIS_REPO, "results/atari.json",
        {**_OF_IRIS, "episodes": None}, boards=_ATARI_RGB,
        note="Scores are sorted game by game. By its readme they are slightly above the paper's.",
    ),
    _atari(
        "REM", "Cohen et al. 2024", _REM_REPO, "results/data/REM.json",
        {**_OF_IRIS, "episodes": None}, boards=_ATARI_RGB,
    ),
    _atari(
        "Simulus", "Cohen et al. 2025", _SIMULUS_REPO, "results/data/atari/Simulus.json",
        {**_UNKNOWN, "sticky_actions": 0.0, "episodes": 100, "score": SEPARATE, "selection": LAST},
        boards=_ATARI_RGB,
    ),
    _atari(
        "DIAMOND", "Alonso et al. 2024", _DIAMOND_REPO, "results/data/DIAMOND.json",
        {**_OF_IRIS, "resize": "area", "no_ops": "1 to 30 frames", "life_loss": _TERMINAL,
         "episode_limit": 27_000},
        boards=_ATARI_RGB,
    ),
    _atari(
        "STORM", "Zhang et al. 2023", _STORM_REPO, "results/storm.json",
        {**_OF_IRIS, "sticky_actions": 0.25, "resize": "area", "no_ops": "none",
         "life_loss": "reported, the game goes on", "episode_limit": 27_000, "episodes": 20},
        boards=_ATARI_RGB,
        note="Sticky actions are the default of the version 5 environments, which the code takes. "
        "Freeway is 0 in all released runs; tables in papers have 33.5, with demonstrations.",
    ),
    _atari(
        "DreamerV3 (2023)", "Hafner et al. 2023", _REM_REPO, "results/data/dreamerv3.json",
        {**_UNKNOWN, "sticky_actions": 0.0, "image": "64x64 colour", "stack": 1},
        boards=_ATARI_RGB,
        note="As redistributed with REM; two games differ a little from printed tables.",
    ),
    _atari(
        "DreamerV3", "Hafner et al. 2025", _DREAMER_REPO, "scores/atari100k-dreamerv3.json.gz",
        _OF_DREAMER, boards=_ATARI_RGB,
        note="8 of 130 runs end no episode in the last 10,000 frames; they hold the mean of the "
        "last 10,000 in which one did. The paper leaves them out.",
    ),
    _atari(
        "PPO (fixed hyperparameters)", "Schulman et al. 2017; runs by Hafner et al. 2025",
        _DREAMER_REPO, "scores/atari100k-ppo_fixhp.json.gz", _OF_DREAMER, boards=_ATARI_RGB,
        note="1 of 130 runs ends no episode in the last 10,000 frames; it holds the mean of the "
        "last 10,000 in which one did.",
    ),
    _atari(
        "EfficientZero", "Ye et al. 2021", _IRIS_REPO, "results/data/EfficientZero.json",
        {**_UNKNOWN, "sticky_actions": 0.0, "image": "96x96 colour", "stack": 4,
         "no_ops": "1 to 30 frames", "life_loss": _EPISODIC, "episode_limit": 3_000,
         "episodes": 32, "score": SEPARATE, "selection": LAST},
        means_only=True, note="After the budget it goes on learning for 20,000 updates.",
    ),
    _atari(
        "MuZero", "Schrittwieser et al. 2020; as reported by Ye et al. 2021", _IRIS_REPO,
        "results/data/MuZero.json", {**_UNKNOWN, "sticky_actions": 0.0}, means_only=True,
    ),
)  # fmt: skip

_OF_STORI: Fields = {
    "sticky_actions": 0.0,
    "action_set": "minimal",
    "image": "64x64 colour",
    "resize": "area",
    "stack": 1,
    "episodes": 100,
    "score": WHILE_TRAINING,
    "selection": DIGITISED,
}
_BARS = (
    "Read from a bar chart: the whiskers are taken for the range of the three runs, and the third "
    "run follows from the mean. Precise to about .08 (Breakout), .07 (Boxing), 25 (Gopher) and 1 "
    "(BankHeist) at the ends, three times that in the middle; sorted task by task."
)
_STORI_STARTS: Mapping[str, Fields] = {
    "DreamerV3": {
        "no_ops": "0 to 29 frames", "life_loss": "not reported", "episode_limit": 27_000,
    },
    "STORM": {
        "no_ops": "none", "life_loss": "reported, the game goes on", "episode_limit": None,
    },
}  # fmt: skip
_STORI_SOURCES = tuple(
    _source(
        ("stori_100k", algorithm), boards=("stori-original", "stori"), file="stori",
        paper=f"{paper}; runs by Barsainyan et al. 2025", repository=_STORI_REPO,
        path="stori/docs/full_results.png",
        fields={**_OF_STORI, **_STORI_STARTS[algorithm]}, note=_BARS,
    )
    for algorithm, paper in (("DreamerV3", "Hafner et al. 2023"), ("STORM", "Zhang et al. 2023"))
)  # fmt: skip


def _dmc(
    protocol: str,
    algorithm: str,
    agent: str,
    paper: str,
    repository: Repository,
    path: str,
    fields: Fields,
    *,
    boards: tuple[str, ...] = ("dmc-state",),
    note: str = "",
) -> PublishedSource:
    return _source(
        (protocol, algorithm), agent=agent, boards=boards, file="dmc", paper=paper,
        repository=repository, path=path, fields=fields, note=note,
    )  # fmt: skip


# Which of the two the source logged is not said: returns of training or of evaluation.
_OF_PROPRIO: Fields = {
    "action_repeat": 2,
    "observation": "state",
    "stack": 1,
    "episodes": None,
    "score": None,
    "selection": "mean of the last 5% of the budget",
}
_OF_VISION: Fields = {**_OF_PROPRIO, "observation": None, "stack": None}
_OF_TDMPC2: Fields = {
    "action_repeat": 2,
    "observation": "state",
    "stack": 1,
    "episodes": 10,
    "score": WHILE_TRAINING,
    "selection": LAST,
}
_LOGGED: Fields = {
    "action_repeat": None,
    "observation": "state",
    "stack": 1,
    "episodes": None,
    "score": WHILE_TRAINING,
    "selection": LAST,
}
_BY_HAFNER = "runs by Hafner et al. 2025"
_HARD = ("dmc-state", "dmc-hard")
_FIXED = "PPO (fixed hyperparameters)"
_NO_TURN = "`finger_turn` says neither easy nor hard and is left out."

_DMC_SOURCES = (
    *(
        _dmc(
            "dmc_proprio_500k", algorithm, algorithm, paper, _DREAMER_REPO,
            f"scores/dmc_proprio-{path}.json.gz", _OF_PROPRIO,
        )
        for algorithm, paper, path in (
            ("DreamerV3", "Hafner et al. 2025", "dreamerv3"),
            ("D4PG", f"Barth-Maron et al. 2018; {_BY_HAFNER}", "d4pg"),
            ("DDPG", f"Lillicrap et al. 2016; {_BY_HAFNER}", "ddpg"),
            ("DMPO", f"Abdolmaleki et al. 2020; {_BY_HAFNER}", "dmpo"),
            ("MPO", f"Abdolmaleki et al. 2018; {_BY_HAFNER}", "mpo"),
            (_FIXED, f"Schulman et al. 2017; {_BY_HAFNER}", "ppo_fixhp"),
        )
    ),
    _dmc(
        "dmc_proprio_500k", "Simulus", "Simulus", "Cohen et al. 2025", _SIMULUS_REPO,
        "results/data/dmc/Simulus.json",
        {**_LOGGED, "score": None, "selection": None},
    ),
    *(
        _dmc(
            "dmc_vision_1m", algorithm, algorithm, paper, _DREAMER_REPO,
            f"scores/dmc_vision-{path}.json.gz", _OF_VISION, boards=("dmc-vision",), note=note,
        )
        for algorithm, paper, path, note in (
            ("DreamerV3", "Hafner et al. 2025", "dreamerv3", ""),
            ("DrQ-v2", f"Yarats et al. 2022; {_BY_HAFNER}", "drqv2", ""),
            ("CURL", f"Laskin et al. 2020; {_BY_HAFNER}", "curl", ""),
            ("SAC (pixels)", f"Haarnoja et al. 2018; {_BY_HAFNER}", "sac",
             "Two runs that ended at step 0 are left out."),
            (_FIXED, f"Schulman et al. 2017; {_BY_HAFNER}", "ppo_fixhp", ""),
        )
    ),
    _dmc(
        "dmc_vision_tdmpc2", "TD-MPC2 (pixels)", "TD-MPC2 (pixels)", "Hansen et al. 2024",
        _TDMPC2_REPO, "results/tdmpc2-pixels/",
        {**_OF_TDMPC2, "observation": "64x64 colour", "stack": 3}, boards=("dmc-vision",),
    ),
    *(
        _dmc(
            protocol, algorithm, f"{agent}{suffix}", paper, _TDMPC2_REPO, f"results/{path}/",
            {**_OF_TDMPC2, "selection": selection}, boards=_HARD,
            note="The 11 tasks that TD-MPC2 adds to the suite are left out.",
        )
        for protocol, suffix, selection in (
            ("dmc_state_tdmpc2_at1m", " at 1M", "the point at 1M of a longer run"),
            ("dmc_state_tdmpc2", "", LAST),
        )
        for algorithm, agent, paper, path in (
            ("TD-MPC2", "TD-MPC2", "Hansen et al. 2024", "tdmpc2"),
            ("DreamerV3", "DreamerV3 (TD-MPC2 paper)",
             "Hafner et al. 2023; runs by Hansen et al. 2024", "dreamerv3"),
            ("SAC", "SAC (TD-MPC2 paper)",
             "Haarnoja et al. 2018; runs by Hansen et al. 2024", "sac"),
            ("TD-MPC", "TD-MPC (TD-MPC2 paper)",
             "Hansen et al. 2022; runs by Hansen et al. 2024", "tdmpc"),
        )
    ),
    _dmc(
        "dmc_state_tdmpc", "TD-MPC (original)", "TD-MPC (original)", "Hansen et al. 2022",
        _TDMPC_REPO, "results/", _LOGGED, boards=_HARD,
    ),
    *(
        _dmc(
            "dmc_state_simba", algorithm, agent, paper, _SIMBA_REPO, f"results/{path}.csv",
            _LOGGED, boards=_HARD, note=note,
        )
        for algorithm, agent, paper, path, note in (
            ("SimBa-SAC", "SimBa-SAC", "Lee et al. 2025a", "sac_simba", ""),
            ("SimBa-DDPG", "SimBa-DDPG", "Lee et al. 2025a", "ddpg_simba", ""),
            ("TD-MPC2 + SimBa", "TD-MPC2 + SimBa", "Lee et al. 2025a", "tdmpc2_simba", ""),
            ("SAC", "SAC (SimBa paper)",
             "Haarnoja et al. 2018; runs by Lee et al. 2025a", "sac", ""),
            ("DDPG (SimBa paper)", "DDPG (SimBa paper)",
             "Lillicrap et al. 2016; runs by Lee et al. 2025a", "ddpg", ""),
            ("DreamerV3", "DreamerV3 (SimBa paper)",
             "Hafner et al. 2023; runs by Lee et al. 2025a", "dreamerv3", ""),
            ("TD7", "TD7", "Fujimoto et al. 2023; runs by Lee et al. 2025a", "td7", ""),
            ("BRO (UTD 2)", "BRO (UTD 2, SimBa paper)",
             "Nauman et al. 2024; runs by Lee et al. 2025a", "bro",
             f"The file is named bro, but it is the variant of UTD 2. {_NO_TURN}"),
        )
    ),
    *(
        _dmc(
            "dmc_state_simbav2", algorithm, algorithm, paper, _SIMBAV2_REPO,
            f"results/baseline/{path}.csv", _LOGGED, boards=_HARD, note=note,
        )
        for algorithm, paper, path, note in (
            ("SimbaV2 (UTD 2)", "Lee et al. 2025b", "simbaV2_utd2", ""),
            ("SimbaV2 (UTD 8)", "Lee et al. 2025b", "simbaV2_utd8", ""),
            ("BRO (UTD 2)", "Nauman et al. 2024; runs by Lee et al. 2025b", "bro_utd2", _NO_TURN),
            ("BRO (UTD 10)", "Nauman et al. 2024; runs by Lee et al. 2025b", "bro_utd10",
             _NO_TURN),
            ("SAC (SimbaV2 paper)", "Haarnoja et al. 2018; runs by Lee et al. 2025b", "sac", ""),
        )
    ),
)  # fmt: skip


def _procgen(
    protocol: str,
    algorithm: str,
    agent: str,
    paper: str,
    repository: Repository,
    path: str,
    *,
    train_levels: str,
    scored_on: str,
    selection: str,
    score: str = TRAINING_RETURN,
    note: str = "",
) -> PublishedSource:
    mode = protocol.split("_")[1]
    fields: Mapping[str, Field] = {
        "levels": mode,
        "train_levels": train_levels,
        "scored_on": scored_on,
        "episodes": "a running mean",
        "score": score,
        "selection": selection,
    }
    return _source(
        (protocol, algorithm), agent=agent, boards=(f"procgen-{mode}",), file="procgen",
        paper=paper, repository=repository, path=path, fields=fields, note=note,
    )  # fmt: skip


_END = "mean of the last 2% of the steps"
_PROCGEN_SOURCES = (
    *(
        _procgen(
            f"procgen_{mode}_{levels}_{split}", "PPO", agent, "Cobbe et al. 2020",
            _TRAIN_PROCGEN_REPO, f"train_procgen/results/{mode}-{levels}-run*/",
            train_levels=levels, scored_on=scored_on, selection=_END, score=score,
            note="A running mean over 100 episodes; easy runs go on to 50 million steps."
            if mode == "easy" else "A running mean over 100 episodes; steps are logged per worker "
            "and are taken four times.",
        )
        for mode, few in (("easy", "200"), ("hard", "500"))
        for levels, split, agent, scored_on, score in (
            (few, "test", "PPO", "all levels", WHILE_TRAINING),
            (few, "train", "PPO (training levels)", "the training levels", TRAINING_RETURN),
            ("all", "train", "PPO (all levels)", "all levels", TRAINING_RETURN),
        )
    ),
    *(
        _procgen(
            "procgen_hard_all_train_100m", algorithm, agent, "Cobbe et al. 2021", _PPG_REPO,
            f"phasic_policy_gradient/results/{path}-run*/", train_levels="all",
            scored_on="all levels", selection=_END,
        )
        for algorithm, agent, path in (
            ("PPG", "PPG (100M)", "ppg"),
            ("PPO", "PPO (100M)", "ppo"),
            ("PPG (KL penalty)", "PPG (100M, KL penalty)", "ppgkl"),
            ("PPG (single network)", "PPG (100M, single network)", "ppgsingle"),
        )
    ),
    *(
        _procgen(
            "procgen_hard_all_train_50m", algorithm, agent, paper, _DREAMER_REPO,
            f"scores/procgen-{path}.json.gz", train_levels="all", scored_on="all levels",
            selection="mean of the last 1,250,000 steps", note=note,
        )
        for algorithm, agent, paper, path, note in (
            ("DreamerV3", "DreamerV3", "Hafner et al. 2025", "dreamerv3", "One run a game."),
            ("PPG", "PPG (50M)", f"Cobbe et al. 2021; {_BY_HAFNER}", "ppg",
             "Longer runs, cut at 50 million steps."),
            (_FIXED, _FIXED, f"Schulman et al. 2017; {_BY_HAFNER}", "ppo_fixhp", ""),
        )
    ),
)  # fmt: skip

_OF_NEORL2: Fields = {
    "dataset": "train",
    "episodes": 1000,
    "score": WHILE_TRAINING,
    "selection": BEST_OF_GRID,
}
_CHOSEN = "Task by task the options with the best mean return in the environment over 3 seeds."
_POOLED = f"{_CHOSEN} The original's script pools the runs of two configurations."
_NEORL2_SOURCES = tuple(
    _source(
        ("neorl2_train99", algorithm), boards=("neorl2",), file="neorl2",
        paper=f"{paper}; runs by Gao et al. 2025" if paper else "Runs by Gao et al. 2025",
        repository=_NEORL2_REPO, path=f"benchmark/results/*-{path}/log.csv", fields=_OF_NEORL2,
        note=note, pairs=note == _CHOSEN,
    )
    for algorithm, paper, path, note in (
        ("BC", "", "bc", _CHOSEN),
        ("CQL", "Kumar et al. 2020", "cql", _CHOSEN),
        ("EDAC", "An et al. 2021", "edac", _CHOSEN),
        ("MCQ", "Lyu et al. 2022", "mcq", _CHOSEN),
        ("TD3+BC", "Fujimoto and Gu 2021", "td3bc", _CHOSEN),
        ("MOPO", "Yu et al. 2020", "mopo", _POOLED),
        ("COMBO", "Yu et al. 2021", "combo", _CHOSEN),
        ("RAMBO", "Rigter et al. 2022", "rambo", _POOLED),
        ("MOBILE", "Sun et al. 2023", "mobile", _CHOSEN),
    )
)  # fmt: skip

_PARKOUR_SOURCES = tuple(
    _source(
        ("parkour_20m_means_only", teacher), agent=f"SAC + {teacher}", boards=("parkour",),
        file="parkour", paper="Romac et al. 2021", repository=_PARKOUR_REPO,
        path="TeachMyAgent/students/package_to_hub.py",
        fields={
            "expert_knowledge": "low", "mastered_above": 230.0, "episodes": 100,
            "score": WHILE_TRAINING, "selection": LAST,
        },
        note="Means and standard deviations over 16 runs a body.", means_only=True,
    )
    for teacher in (
        "Random", "ADR", "ALP-GMM", "Covar-GMM", "GoalGAN", "RIAC", "SPDL", "Setter-Solver",
    )
)  # fmt: skip

SOURCES: tuple[PublishedSource, ...] = (
    *_ATARI_SOURCES,
    *_STORI_SOURCES,
    *_DMC_SOURCES,
    *_PROCGEN_SOURCES,
    *_NEORL2_SOURCES,
    *_PARKOUR_SOURCES,
)
