"""What is set in a running server acts there, and where its settings come from is known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.program import Program


def test_a_limit_that_is_set_holds_for_the_next_who_comes(server: ServerFactory) -> None:
    """And after a reload, and not any more when it was taken back."""
    running = server()
    with running.text(running.token(Role.ADMIN)) as root, running.text(None) as second:
        assert root.ask("CONFIG SET limits.max_clients 1").startswith("limits.max_clients is 1 until the restart")
        assert root.ask("CONFIG RELOAD").startswith("Nothing to take up. Stays as it was set")
        assert second.ask(f"AUTH {running.token()}").startswith("ERROR: THROTTLED ")
        assert root.ask("CONFIG UNSET limits.max_clients").startswith("limits.max_clients is 10000 again;")
        with running.text() as third:
            assert third.ask("PING") == "PONG"
        trail = next(running.data.glob("audit-*.jsonl")).read_text(encoding="utf-8")
        assert '"CONFIG SET"' in trail
        assert '"changed":"limits.max_clients"' in trail


@pytest.mark.usefixtures("unmeasured")
def test_where_settings_come_from(certificates: Path, tmp_path: Path) -> None:
    """The command line, the file, or nobody said so; the environment is in test_run."""
    data, file = tmp_path / "data", tmp_path / "a.toml"
    file.write_text('[timeouts]\nidle = "5m"\n', encoding="utf-8")
    with Program(certificates, data, before=f"export SECURE_SERVER_CONFIG='{file}'"):
        shell = [sys.executable, "-m", "secure_server", "admin", "--data-dir", str(data), "--json", "-c"]
        told = subprocess.run([*shell, "CONFIG SHOW"], capture_output=True, text=True, timeout=60, check=True).stdout
    origins = {row["key"]: row["from"] for row in json.loads(told)["reply"]}
    assert [origins[key] for key in ("data_dir", "certs_dir", "listen.port")] == ["command line"] * 3
    assert (origins["timeouts.idle"], origins["timeouts.write"]) == ("file", "default")
