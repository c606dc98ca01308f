"""Parkour and stump tracks: their environments, suites and pictures."""

import json
import struct
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.command import rlbench
from support.parkour import skip_without_box2d

skip_without_box2d()

from rlbench import suites  # noqa: E402
from rlbench.errors import MissingExtra, UnknownName, UsageError  # noqa: E402
from rlbench.results import Store  # noqa: E402
from rlbench.runners.engine import examine_engine  # noqa: E402
from rlbench.runners.loops.common import task_info  # noqa: E402
from rlbench.runners.replay import task_frames  # noqa: E402
from rlbench.suites.teachmyagent import bodies, data, envs, kernels, terrain  # noqa: E402
from rlbench.suites.teachmyagent.drawing import draw  # noqa: E402
from rlbench.suites.teachmyagent.physics import Scene  # noqa: E402
from rlbench.suites.teachmyagent.terrain import Creepers, Track  # noqa: E402

EASY = [-0.15, 0.9, 0.1, 0.0, 1.0, 3.0]


def parkour(body: str = "old_classic_bipedal", **options: Any) -> envs.ParkourEnv:
    return envs.ParkourEnv(body, network="seeded", **options)


def play(env: gymnasium.Env[Any, Any], steps: int, seed: int = 0) -> list[bytes]:
    random = np.random.default_rng(seed)
    shape = env.action_space.shape
    shown = []
    for _ in range(steps):
        obs, reward, *ends, _ = env.step(random.uniform(-1, 1, shape).astype(np.float32))
        shown.append(obs.tobytes() + np.array([reward, *ends]).tobytes())
    return shown


@pytest.mark.parametrize("name", bodies.names())
def test_bodies_have_the_masses_sizes_and_actions_of_the_original(name: str) -> None:
    body = bodies.load(name)
    track = terrain.stump_track(height=1.0, spacing=3.0, random=np.random.default_rng(0))
    scene = Scene(body, track, push=0.0, lidar="down")
    for part, made in zip(body.parts, scene.parts, strict=True):
        assert made.mass == pytest.approx(part.mass, abs=1e-5)
    assert len(scene.observation) == body.stump_observation_size
    env = parkour(name)
    obs, _ = env.reset(seed=0, options={"parameters": EASY})
    assert obs.shape == (body.observation_size,)
    assert env.action_space.shape == (body.action_size,)


@pytest.mark.parametrize(
    "name", ["rlbench.envs:rlbench/Parkour-v1", "rlbench.envs:rlbench/StumpTracks-v1"]
)
def test_gymnasium_finds_no_fault(name: str) -> None:
    more = {"network": "seeded"} if "Parkour" in name else {}
    env = gymnasium.make(name, render_mode="rgb_array", **more)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 2000
    # It warns of infinite bounds, which the original has too.
    with pytest.warns(UserWarning, match="infinity"):
        check_env(env.unwrapped, skip_render_check=find_spec("pygame") is None)


def test_an_episode_depends_on_seed_and_parameters_alone() -> None:
    env, other = parkour(), parkour()
    first, _ = env.reset(seed=5, options={"parameters": EASY})
    shown = play(env, 50)
    other.reset(seed=1)
    play(other, 20)
    again, _ = other.reset(seed=5, options={"parameters": EASY})
    np.testing.assert_array_equal(first, again)
    assert play(other, 50) == shown
    other.reset(seed=6, options={"parameters": EASY})
    assert play(other, 50) != shown
    # Draws go on from one episode to the next.
    env.reset(options={"parameters": EASY})
    assert play(env, 50) != shown


def test_eight_parameters_are_six_with_width_and_scale() -> None:
    env = parkour()
    *z, water, height, spacing = EASY
    short, _ = env.reset(seed=0, options={"parameters": EASY})
    shown = play(env, 30)
    whole = [*z, water, 0.25, height, spacing, 10.0]
    long, _ = env.reset(seed=0, options={"parameters": whole})
    np.testing.assert_array_equal(short, long)
    assert play(env, 30) == shown
    with pytest.raises(UsageError, match="6 or 8 parameters, not 3"):
        env.reset(options={"parameters": [0.0, 0.0, 0.0]})
    with pytest.raises(UsageError, match="2 parameters, not 1"):
        envs.StumpTracksEnv().reset(options={"parameters": [0.0]})


def test_names_are_checked() -> None:
    for make, options in (
        (parkour, {"body": "millepede"}),
        (parkour, {"lidar": "left"}),
        (parkour, {"terrain": "flat"}),
        (parkour, {"render_mode": "ansi"}),
        (envs.ParkourEnv, {"network": "other"}),
    ):
        with pytest.raises(UnknownName):
            make(**options)
    with pytest.raises(UsageError, match="reset the environment before"):
        envs.StumpTracksEnv().step(np.zeros(4, np.float32))


def flat(x: float = 0.0, *, ceiling: bool = False, water: float | None = None) -> Track:
    """Return flat ground that ends soon after x."""
    track = terrain.stump_track(height=0.0, spacing=500.0, random=np.random.default_rng(0))
    xs = np.arange(terrain.LENGTH + terrain.PAD) * terrain.STEP
    level = np.full(len(xs), terrain.HEIGHT)
    return Track(
        x=xs,
        ground=level,
        ceiling=level + 20.0 if ceiling else None,
        creepers=track.creepers,
        water=water,
        floor=-100.0,
        stumps=np.zeros((0, 4)),
        end=x,
    )


def test_beyond_the_end_an_episode_is_over_without_a_bonus() -> None:
    scene = Scene(bodies.load("spider"), flat(1.0), push=0.0, lidar="down")
    reward, is_over = scene.step([0.0] * 12)
    assert is_over
    assert abs(reward) < 1.0


def test_on_stump_tracks_a_fall_ends_the_episode_and_replaces_the_reward() -> None:
    rng = np.random.default_rng(0)
    env = envs.StumpTracksEnv()
    env.reset(seed=0, options={"parameters": [3.0, 0.0]})
    reward, is_over = 0.0, False
    while not is_over:
        _, reward, is_over, _, info = env.step(rng.uniform(-1, 1, 4).astype(np.float32))
    assert reward == -100.0
    assert not info["success"]


def test_walkers_drown_and_fish_dry_up_after_600_steps() -> None:
    deep = flat(1e9, ceiling=True, water=1000.0)
    spider = Scene(bodies.load("spider"), deep, push=0.0, lidar="down")
    for _ in range(601):
        assert spider.observation[5] == 0.0
        spider.step([0.1] * 12)
    spider.step([0.1] * 12)
    assert list(spider.observation[4:6]) == [1.0, 1.0]
    fish = Scene(bodies.load("fish"), flat(1e9, ceiling=True, water=-50.0), push=0.0, lidar="full")
    for _ in range(602):
        fish.step([0.1] * 4)
    assert list(fish.observation[4:6]) == [0.0, 1.0]


def test_lidar_sees_what_box2d_sees() -> None:
    """Compare with Box2D's own rays, which the original casts."""
    from Box2D import b2RayCastCallback

    class Nearest(b2RayCastCallback):  # type: ignore[misc]
        def ReportFixture(self, fixture: Any, *rest: Any) -> float:
            if fixture.filterData.categoryBits & 1 == 0:
                return -1.0
            self.share = rest[2]
            return float(rest[2])

    env = parkour("climbing_profile_chimpanzee", lidar="full")
    compared = 0
    for seed in range(5):
        env.reset(seed=seed, options={"parameters": [-0.15, 0.9, 0.1, 0.9, 3.0, 0.4]})
        play(env, 40, seed)
        scene = env._scene
        assert scene is not None
        head = scene.parts[scene.body.head].position
        ends = kernels.ray_ends("full")
        shares = scene.observation[-20:-10]
        for (x, y), share in zip(ends.tolist(), shares, strict=True):
            nearest = Nearest()
            nearest.share = 1.0
            scene._world.RayCast(nearest, (head.x, head.y), (head.x + x, head.y + y))
            assert nearest.share == share
            compared += share < 1.0
    assert compared >= 10


def test_creepers_hang_at_their_spacing_and_are_never_too_small() -> None:
    relief = terrain.draw_relief(data.load_network("seeded"), EASY[:3])
    track = terrain.parkour_track(
        relief,
        water_level=0.5,
        creepers=Creepers(width=0.0, height=0.0, spacing=1.0),
        scale=10.0,
        random=np.random.default_rng(0),
    )
    x, top, width, height = track.creepers.T
    assert x[0] == 0.0
    assert np.diff(x).min() > 1.0
    assert np.all(width == 0.2)
    assert height.min() == 0.2
    assert track.ceiling is not None
    for k, point in enumerate(track.creepers_at):
        assert top[k] == max(track.ceiling[point], track.ceiling[point + 1])
    assert track.water == pytest.approx(track.floor + 0.5 * (track.ceiling.max() - track.floor))


def test_the_seeded_network_is_of_the_originals_law() -> None:
    layers = data.load_network("seeded")
    assert [layer.shape for layer in layers] == [(4, 64), (64, 64), (64, 64), (64, 64), (64, 2)]
    weights = np.concatenate([layer.ravel() for layer in layers])
    assert np.abs(weights).max() <= 4.0
    assert weights.std() == pytest.approx(1.759, abs=0.05)  # of a normal cut off at two sigma
    relief = terrain.draw_relief(layers, EASY[:3])
    assert np.isfinite(relief).all()
    assert np.ptp(relief[:, 0]) > 1.0


def test_data_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data._read.cache_clear()
    monkeypatch.setattr(data.resources, "files", lambda package: tmp_path)
    with pytest.raises(UsageError, match=r"^parkour_cppn\.npz, .* is missing or not the file"):
        envs.ParkourEnv()
    (tmp_path / "original").mkdir()
    (tmp_path / "original/parkour_cppn.npz").write_bytes(b"something else")
    with pytest.raises(UsageError, match=r"install rlbench again$"):
        envs.ParkourEnv()


def test_the_originals_data_come_with_rlbench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever other data are kept."""
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path))
    layers = data.load_network("original")
    assert [layer.shape for layer in layers] == [(4, 64), (64, 64), (64, 64), (64, 64), (64, 2)]
    assert not any(map(np.array_equal, layers, data.load_network("seeded")))
    for name in ("walking", "swimming", "climbing"):
        assert data.load_tests(name).shape == (100, 8)
    grid = envs.load_tests({"test_set": "stumps"})
    theirs = np.array(sorted(data.load_tests("stumps").round(9).tolist()))
    np.testing.assert_allclose(np.array(sorted(grid.round(9).tolist())), theirs, atol=1e-8)


def test_the_data_stand_beside_their_licence() -> None:
    notice = (Path(data.__file__).parent / "original/NOTICE").read_text(encoding="utf-8")
    for words in ("flowersteam/TeachMyAgent", "MIT License", "(c) 2021 Flowers Team", "npz"):
        assert words in notice


def test_slots_share_the_test_tasks() -> None:
    suite = suites.get("stump-tracks").make_unofficial({"max_episode_steps": 1})
    env = suite.make(suite.tasks[0], split="eval", num_envs=3, seed=0)
    _, info = env.reset()
    starts = [info["start"]]
    for _ in range(3):
        *_, info = env.step(np.zeros((3, 4), np.float32))
        starts.append(info["start"])
    assert np.ravel(starts).tolist() == list(range(12))
    env.close()


def test_the_order_of_rugged_quarters_is_that_of_the_run() -> None:
    suite = suites.get("stump-tracks")
    orders = []
    for seed, part in ((0, 0), (0, 1), (1, 0)):
        stream = suite.stream(suite.task("rugged"), "train", seed, part)
        env = envs.make(
            suite.task("rugged"), suite.constants(suite.task("rugged")), split="train",
            num_envs=1, stream=stream,
        )  # fmt: skip
        orders.append(order_in(env))
        env.close()
    assert orders[0] == orders[1] != orders[2]


def order_in(env: Any) -> Any:
    """Return the order of quarters in a suite's environments."""
    return env._envs[0].unwrapped._order


def told(name: str, level: str, task: str = "", seed: int = 0) -> dict[str, Any]:
    """Return what a teacher is told at a level of expert knowledge."""
    suite = suites.get(name).make_unofficial({"expert_knowledge": level})
    chosen = suite.task(task) if task else suite.tasks[0]
    env = suite.make(chosen, split="train", num_envs=1, seed=seed)
    known = dict(task_info(suite, chosen, env).knowledge)
    env.close()
    return known


def test_expert_knowledge_is_what_a_teacher_is_told() -> None:
    low = {"mastered_above": 230.0, "returns_low": -150.0, "returns_high": 350.0}
    assert told("stump-tracks", "none") == {}
    assert told("stump-tracks", "low") == low
    easy = {"easy_mean": (0.0, 6.0), "easy_deviation": (pytest.approx(0.3), pytest.approx(0.6))}
    assert told("stump-tracks", "high") == {**low, **easy}
    assert told("parkour", "low") == {**low, "returns_high": 360.0}
    with pytest.raises(UsageError, match="nobody has stated which tasks are easy"):
        told("parkour", "high")
    with pytest.raises(UnknownName, match="expert_knowledge"):
        told("parkour", "all")


