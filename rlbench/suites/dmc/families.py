"""Families of tasks: one policy under drawn, changed or disturbed physics, or at other rates.

Contexts as factors of physical parameters are in the manner of CARL (Benjamins et al. 2023); what a
policy does outside of the physics that it was trained on is asked as by Packer et al. 2018.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from rlbench.suites.dmc.protocols import DMC_MINI
from rlbench.suites.stori.stori26 import STRENGTHS
from rlbench.suites.suite import Protocol, Scalar, Suite

FACTORS = ("mass", "friction", "damping", "gain", "gravity")

_BUDGET = 250_000
_POINTS = tuple(range(50_000, _BUDGET, 50_000))
_OBSERVATIONS: Mapping[str, Scalar] = {"observation": "state"}
_PICTURES: Mapping[str, Scalar] = {
    "observation": "pixels", "height": 84, "width": 84, "stack": 3, "camera": 0
}  # fmt: skip
# A factor of each strength.
_CHANGES = {"up": (1.25, 1.5, 2.0), "down": (0.8, 0.67, 0.5)}
_LOOKS = ("salt-and-pepper", "occlusion", "disc")  # mean something in pictures alone
_SOONER = {"sudden-drift": 4, "cyclic-drift": 8}  # times: stori26 has longer episodes
_REPEATS = (2, 1, 4, 8, 16)  # that of the training first

_FACTORS_NOTE = (
    "Physics are dm_control's with five factors: `mass` of all masses and inertias, `friction` of "
    "contacts, `damping` of joints, `gain` of actuators, `gravity`. MuJoCo derives the "
    "rest from these (mj_setConst). Cartpole has no contacts, so friction changes nothing there."
)


def _suite(
    name: str, title: str, summary: str, notes: tuple[str, ...], protocol: Protocol, factory: str
) -> Suite:
    step, _, *others = DMC_MINI.notes
    return replace(
        DMC_MINI,
        name=name,
        title=title,
        summary=summary,
        notes=(*notes, step, *others),
        protocol=protocol,
        factory=f"rlbench.suites.dmc.envs:{factory}",
        papers="",
    )


def _protocol(
    evaluations: Mapping[str, Mapping[str, Scalar]],
    environment: Mapping[str, Scalar],
    *,
    points: tuple[int, ...] = _POINTS,
    episodes: int = 10,
    steps: int = 500,
) -> Protocol:
    return Protocol(
        budget=_BUDGET,
        eval_points=points,
        episodes=episodes,
        point_episodes=10,
        eval_envs=10,
        evaluations=evaluations,
        max_episode_steps=steps,
        environment={"action_repeat": 2, **environment},
    )


def _context(name: str, title: str, summary: str, note: str, *, visible: bool) -> Suite:
    return _suite(
        name,
        title,
        summary,
        (
            "Every episode has a context, drawn from the slot's own stream: the base-2 logarithms "
            "of five factors, 0 for dm_control's own physics. The largest of them in magnitude is "
            "at most .5 in training and in the evaluation `inside`, which gives the score. It is "
            "in (.5, .75] in the evaluation `edge`, and in (.75, 1] in `outside`. Contexts are "
            "uniform within these bounds.",
            note,
            _FACTORS_NOTE,
            "The score of a run is the mean return of 50 episodes after the last training step. "
            "Each has its own context, from the range of training.",
        ),
        _protocol(
            {
                "inside": {},
                "edge": {"context_low": 0.5, "context_high": 0.75},
                "outside": {"context_low": 0.75, "context_high": 1.0},
            },
            {
                **_OBSERVATIONS,
                "context_low": 0.0,
                "context_high": 0.5,
                "context_visible": visible,
            },
            episodes=50,
        ),
        "make_context",
    )


DMC_CONTEXT = _context(
    "dmc-context",
    "DeepMind Control, drawn physics",
    "4 tasks whose masses, friction, damping, actuators and gravity differ in every episode, "
    "unseen; evaluated inside, at the edge and outside of what was trained on.",
    "The context is hidden: observations are those of the task.",
    visible=False,
)
DMC_CONTEXT_VISIBLE = _context(
    "dmc-context-visible",
    "DeepMind Control, drawn physics that are seen",
    "4 tasks whose physics differ in every episode as in dmc-context, and are in the observation.",
    "The context is visible: it stands at the end of the observation.",
    visible=True,
)


def _disturbed(modes: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Scalar]]]:
    """Yield an evaluation a strength of stori26's disturbances, then of changes in the physics."""
    for row in STRENGTHS:
        if row.mode in modes:
            steps = row.steps // _SOONER.get(row.mode, 1)
            changed: Mapping[str, Scalar] = {
                "disturbance": row.mode, "amount": row.amount, "steps": steps
            }  # fmt: skip
            yield f"{row.mode.replace('-', '_')}_{row.strength}", changed
    for parameter in FACTORS:
        for way, factors in _CHANGES.items():
            for strength, factor in enumerate(factors, start=1):
                yield f"{parameter}_{way}_{strength}", {parameter: factor}


def _transfer(
    name: str, title: str, summary: str, observation: Mapping[str, Scalar], without: tuple[str, ...]
) -> Suite:
    modes = {row.mode for row in STRENGTHS if not row.mode.startswith("reward-")} - set(without)
    evaluations = {"clean": {}, **dict(_disturbed(modes))}
    return _suite(
        name,
        title,
        summary,
        (
            "Training is clean. After the last step the policy is evaluated clean, which gives the "
            f"score, and under {len(modes)} disturbances of stori26 and 10 changes of the physics "
            f"in three strengths each: {len(evaluations)} evaluations of 10 episodes. `rlbench "
            f"stats --suite {name} --retention` prints the share of the clean score that is kept.",
            "Disturbances have the strengths of stori26, whose episodes are longer: sudden drifts "
            "come after 250, 125 and 62 steps here, and cyclic ones every 125, 62 and 31 steps. "
            "Its three modes of rewards are left out: "
            "training is clean, and evaluations count true rewards.",
            "Changed physics: one factor of five is 1.25, 1.5 or 2 (up) or .8, .67 or .5 (down).",
            _FACTORS_NOTE,
        ),
        _protocol(
            evaluations,
            {
                **observation,
                **dict.fromkeys(FACTORS, 1.0),
                "disturbance": "none",
                "amount": 0.0,
                "steps": 0,
            },
            points=(),
        ),
        "make_transfer",
    )


DMC_TRANSFER = _transfer(
    "dmc-transfer",
    "DeepMind Control, transfer",
    "4 tasks trained clean, evaluated under disturbances and changed physics, from states.",
    _OBSERVATIONS,
    _LOOKS,
)
DMC_TRANSFER_VISION = _transfer(
    "dmc-transfer-vision",
    "DeepMind Control, transfer from pixels",
    "4 tasks trained clean, evaluated under disturbances and changed physics, from pixels.",
    _PICTURES,
    (),
)

DMC_FREQUENCY = _suite(
    "dmc-frequency",
    "DeepMind Control at other rates",
    "4 tasks trained with two control steps per decision, evaluated with 1 to 16.",
    (
        "A policy is trained with an action repeat of 2 and evaluated with action repeats of 2 "
        "(which gives the score), 1, 4, 8 and 16. An episode is 1,000 control steps at all of "
        "them, so you can compare returns. It has 1,000 decisions at 1, and 63 at 16, the last of "
        "which is shorter. max_episode_steps is for an action repeat of 1.",
        "`rlbench stats --evaluations` prints the mean score of each, and the area under it over "
        "the logarithm of the action repeat.",
    ),
    _protocol(
        {f"repeat_{repeat}": {"action_repeat": repeat} for repeat in _REPEATS},
        _OBSERVATIONS,
        steps=1000,
    ),
    "make",
)
