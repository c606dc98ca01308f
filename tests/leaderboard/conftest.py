"""Fixtures of tests that look at pages in a browser."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.browser import open_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with open_browser() as opened:
        yield opened