def track_that_is_played(env: Any, parameters: Any) -> list[float]:
    """Return the height and space that a suite's environment makes of a teacher's parameters."""
    found: list[float] = []
    make_track = terrain.stump_track

    def note(*, height: float, spacing: float, **rest: Any) -> Track:
        found.extend([height, spacing])
        return make_track(height=height, spacing=spacing, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terrain, "stump_track", note)
        env.reset(options={"parameters": np.array([parameters]), "reset_mask": np.array([True])})
    return found


@pytest.mark.parametrize("task", [task.name for task in suites.get("stump-tracks").tasks])
def test_the_easy_tasks_that_a_teacher_is_told_are_those_that_are_played(task: str) -> None:
    """Also in single precision, in which ADR keeps its box."""
    suite = suites.get("stump-tracks").make_unofficial({"expert_knowledge": "high"})
    space = {"mostly_unfeasible": 9.0, "mostly_feasible": 6.0}.get(task, 3.0)
    starts = set()
    for seed in range(12):
        known = told("stump-tracks", "high", task, seed)
        mean, deviation = np.array(known["easy_mean"]), np.array(known["easy_deviation"])
        assert deviation == pytest.approx([0.1 * space, 0.6])
        env = suite.make(suite.task(task), split="train", num_envs=1, seed=seed)
        for parameters in (mean, mean.astype(np.float32).astype(np.float64)):
            assert track_that_is_played(env, parameters) == pytest.approx([0.0, 6.0], abs=1e-5)
        # Within the quarter, a deviation in what is proposed is one in what is played.
        played = track_that_is_played(env, mean + deviation * [1.0, -1.0])
        assert played == pytest.approx([deviation[0], 6.0 - deviation[1]], abs=1e-5)
        env.close()
        starts.add(tuple(mean.round(3).tolist()))
    assert len(starts) > 5 if task == "rugged" else starts == {(0.0, 6.0)}


@pytest.mark.parametrize("low", [0.0, -1.3, 0.7])
def test_quarters_are_found_again(low: float) -> None:
    """Any point of any range, and every edge between quarters."""
    space = envs.StumpTracksEnv(heights=(low, low + 3.3)).parameter_space
    rows = [space.low + share * (space.high - space.low) for share in np.linspace(0.0, 1.0, 41)]
    for seed in range(10):
        order = envs.draw_order(2, seed)
        for row in rows:
            found = envs.unshuffle_quarters(row.tolist(), space, order)
            assert envs.shuffle_quarters(found, space, order) == pytest.approx(row, abs=2e-6)
            rounded = np.float32(found).astype(np.float64).tolist()
            assert envs.shuffle_quarters(rounded, space, order) == pytest.approx(row, abs=3e-6)


@pytest.mark.parametrize(
    ("name", "unofficial"),
    [
        ("stump-tracks", {}),
        ("parkour", {}),
        ("parkour", {"network": "seeded", "test_set": "drawn"}),
    ],
)
def test_the_suites_keep_their_contract(name: str, unofficial: dict[str, Any]) -> None:
    from rlbench.runners.check.suites import check_suite

    suite = suites.get(name).make_unofficial(unofficial)
    found = list(check_suite(suite, suite.tasks[0], steps=30))
    assert [finding.name for finding in found if finding.status != "passed"] == []


def test_a_curriculum_runs_and_scores(tmp_path: Path) -> None:
    constants = ["--unofficial", "budget=300,episodes=4,eval_envs=2,max_episode_steps=60"]
    play = ["run", "--suite", "stump-tracks", "--agent", "random", "--tasks", "rugged"]
    rlbench(*play, "--teacher", "uniform", "--seeds", "1", *constants, cwd=tmp_path)
    shown = rlbench("stats", "--suite", "stump-tracks", *constants, "--json", cwd=tmp_path)
    rows = json.loads(shown.stdout)
    assert {row["agent"] for row in rows} == {"random + uniform"}
    assert {row["point"] for row in rows if row["metric"] == "mean"} == {0.0}


