"""Quickstart's page: the server's setting for it, a link that signs in, and the browser."""

import os
import sys
import webbrowser

from scripts._installation import Installation, private_file
from scripts._progress import Progress

NAME = "quickstart-browser"  # of the link's token
CONFIGURATION = "[web]\nenabled = true\n"
_DOOR = """<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={link}">
<title>Secure command server</title>
<a href="{link}">Open the page</a>
"""


def configuration(installation: Installation) -> str:
    """Write the server's configuration, and return its path as the programs are told it."""
    (installation.own / "server.toml").write_text(CONFIGURATION, "utf-8")
    return str(installation.data / "quickstart" / "server.toml")


def open_page(installation: Installation, progress: Progress) -> None:
    """Print a link that signs in once, and open the browser with it where there is one.

    Raises:
        StepFailedError: there is no link, as where a server without the page runs already.
    """
    data = ("--data-dir", str(installation.data))
    installation.run(installation.server("token", "revoke", NAME, *data))  # of an earlier quickstart, if any
    places = (*data, "--certs-dir", str(installation.certs))
    link = installation.require(installation.server("token", "create", NAME, "--web", "--quiet", *places)).strip()
    # Not to the browser itself: other users see what programs are told when they are started.
    door = private_file(installation.own / "open.html", _DOOR.format(link=link))
    opened = _has_screen() and webbrowser.open(door.absolute().as_uri())
    progress.say(
        f"{'The browser opens the page' if opened else 'Open the page in a browser'}; this link signs in once, "
        f"within the hour:\n  {link}\n"
        f"A browser warns until it trusts the CA in {installation.certs}/ca.pem:\n"
        f"  .venv/bin/secure-server certs trust --dir {installation.certs}\n"
    )


def _has_screen() -> bool:
    """Whether a browser has somewhere to open; without a screen it would take the terminal, as lynx does."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
