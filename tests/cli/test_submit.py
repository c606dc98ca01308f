"""The whole way of a submission, in a repository of its own: fork, bundle, check, merge, site."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.bundles import run_agents
from support.classic import registered
from support.command import call, rlbench

BASH = ("-c", "user.name=t", "-c", "user.email=t@x.org", "-c", "commit.gpgsign=false")
FACTS = (
    "--who", "Ann Example", "--paper", "https://arxiv.org/abs/2601.00001", "--code",
    "https://github.com/ann/agent", "--licence", "CC-BY-4.0", "--configurations", "17",
)  # fmt: skip


def git(*words: str, cwd: Path) -> str:
    done = subprocess.run(["git", *BASH, *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a store of real runs of two agents; one of them has a failed run."""
    folder = tmp_path_factory.mktemp("work")
    with registered(folder / "installed"):
        run_agents(folder, seeds=3)
        yield folder


@pytest.fixture(scope="module")
def upstream(work: Path) -> Path:
    """A repository with some files and one accepted submission."""
    repository = work / "upstream"
    repository.mkdir()
    git("init", "-q", "-b", "main", cwd=repository)
    (repository / "README.md").write_text("Submissions.\n")
    (repository / "tools").mkdir()
    (repository / "tools/code.py").write_text("1\n")
    (repository / "code").symlink_to("tools")
    submit(work, "other", repository, "bob")
    git("add", "-A", cwd=repository)
    git("commit", "-q", "-m", "one", cwd=repository)
    return repository


def submit(work: Path, agent: str, repository: Path, namespace: str) -> Path:
    """Make a bundle in a repository; return it."""
    out = repository / "submissions"
    rlbench(
        "submit", "runs", "--agent", agent, "--namespace", namespace, "--card",
        f"{namespace}-{agent}.toml", "--out", str(out), *FACTS, cwd=work,
    )  # fmt: skip
    (folder,) = (out / namespace).iterdir()
    return folder


@pytest.fixture
def fork(work: Path, upstream: Path, tmp_path: Path) -> Path:
    """A clone with one new bundle, not committed yet."""
    git("clone", "-q", str(upstream), str(tmp_path / "fork"), cwd=tmp_path)
    submit(work, "mine", tmp_path / "fork", "ann")
    return tmp_path / "fork"


