"""The page as a browser gets it."""

from __future__ import annotations

from tests.browser.visitor import Visitor


def test_the_page_is_there(visitor: Visitor) -> None:
    """Over a certificate that the browser trusts, in a secure context, with nothing to complain of."""
    visitor.allowed.append("favicon")  # until the page says which
    assert visitor.page.evaluate("() => isSecureContext && crypto.subtle !== undefined")
    assert "Secure" in visitor.page.title() or "localhost" in visitor.page.title()
