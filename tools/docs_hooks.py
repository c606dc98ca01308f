"""What MkDocs needs besides the pages of `docs/`: generated references, and linked sources.

MkDocs calls `on_files` and `on_page_markdown`; `mkdocs.yml` names this file.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from docs_reference import reference_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SOURCES = "sources"  # folder of the site for the files outside docs/ that pages link to
LINK = re.compile(r"\]\((?P<target>(?:\.\./)+[^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the files outside `docs/` that pages link to."""
    for name, content in reference_pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    linked = {source for file in files.documentation_pages() for source in sources_of(file)}
    for source in sorted(linked):
        path = f"{SOURCES}/{source}"
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links out of `docs/` to the copies in the site, and drop marks for our tests."""
    folder = posixpath.dirname(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        source = outside(page.file.src_uri, link["target"])
        if source is None:
            return link[0]
        return "](" + posixpath.relpath(f"{SOURCES}/{source}", folder or ".")

    return LINK.sub(moved, markdown).replace("```python continuation\n", "```python\n")


def sources_of(page: File) -> Iterator[str]:
    """Yield the files outside `docs/` that a page links to, relative to the repository."""
    for link in LINK.finditer(page.content_string):
        source = outside(page.src_uri, link["target"])
        if source is not None:
            yield source


def outside(page: str, target: str) -> str | None:
    """Return the target of a page's link relative to the repository; None if it is in `docs/`."""
    source = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return None if source.startswith("docs/") else source