def check(fork: Path, upstream: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return call("check", str(fork), "--against", str(upstream), *words, cwd=fork.parent)


def test_the_whole_way_from_a_fork_to_the_site(work: Path, upstream: Path, tmp_path: Path) -> None:
    repository = tmp_path / "upstream"
    git("clone", "-q", str(upstream), str(repository), cwd=tmp_path)
    # The submitter: fork, bundle, commit.
    git("clone", "-q", str(repository), "fork", cwd=tmp_path)
    fork = tmp_path / "fork"
    bundle = submit(work, "mine", fork, "ann")
    assert rlbench("check", str(bundle), cwd=work).stdout.endswith("1 accepted, 0 problems\n")
    git("checkout", "-q", "-b", "mine", cwd=fork)
    git("add", "-A", cwd=fork)
    git("commit", "-q", "-m", "my agent", cwd=fork)
    # Meanwhile the other branch goes on.
    (repository / "README.md").write_text("More.\n")
    git("commit", "-q", "-a", "-m", "two", cwd=repository)
    # The workflow: what merging would give, against its first parent.
    git("fetch", "-q", str(fork), "mine", cwd=repository)
    git("checkout", "-q", "--detach", cwd=repository)
    git("merge", "-q", "--no-ff", "-m", "merged", "FETCH_HEAD", cwd=repository)
    git("worktree", "add", "-q", "--detach", str(tmp_path / "base"), "HEAD^1", cwd=repository)
    done = rlbench(
        "check", str(repository), "--against", str(tmp_path / "base"), "--namespace", "Ann",
        cwd=work,
    )  # fmt: skip
    assert "6 runs of mine on classic@1" in done.stdout
    assert done.stdout.endswith("1 accepted, 0 problems\n")
    # Accepted: it is merged, and the site is built with it.
    rlbench(
        "leaderboard", "build", "--store", str(tmp_path / "none"), "--submissions",
        str(repository / "submissions"), "--suite", "classic", "--out", str(tmp_path / "site"),
        cwd=work,
    )  # fmt: skip
    (page,) = (tmp_path / "site/classic-1/agents").glob("mine-*.html")
    text = page.read_text()
    for fact in ("Ann Example", "https://arxiv.org/abs/2601.00001", "CC-BY-4.0", "17"):
        assert fact in text
    (other,) = (tmp_path / "site/classic-1/agents").glob("other-*.html")
    assert "Failed runs" in other.read_text()


# What is done to a fork, the kind of its refusal, and what the line says.
def _symlink(fork: Path, bundle: Path) -> None:
    (bundle / "records/link.json").symlink_to("/etc/passwd")


def _linked_card(fork: Path, bundle: Path) -> None:
    os.replace(bundle / "card.toml", fork.parent / "card.toml")
    (bundle / "card.toml").symlink_to(fork.parent / "card.toml")


def _linked_folder(fork: Path, bundle: Path) -> None:
    shutil.copytree(bundle / "records", fork.parent / "elsewhere")
    shutil.rmtree(bundle / "records")
    (bundle / "records").symlink_to(fork.parent / "elsewhere")


def _hard_link(fork: Path, bundle: Path) -> None:
    os.link(bundle / "card.toml", fork.parent / "card.toml")


def _pipe(fork: Path, bundle: Path) -> None:
    os.mkfifo(bundle / "records/pipe")


def _sparse(fork: Path, bundle: Path) -> None:
    with (bundle / "card.toml").open("ab") as file:
        file.truncate(1 << 40)  # no block of it is on the disk


def _evil_name(name: str) -> Callable[[Path, Path], None]:
    def how(fork: Path, bundle: Path) -> None:
        (bundle / name).write_text("x")

    return how


def _deep(fork: Path, bundle: Path) -> None:
    (bundle / "records/a/b/c/d/e/f").mkdir(parents=True)
    (bundle / "records/a/b/c/d/e/f/x.json").write_text("{}")


def _change_other(fork: Path, bundle: Path) -> None:
    (path,) = (fork / "submissions/bob").glob("*/card.toml")
    path.write_text(path.read_text().replace("Ann", "Ben"))


def _remove_other(fork: Path, bundle: Path) -> None:
    shutil.rmtree(fork / "submissions/bob")


def _add_to_other(fork: Path, bundle: Path) -> None:
    (other,) = (fork / "submissions/bob").iterdir()
    (other / "records/more.json").write_text("{}")


def _replace_other(fork: Path, bundle: Path) -> None:
    _remove_other(fork, bundle)
    (fork / "submissions/bob").symlink_to("ann")


def _change_code(fork: Path, bundle: Path) -> None:
    (fork / "tools/code.py").write_text("2\n")


def _add_code(fork: Path, bundle: Path) -> None:
    (fork / ".github/workflows").mkdir(parents=True)
    (fork / ".github/workflows/x.yml").write_text("on: push\n")


def _executable(fork: Path, bundle: Path) -> None:
    (fork / "README.md").chmod(0o755)


def _other_link(fork: Path, bundle: Path) -> None:
    (fork / "code").unlink()
    (fork / "code").symlink_to("/etc")


def _all_a_link(fork: Path, bundle: Path) -> None:
    os.replace(fork / "submissions", fork.parent / "moved")
    (fork / "submissions").symlink_to(fork.parent / "moved")


def _second_namespace(fork: Path, bundle: Path) -> None:
    shutil.copytree(bundle, fork / "submissions/eve" / bundle.name)


def _other_place(fork: Path, bundle: Path) -> None:
    os.replace(bundle, bundle.with_name("my-agent"))


def _stray(fork: Path, bundle: Path) -> None:
    (fork / "submissions/ann/notes.txt").write_text("hi")


ATTACKS: list[tuple[Callable[[Path, Path], None], str, str]] = [
    (_symlink, "link", "it is a symbolic link"),
    (_linked_card, "link", "it is a symbolic link"),
    (_linked_folder, "link", "it is a symbolic link"),
    (_hard_link, "link", "it is a hard link"),
    (_pipe, "link", "it is not a file"),
    (_sparse, "size", "over the limit of 20,000"),
    (_evil_name("a\u202ecod.exe"), "name", "a name has 1 to 200"),
    (_evil_name("саrd.toml"), "name", "a name has 1 to 200"),
    (_evil_name("CARD.TOML"), "name", "a name has 1 to 200"),
    (_evil_name("con.json"), "name", "some systems do not allow"),
    (_evil_name("a\nb"), "name", "a name has 1 to 200"),
    (_evil_name("-rf"), "name", "a name has 1 to 200"),
    (_evil_name(".hidden"), "name", "a name has 1 to 200"),
    (_evil_name("x" * 201), "name", "a name has 1 to 200"),
    (_evil_name("run.sh"), "file", "a bundle cannot hold such a file"),
    (_deep, "place", "nested too deeply"),
    (_change_other, "changed", "it was changed"),
    (_remove_other, "changed", "it was removed"),
    (_add_to_other, "changed", "accepted before"),
    (_replace_other, "changed", "it was removed"),
    (_change_code, "changed", "it was changed"),
    (_add_code, "changed", "it was added, but is in no bundle"),
    (_executable, "changed", "it was changed"),
    (_other_link, "changed", "it was changed"),
    (_all_a_link, "changed", "it was removed"),
    (_second_namespace, "namespace", "several folders"),
    (_other_place, "place", "by its card and records it belongs in"),
    (_stray, "changed", "it was added, but is in no bundle"),
]


@pytest.mark.parametrize(("attack", "kind", "said"), ATTACKS)
def test_a_fork_that_does_more_is_refused(
    attack: Callable[[Path, Path], None], kind: str, said: str, fork: Path, upstream: Path
) -> None:
    assert check(fork, upstream, "--namespace", "ann").returncode == 0
    (bundle,) = (fork / "submissions/ann").iterdir()
    attack(fork, bundle)
    done = check(fork, upstream)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith(f"refused: {kind}: ")]
    assert any(said in line for line in lines), done.stderr
    rows = json.loads(check(fork, upstream, "--json").stdout)
    assert {"kind", "where", "problem", "advice"} == set(rows[0])
    assert kind in {row["kind"] for row in rows}
    assert "Traceback" not in done.stderr
    assert done.stderr.isascii()


