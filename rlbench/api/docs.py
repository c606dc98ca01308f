"""Where the pages that messages name can be read."""

from importlib import metadata
from pathlib import Path

import rlbench

_LABEL = "documentation"  # of the address in pyproject.toml, [project.urls]


def docs_url(page: str) -> str:
    """Return the address of a page of the documentation, e.g. of ``comparisons.md``.

    It is below the address that the package states. Where none is stated it is that of the file in
    a checkout of the sources, and where these are not at hand the page's name in them.
    """
    if address := _stated():
        return f"{address.rstrip('/')}/{page}"
    file = Path(rlbench.__file__).resolve().parents[1] / "docs" / page
    return file.as_uri() if file.is_file() else f"docs/{page} in the sources of rlbench"


def _stated() -> str:
    """Return the address of the documentation that the installed package states, or nothing."""
    try:
        urls = metadata.metadata("rlbench").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    for label, _, url in (str(line).partition(",") for line in urls):
        if label.strip().lower() == _LABEL:
            return url.strip()
    return ""
