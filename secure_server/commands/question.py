"""What clients ask their users before they send a command: whether it can be asked, and how it is told."""

from __future__ import annotations

import re

from secure_protocol.description import PLACEHOLDER, SERVER
from secure_protocol.sentence import Sentence
from secure_server.commands.signature import Signature, SignatureError


def check(name: str, confirm: str, signature: Signature, *, secret: bool) -> None:
    """Refuse a question that could not be filled in, or that would show a secret.

    Args:
        name: of the command.
        confirm: the question.
        signature: the command's.
        secret: none of the command's arguments may be shown.

    Raises:
        SignatureError: one sentence says what is wrong.
    """
    parameters = {parameter.name: parameter for parameter in signature.parameters}
    if SERVER in parameters:
        raise SignatureError(
            Sentence(
                "{name}: in confirm {{server}} is the server, so no argument can be called that; give it another name",
                name=name,
            )
        )
    for key in [found[2] for found in re.finditer(PLACEHOLDER, confirm) if found[2] and found[2] != SERVER]:
        if key not in parameters:
            raise SignatureError(
                Sentence(
                    "{name}: confirm has {{{key}}}, which is no argument; allowed are {names}",
                    name=name,
                    key=key,
                    names=", ".join(f"{{{known}}}" for known in (*parameters, SERVER)),
                )
            )
        if secret or parameters[key].more.secret:
            raise SignatureError(
                Sentence("{name}: confirm would show {key}, which is a secret; leave it out", name=name, key=key)
            )


def check_preview(name: str, confirm: str) -> None:
    """Refuse a preview that would be shown without a question.

    Args:
        name: of the command.
        confirm: its question.

    Raises:
        SignatureError: one sentence says what is wrong.
    """
    if not confirm:
        raise SignatureError(Sentence("{name}: with a preview it needs confirm", name=name))


def as_shown(confirm: str) -> str:
    """Return a question with the names by which clients know the arguments."""
    return re.sub(PLACEHOLDER, lambda found: found[0].replace("_", "-"), confirm)