def test_nobody_submits_for_another(fork: Path, upstream: Path) -> None:
    done = check(fork, upstream, "--namespace", "eve")
    assert done.returncode == 2
    assert "this namespace is not 'eve', that of the submitter" in done.stderr


def test_nothing_new_is_in_order(upstream: Path) -> None:
    done = check(upstream, upstream)
    assert (done.returncode, done.stdout) == (0, "0 accepted, 0 problems\n")


def test_a_card_to_fill_in_is_written_once(work: Path, tmp_path: Path) -> None:
    words = ("submit", str(work / "runs"), "--agent", "mine", "--namespace", "ann")
    (line,) = rlbench(*words, cwd=tmp_path, code=2).stderr.splitlines()
    assert "wrote the card card.toml: fill in who, paper, code, licence, configurations" in line
    card = (tmp_path / "card.toml").read_text()
    assert "seeds = [0, 1, 2]" in card
    (line,) = rlbench(*words, cwd=tmp_path, code=2).stderr.splitlines()
    assert "card.toml: who is not 1 to 50 names" in line
    assert (tmp_path / "card.toml").read_text() == card
    for empty, filled in (
        ("who = []", 'who = ["Ann"]'), ('licence = ""', 'licence = "MIT"'),
        ("configurations = 0", "configurations = 2"),
    ):  # fmt: skip
        card = card.replace(empty, filled)
    (tmp_path / "card.toml").write_text(card)
    assert "bundle: submissions/ann/classic-1-mine-" in rlbench(*words, cwd=tmp_path).stdout
    assert "is there already" in rlbench(*words, cwd=tmp_path, code=2).stderr


def test_a_bundle_is_of_one_agent_and_complete(work: Path, tmp_path: Path) -> None:
    words = ("submit", str(work / "runs"), "--namespace", "ann", *FACTS)
    assert "add --suite, or --agent" in rlbench(*words, cwd=tmp_path, code=2).stderr
    assert "holds no such run" in rlbench(*words, "--agent", "x", cwd=tmp_path, code=2).stderr
    part = str(work / "runs/classic-1/mine/cartpole-v1")
    done = rlbench("submit", part, "--namespace", "ann", *FACTS, cwd=tmp_path, code=2)
    assert "refused: complete: ann/classic-1-mine-" in done.stderr
    assert "Pendulum-v1: no run of seed 0, 1, 2; run them" in done.stderr
    assert not (tmp_path / "submissions").exists()


def test_actions_come_along_and_can_be_played_again(work: Path, tmp_path: Path) -> None:
    rlbench(
        "submit", str(work / "runs"), "--agent", "mine", "--namespace", "ann", *FACTS, "--actions",
        cwd=tmp_path,
    )  # fmt: skip
    (bundle,) = (tmp_path / "submissions/ann").iterdir()
    assert "1 accepted, 0 problems" in rlbench("check", "submissions/ann", cwd=tmp_path).stdout
    done = rlbench("verify", "--store", str(bundle / "records"), "--json", cwd=tmp_path)
    rows = json.loads(done.stdout)
    assert [row["equal"] for row in rows] == [True] * 6


def test_what_is_no_submission_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words, said in (
        (["empty"], "holds no submission"),
        (["--against", "empty"], "needs a folder"),
        (["nowhere", "--against", "empty"], "there is no folder nowhere"),
        (["empty", "--against", "nowhere"], "there is no folder nowhere"),
        (["--namespace", "ann"], "--namespace needs --against"),
    ):
        (line,) = rlbench("check", *words, cwd=tmp_path, code=2).stderr.splitlines()
        assert said in line


def test_what_is_written_is_read_only_by_its_kind(work: Path, fork: Path) -> None:
    (bundle,) = (fork / "submissions/ann").iterdir()
    for path in bundle.rglob("*"):
        mode = path.lstat().st_mode
        assert stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and not mode & 0o111)
