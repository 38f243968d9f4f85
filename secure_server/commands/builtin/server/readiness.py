"""Whether the server can do what it is for now, for those who send it clients or keep them away."""

from __future__ import annotations

from secure_server.commands.builtin.services import BuiltInServices


def hindrances(used: BuiltInServices) -> dict[str, str]:
    """Return why clients should not come now, a sentence under a word each; nothing where they may. It never waits."""
    found = {
        "draining": "The server is draining and takes in nobody but administrators." if used.draining.on else "",
        "storage": "The token database cannot be used; the log says why." if used.unusable() else "",
        "certificate": "" if used.certificates.valid else "The certificate has expired, or is not valid yet.",
        "audit": "The audit trail cannot be written, and audit.on_failure has commands stop."
        if used.suspends()
        else "",
    }
    return {word: sentence for word, sentence in found.items() if sentence}
