"""How commands are run for a program."""

from typing import NamedTuple

from secure_client.answers.formats import Format
from secure_client.core.call import ANSWER_TIMEOUT


class Manner(NamedTuple):
    """How commands are run for a program.

    Attributes:
        form: of the answers.
        yes: the answer to what commands ask before they are sent, given beforehand.
        timeout: seconds without any sign of a command.
        stop_on_error: the first that fails is the last.
        quiet: nothing but errors on stderr: no progress, no news of jobs and connections.
    """

    form: Format = Format.TEXT
    yes: bool = False
    timeout: float = ANSWER_TIMEOUT
    stop_on_error: bool = False
    quiet: bool = False


USUAL = Manner()