def test_pictures_show_the_world_around_the_head() -> None:
    env = parkour("fish", render_mode="rgb_array")
    assert env.render() is None
    env.reset(seed=0, options={"parameters": [-0.15, 0.9, 0.1, 0.97, 1.0, 1.0]})
    picture = env.render()
    assert picture is not None
    assert (picture.shape, picture.dtype) == ((400, 600, 3), np.uint8)
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert {(120, 178, 224), (102, 153, 76), (128, 102, 230), (230, 40, 40)} <= colours
    assert tuple(picture[399, 300].tolist()) == (102, 153, 76)  # ground below
    climber = parkour("climbing_profile_chimpanzee", render_mode="rgb_array")
    climber.reset(seed=0, options={"parameters": EASY})
    assert climber._scene is not None
    shown = draw(climber._scene)
    assert (shown[0, 300] == (128, 110, 96)).all()  # rock above
    assert (shown == (46, 94, 52)).all(axis=2).any()  # a creeper
    assert (shown == (235, 205, 30)).all(axis=2).any()  # hands that hold


def test_a_track_is_drawn_as_a_whole() -> None:
    env = envs.StumpTracksEnv()
    with pytest.raises(UsageError, match="reset the environment"):
        env.draw_track()
    env.reset(seed=0, options={"parameters": [3.0, 4.0]})
    picture = env.draw_track()
    assert picture.shape == (150, 600, 3)
    assert env._scene is not None
    stumps = (picture == (110, 82, 60)).all(axis=2).any(axis=0)
    begins = np.flatnonzero(np.diff(stumps.astype(int)) == 1)
    expected = env._scene.track.stumps[:, 0] / env._scene.track.x[-1] * 600
    assert len(begins) == len(expected)
    np.testing.assert_allclose(begins, expected, atol=1.5)


def test_a_window_shows_the_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame", reason="no pygame: pip install 'rlbench[window]'")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gymnasium.make("rlbench.envs:rlbench/StumpTracks-v1", render_mode="human")
    env.reset(seed=0)
    begin = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    env.step(env.action_space.sample())
    scene: Any = env.unwrapped
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    np.testing.assert_array_equal(shown, draw(scene._scene))
    assert not np.array_equal(shown, begin)
    assert env.render() is None
    env.close()
    assert pygame.display.get_surface() is None
    env.close()


def test_a_window_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(MissingExtra, match=r"pip install 'rlbench\[window\]'"):
        parkour(render_mode="human")


def test_the_terrains_that_were_taught_are_drawn(tmp_path: Path) -> None:
    constants = ["--unofficial", "budget=150,episodes=2,eval_envs=2,max_episode_steps=30"]
    play = ["run", "--suite", "stump-tracks", "--agent", "random", "--tasks", "plain"]
    rlbench(*play, "--teacher", "uniform", "--seeds", "1", *constants, cwd=tmp_path)
    (record,) = Store(tmp_path / "runs").load().records
    key = record.identity.key
    assert record.proposals is not None
    drawn = task_frames(record, 3)
    for number, picture in zip((0, 2, 4), drawn, strict=True):
        env = envs.StumpTracksEnv()
        env.reset(seed=0, options={"parameters": record.proposals.parameters[number]})
        np.testing.assert_array_equal(picture, env.draw_track())
    said = rlbench("show", key, "--terrains", "--out", "taught.png", cwd=tmp_path)
    assert said.stdout == "taught.png: tasks that the teacher proposed, the first on top\n"
    rlbench("show", key, "--video", "--out", "film.png", cwd=tmp_path)
    film = (tmp_path / "film.png").read_bytes()
    at = film.index(b"fcTL") + 4
    assert struct.unpack(">HH", film[at + 20 : at + 24]) == (1, 50)  # at the speed of the world


def test_every_task_states_how_its_engine_behaves() -> None:
    found = [suite for suite in map(suites.get, suites.names()) if suite.extra == "parkour"]
    assert len(found) == 5
    for suite in found:
        stated = [suite.expected_engine(task) for task in suite.tasks]
        assert all(stated)
        assert len(set(stated)) == len(stated)
    for name, chosen in (("stump-tracks-1m", "plain"), ("parkour-1m", "climber")):
        suite = suites.get(name)
        task = suite.task(chosen)
        assert examine_engine(suite, task).fingerprint == suite.expected_engine(task)
