"""`@path` in place of an argument that may be a file, and what cannot be had that way."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from secure_client.catalogue import Catalogue
from secure_client.core.login import Session
from secure_client.errors import NotSentError
from secure_client.typed import files
from secure_client.typed.line import Line
from secure_client.typed.precautions import Precautions
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.limits import AUTHENTICATED

CATALOGUE = Catalogue(
    [
        CommandDescription(
            "STORE",
            arguments=(
                ArgumentDescription("name"),
                ArgumentDescription("bodies", "bytes", variadic=True, optional=True, file=True),
                ArgumentDescription("note", flag=True, optional=True, file=True),
            ),
        ),
        CommandDescription("ECHO", arguments=(ArgumentDescription("text", variadic=True),)),
    ]
)


def sent(text: str, stdin: bytes | None = None, session: Session | None = None) -> tuple[bytes, ...]:
    """What goes to the server for a typed line."""
    return taken(Precautions("work", stdin=io.BytesIO(stdin) if stdin is not None else None), text, session)


def taken(precautions: Precautions, text: str, session: Session | None = None) -> tuple[bytes, ...]:
    """Likewise, where it is not the first one."""
    line = Line.parse(text)
    assert line is not None
    filled = precautions.take(CATALOGUE, line, session=session)
    assert filled.text == line.text, "what is shown and kept is what was typed"
    return filled.words


def refused(text: str, stdin: bytes | None = None, session: Session | None = None) -> str:
    """What is said of a line that is not sent."""
    with pytest.raises(NotSentError) as caught:
        sent(text, stdin, session)
    assert caught.value.exit_code == 2
    assert str(caught.value).endswith("nothing was sent.")
    return str(caught.value)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a file").write_bytes(b"\x00one\r\n")
    (tmp_path / "two").write_bytes(b"2")


def test_a_file_takes_the_place_of_its_name(tmp_path: Path) -> None:
    """Byte for byte, wherever an argument may be one; nowhere else."""
    one = b"\x00one\r\n"
    assert sent(f'STORE @x "@{tmp_path}/a file" @~/two') == (b"STORE", b"@x", one, b"2")
    assert sent('store x --note "@~/a file" @~/two --note=@~/two') == (
        *(b"store", b"x", b"--note", one, b"2"),
        b"--note=2",
    )
    assert sent("STORE x @@~/two a@~/two --note=@@") == (b"STORE", b"x", b"@~/two", b"a@~/two", b"--note=@")
    assert sent("ECHO @~/two") == (b"ECHO", b"@~/two")
    assert sent("UNKNOWN @~/two") == (b"UNKNOWN", b"@~/two")


def test_standard_input_is_read_once() -> None:
    """Where it holds no commands."""
    precautions = Precautions("work", stdin=io.BytesIO(b"in"))
    assert taken(precautions, "STORE x @-") == (b"STORE", b"x", b"in")
    with pytest.raises(NotSentError, match=r"standard input was read already"):
        taken(precautions, "STORE x @-")
    assert sent("STORE x @/dev/stdin", b"in") == (b"STORE", b"x", b"in")
    assert "standard input was read already" in refused("STORE x @- @-", b"in")
    assert "the commands come from standard input themselves" in refused("STORE x @-")
    assert "the commands come from standard input themselves" in refused("STORE x @/dev/fd/0")


def test_what_cannot_be_had_is_told_and_not_sent(tmp_path: Path) -> None:
    """What is not there, a directory, a device, what nobody may read, and no name at all."""
    assert refused("STORE x @~/gone") == (
        "Argument bodies: @~/gone cannot be read (No such file or directory), so nothing was sent."
    )
    assert "@\\x1b[31m cannot be read" in refused('STORE x "@\\x1b[31m"')
    assert "cannot be read (a zero byte is in its name)" in refused('STORE x "@\\x00"')
    assert "@ cannot be read" in refused("STORE x @")
    if sys.platform == "win32":
        pytest.skip("what follows is POSIX's")
    assert "cannot be read (it is a directory)" in refused(f"STORE x @{tmp_path}")
    assert "cannot be read (it is no regular file)" in refused("STORE x @/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    assert "Argument note: @~/pipe cannot be read (it is no regular file)" in refused("STORE x --note=@~/pipe")


def test_a_pipe_that_the_shell_hands_over_is_read() -> None:
    """As in `@<(command)`."""
    if not Path("/dev/fd").is_dir():
        pytest.skip("no /dev/fd here")
    read, write = os.pipe()
    os.write(write, b"from a command")
    os.close(write)
    try:
        assert sent(f"STORE x @/dev/fd/{read}") == (b"STORE", b"x", b"from a command")
    finally:
        os.close(read)


def test_what_the_server_would_not_take_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One argument, and all together; from a file and from standard input. The server says how much that is."""
    usual = AUTHENTICATED.argument_bytes
    (tmp_path / "most").write_bytes(bytes(usual))
    (tmp_path / "more").write_bytes(bytes(usual + 1))
    assert len(sent("STORE x @~/most")[2]) == usual
    assert "(it is longer than 524288 bytes)" in refused("STORE x @~/more")
    assert "(it is longer than 524288 bytes)" in refused("STORE x @-", bytes(usual + 1))
    assert "longer than 1048512 bytes together" in refused("STORE x @~/most @~/most")
    wide = Session.from_wire({"argument-bytes": 2 * usual, "request-bytes": 4 * usual})
    assert len(sent("STORE x @~/more @~/more", session=wide)[2]) == usual + 1
    narrow = Session.from_wire({"argument-bytes": 10, "request-bytes": 84})
    (tmp_path / "some").write_bytes(bytes(11))
    assert "(it is longer than 10 bytes)" in refused("STORE x @~/some", session=narrow)
    assert "longer than 20 bytes together" in refused(f"STORE x{' @~/two' * 15}", session=narrow)
    monkeypatch.setattr(files, "MOST_BYTES", 11)
    endless = Session.from_wire({"argument-bytes": 1 << 60, "request-bytes": 1 << 60})
    assert "(it is longer than 11 bytes)" in refused("STORE x @-", bytes(12), session=endless)
    assert Session.from_wire({"argument-bytes": -1, "request-bytes": "x"}).argument_bytes == usual
