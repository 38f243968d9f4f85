"""What `secure-server token` imports: it is called often, and each import is waited for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NEEDLESS = {
    *("scramp", "asn1crypto", "cryptography", "rich", "prompt_toolkit", "idna", "asyncio", "ssl"),
    *("secure_client.client", "secure_server.admin.live", "secure_server.config.file", "secure_server.cli.enrolment"),
}
LOOKING = NEEDLESS | {"msgspec", "secure_server.audit.journal"}
"""Who changes nothing has nothing to write to the audit trail either."""

PROGRAM = """
import sys
from secure_server.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "needless"),
    [(["create", "bia", "--quiet"], NEEDLESS), (["list", "--json"], LOOKING), (["show", "ana"], LOOKING)],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_nothing_is_imported_that_a_command_does_not_need(words: list[str], needless: set[str], tmp_path: Path) -> None:
    """Without a server that runs, and without `--enroll`."""
    done = None
    for line in (["create", "ana", "--quiet"], words):
        argv = [sys.executable, "-c", PROGRAM, "token", *line, "--data-dir", str(tmp_path / "data")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert done is not None
    assert needless & set(done.stderr.split()) == set()
