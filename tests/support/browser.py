"""A real browser, and what a page did in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
REPORT = """
document.addEventListener("securitypolicyviolation", (event) => {
  reportViolation(`${event.effectiveDirective}: ${event.blockedURI}`);
});
"""


@dataclass
class Seen:
    """What a page did: all but `requests` is empty where nothing went wrong.

    Attributes:
        console: Errors and warnings that it logged.
        errors: Exceptions that nobody caught.
        dialogs: Messages of alerts and the like; they are dismissed.
        violations: Of the content security policy.
        requests: Addresses that it asked for.
        failed: Those of them that were not answered, or with an error.
    """

    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def assert_clean(self, address: str) -> None:
        """Assert that nothing went wrong and that all requests were for what is at an address."""
        assert not self.console
        assert not self.errors
        assert not self.dialogs
        assert not self.violations
        assert not self.failed
        assert self.requests
        assert [url for url in self.requests if not url.startswith((address, "data:"))] == []


@contextmanager
def open_browser() -> "Iterator[Browser]":
    """Start Chromium, or skip the test where it or Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip(f"needs a browser: one of {', '.join(CHROMIUM)}")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


@contextmanager
def open_page(browser: "Browser", **options: Any) -> "Iterator[tuple[Page, Seen]]":
    """Open an empty page of its own.

    Args:
        browser: Of `open_browser`.
        options: Of Playwright's contexts, e.g. ``viewport`` or ``color_scheme``.
    """
    seen = Seen()

    def dismiss(dialog: "Dialog") -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    context = browser.new_context(**options)
    context.expose_function("reportViolation", lambda text: seen.violations.append(text))
    context.add_init_script(REPORT)
    page = context.new_page()
    page.on(
        "console",
        lambda message: (
            seen.console.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("dialog", dismiss)
    page.on("request", lambda request: seen.requests.append(request.url))

    def note_failed(request: Any) -> None:
        # What was still on its way when the page was left has not failed.
        if request.failure != "net::ERR_ABORTED":
            seen.failed.append(request.url)

    page.on("requestfailed", note_failed)
    page.on(
        "response",
        lambda response: seen.failed.append(response.url) if response.status >= 400 else None,
    )
    yield page, seen
    context.close()


def address_of(page: "Page") -> str:
    """Ask a page where it is: what Playwright remembers as `page.url` may be a moment old."""
    return str(page.evaluate("location.href"))


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; its address ends with a slash."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass
