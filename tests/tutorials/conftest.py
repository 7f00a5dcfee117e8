"""The browser of the page's tests, for what moves in the chapters."""

from tests.figures.test_page_in_browser import chromium, visit  # noqa: F401
