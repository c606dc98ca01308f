"""rlbench's own environments for gymnasium: importing this module registers their names.

>>> import gymnasium
>>> gymnasium.make("rlbench.envs:rlbench/DMSD-v0").reset(seed=0)[0].shape
(6,)

After ``import rlbench.envs`` the names alone work: ``gymnasium.make("rlbench/DMSD-v0")``. Gymnasium
1.0 removed entry points that would make the import unnecessary. What an environment needs is
imported when it is made.
"""

import gymnasium

from rlbench.suites.neorl2.protocols import NEORL2
from rlbench.suites.teachmyagent.protocols import PARKOUR, STUMP_TRACKS

for _task in NEORL2.tasks:
    gymnasium.register(
        f"rlbench/{_task.name}-v0",
        entry_point="rlbench.suites.neorl2.envs:NeoRL2Env",
        max_episode_steps=NEORL2.protocol_of(_task).max_episode_steps,
        kwargs={"task": _task.name},
    )
for _name, _suite in (("Parkour", PARKOUR), ("StumpTracks", STUMP_TRACKS)):
    gymnasium.register(
        f"rlbench/{_name}-v1",
        entry_point=f"rlbench.suites.teachmyagent.envs:{_name}Env",
        max_episode_steps=_suite.protocol.max_episode_steps,
    )
