"""The site of the documentation has all pages, all commands and all public names.

`make docs` builds it, and finds links that lead nowhere.
"""

import re
from importlib import import_module
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tools be imported as MkDocs imports them: from their folder."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))


def test_every_page_is_in_the_navigation_once() -> None:
    _, nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")
    named = re.findall(r"[\w./-]+\.md", nav)
    generated = {name for name in named if name.startswith("reference/")}
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert len(named) == len(set(named))
    assert set(named) - generated == pages


def test_the_command_reference_has_every_verb_and_option() -> None:
    from docs_reference import commands_page, verbs

    _, *sections = commands_page().split("\n## rlbench ")
    for section, (name, verb) in zip(sections, verbs(), strict=True):
        assert section.startswith(f"{name}\n\n")
        names = {name for parameter in verb.params for name in parameter.opts}
        missing = {name for name in names if name.startswith("-") and name not in section}
        assert missing <= {"--help", "-h"}
    assert "<code>--eval-points N&#124;A,B,...</code>" in sections[0]


def test_the_reference_has_every_public_name() -> None:
    from docs_reference import MODULES, reference_pages

    pages = reference_pages()
    for module in MODULES:
        shown = re.findall(r"^::: (\S+)$", pages[module], re.M)
        public = [f"{module}.{name}" for name in import_module(module).__all__]
        assert set(public) - set(shown) <= {*MODULES, "rlbench.__version__"}


def test_the_gallery_of_environments_has_every_sheet_and_is_small() -> None:
    pytest.importorskip("PIL")
    from draw_environments import FOLDER, SHEETS

    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert sizes.keys() == {f"{name}.webp" for name in SHEETS}
    assert max(sizes.values()) <= 120_000
    assert sum(sizes.values()) <= 700_000
    page = (ROOT / "docs/environments.md").read_text()
    shown = re.findall(r"^!\[.{10,}\]\(pictures/environments/(.+)\)$", page, re.M)
    assert sorted(shown) == sorted(sizes)
    for card in ROOT.glob("docs/suites/*.md"):
        assert "(../environments.md#" in card.read_text(), card


def test_a_sheet_is_drawn_again_as_it_is(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    from draw_environments import FOLDER, GAP, LINE, SHEETS, draw

    draw(["stori"], tmp_path)
    drawn, kept = (np.array(image.open(place / "stori.webp")) for place in (tmp_path, FOLDER))
    # Versions of Pillow may draw labels in other ways.
    below = np.arange(len(kept)) % (SHEETS["stori"].width + LINE + GAP) >= LINE
    assert np.array_equal(drawn[below], kept[below])
    assert kept[below].any()


def test_the_film_lasts_ten_seconds_and_is_drawn_again_as_it_is() -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("Box2D")
    from draw_film import FILE, frames

    assert FILE.stat().st_size <= 1_000_000
    assert f"]({FILE.relative_to(ROOT / 'docs')})" in (ROOT / "docs/environments.md").read_text()
    film, lasts, pictures = image.open(FILE), 0, set()
    for k in range(film.n_frames):
        film.seek(k)
        film.load()
        lasts += film.info["duration"]
        pictures.add(film.tobytes())
    assert lasts == 10_000
    assert len(pictures) == film.n_frames > 100
    for k, drawn in enumerate(islice(frames(), 20)):
        film.seek(k)
        assert np.array_equal(drawn, film.convert("RGB")), k


def test_measured_facts_stand_on_the_pages_that_they_come_from() -> None:
    """A new measurement on the linked page has to come here, too."""
    page = ROOT / "docs/how-we-know.md"
    source, checked = "", 0
    for line in page.read_text().splitlines():
        if link := re.search(r"\]\(([\w/.-]+)", line):
            source = (page.parent / link[1]).read_text()
        if re.match(r"\| (?!.*again \|$)", line):
            *_, facts, _, _ = line.split("|")
            numbers = re.findall(r"\.?\d[\d,.]*\d|\d", facts)
            assert [number for number in numbers if number not in source] == [], line
            checked += len(numbers)
    assert checked > 50
