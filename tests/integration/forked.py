"""Many runs of the programs, each a fork of one interpreter: the same comes of them, half a second sooner each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import ROOT

HARNESS = """
import json, os, runpy, sys, tempfile
import secure_server.__main__, secure_server.cli.admin, secure_server.cli.audit, secure_server.cli.certs
import secure_server.cli.token, secure_client.cli.main

def spoil(descriptor, how):
    name = {1: "stdout", 2: "stderr"}[descriptor]
    if how == "closed":
        os.close(descriptor)
        setattr(sys, name, None)
        return
    reader, writer = os.pipe() if how == "pipe" else (-1, os.open("/dev/full", os.O_WRONLY))
    os.dup2(writer, descriptor)
    os.close(writer)
    if reader >= 0:
        os.close(reader)

def run(argv):
    sys.argv = argv
    if argv[0].endswith(".py"):
        runpy.run_path(argv[0], run_name="__main__")
    elif argv[0] == "secure-server":
        secure_server.__main__.main()
    else:
        secure_client.cli.main.main()

ended = []
for argv, descriptor, how in json.load(sys.stdin):
    said = tempfile.TemporaryFile()
    child = os.fork()
    if not child:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        for each in {1, 2} - {descriptor}:
            os.dup2(said.fileno(), each)
        said.close()
        if descriptor:
            spoil(descriptor, how)
        try:
            run(argv)
        except SystemExit as error:
            sys.stdout.flush()
            os._exit(error.code or 0)
        except BaseException:
            import traceback
            os.write(1 if descriptor == 2 else 2, traceback.format_exc().encode())
        os._exit(99)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said.seek(0)
    ended.append((status, said.read().decode()))
print(json.dumps(ended))
"""


class Ended(NamedTuple):
    """A program's end."""

    status: int
    said: str
    """What it wrote to the streams that were left to it."""


class Case(NamedTuple):
    """A program with its arguments; which descriptor takes nothing, if any, and how: full, closed or pipe."""

    argv: list[str]
    descriptor: int = 0
    how: str = ""


def run(
    cases: Sequence[Case], home: Path, root: Path = ROOT, environment: Mapping[str, str] | None = None
) -> list[Ended]:
    """Run them all, one after the other.

    Args:
        cases: what to run.
        home: of the client.
        root: where the packages are.
        environment: further variables.
    """
    own = {"SECURE_CLIENT_HOME": str(home), "PYTHONPATH": str(root), **(environment or {})}
    done = subprocess.run(
        [sys.executable, "-c", HARNESS], input=json.dumps(cases), cwd=root, capture_output=True, text=True,
        env=os.environ | own, timeout=PATIENCE_SECONDS * max(3, len(cases)), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Ended(*ended) for ended in json.loads(done.stdout)]
