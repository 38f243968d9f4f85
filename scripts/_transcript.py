"""The proof without a terminal: each kind of command through the real programs, each answer checked."""

import datetime as dt
import re
import socket

from scripts._conversation import Conversation
from scripts._installation import PROFILE, Installation, StepFailedError

CLOCK_TOLERANCE = 120.0  # seconds between the server's TIME and ours; both are this machine's clock
TABLE_COLUMNS = "160"  # so that a table's cells are not cut, as they would be at the 80 of a pipe
UNKNOWN_ANSWERS = ("ERROR: Unknown command.", "ERROR: Comando não reconhecido.")
COMMAND_FAILED = 1  # the client's exit code for that
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")


def run(installation: Installation) -> None:
    """Print what was typed and what was answered.

    Raises:
        StepFailedError: an answer was not what it should be.
    """
    with Conversation(installation) as client:
        _show("> ECHO hello", answer := client.ask("ECHO hello"))
        _expect("ECHO hello", "an answer with `hello`", answer, holds="hello" in answer)

        _show("> TIME", answer := client.ask("TIME"))
        _expect("TIME", "the time now, as in ISO 8601 with an offset", answer, holds=_is_now(answer))

        # By a client of its own: a failed command decides a client's exit code, and the other's shall be 0.
        done = installation.run(installation.client(PROFILE, "-c", "NONSENSE"))
        _show("> NONSENSE", answer := (done.stdout + done.stderr).strip())
        refused = done.returncode == COMMAND_FAILED and any(words in answer for words in UNKNOWN_ANSWERS)
        expected = f"`{UNKNOWN_ANSWERS[0]}` and exit code {COMMAND_FAILED}"
        _expect("NONSENSE", expected, f"{answer} (exit code {done.returncode})", holds=refused)

        if hasattr(socket, "AF_UNIX"):
            done = installation.run(installation.admin("clients"), {"COLUMNS": TABLE_COLUMNS})
            _show("admin> clients", done.stdout.strip())
            listed = done.returncode == 0 and PROFILE in done.stdout
            came = f"{done.stdout}{done.stderr}(exit code {done.returncode})"
            _expect("admin> clients", f"a list with `{PROFILE}` and exit code 0", came, holds=listed)
        else:
            print("The admin shell is left out: there are no Unix sockets here.", flush=True)

        answer, status = client.leave("EXIT")
        _show("> EXIT", answer)
        said_goodbye = status == 0 and bool(answer.strip()) and "ERROR" not in answer
        _expect("EXIT", "a goodbye and exit code 0", f"{answer} (exit code {status})", holds=said_goodbye)


def _show(typed: str, answer: str) -> None:
    print(f"{typed}\n{answer}", flush=True)


def _expect(step: str, expected: str, came: str, *, holds: bool) -> None:
    if not holds:
        raise StepFailedError(f"{step}: expected {expected}; came: {came.strip() or 'nothing'}")


def _is_now(answer: str) -> bool:
    found = _TIMESTAMP.search(answer)
    if found is None:
        return False
    told = dt.datetime.fromisoformat(found[0])
    return abs((dt.datetime.now(dt.UTC) - told).total_seconds()) < CLOCK_TOLERANCE
