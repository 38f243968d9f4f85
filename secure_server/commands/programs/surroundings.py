"""What a declared command is started with besides its argv: standard input, environment, and what rights it keeps."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping

from msgspec import Struct

from secure_protocol.sentence import Sentence
from secure_server.commands.command import LONGEST_TIMEOUT
from secure_server.commands.placeholders import names_in
from secure_server.commands.programs.launching import Rights
from secure_server.config.bounds import Line
from secure_server.config.quantities import Duration, Size
from secure_server.files.opening import open_own
from secure_server.files.owner import ROOT

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
VALUE_BYTES = Size(64 * 1024)
"""The longest value of a variable; Linux gives a program no entry of its environment beyond 128 KB."""
LEAST_MEMORY = Size(1024 * 1024)
"""Less than any program needs to start: who writes less meant another unit."""
MOST_CPU = Duration(LONGEST_TIMEOUT)
"""As of a command's timeout."""
MOST_FILES = 1_048_576
"""What Linux allows a process at most, unless it is told otherwise."""

_COMMANDING = re.compile(
    # what finds programs and libraries, and what shells obey
    r"PATH|LD_.*|DYLD_.*|_RLD.*|LDR_.*|LIBPATH|SHLIB_PATH|GCONV_PATH|LOCPATH|NLSPATH|PATH_LOCALE|GLIBC_.*|MALLOC_.*|"
    r"IFS|ENV|BASH_.*|BASHOPTS|SHELLOPTS|PS4|CDPATH|GLOBIGNORE|PROMPT_COMMAND|ZDOTDIR|FPATH|(READ)?NULLCMD|SHELL|"
    # where configuration is read that may name programs
    r"HOME|XDG_.*|TMPDIR|TMPPREFIX|TERMINFO.*|TERMCAP|TERMPATH|OPENSSL_.*|SSLKEYLOGFILE|KRB5.*|HOSTALIASES|LOCALDOMAIN|"
    r"RES_OPTIONS|RESOLV_.*|KUBECONFIG|DOCKER_(HOST|CONFIG|CONTEXT)|AWS_(CONFIG_FILE|SHARED_CREDENTIALS_FILE)|ANSIBLE_.*|"
    r"PGSERVICEFILE|PGSYSCONFDIR|PSQLRC|MAKEFLAGS|SYSTEMD_.*|"
    # what interpreters load before they read a program
    r"PYTHON.*|PERL.*|RUBY.*|GEM_(HOME|PATH)|BUNDLE_.*|NODE_(OPTIONS|PATH|EXTRA_CA_CERTS|REPL_.*)|NPM_CONFIG_.*|PHPRC|"
    r"PHP_INI_SCAN_DIR|LUA_.*|CLASSPATH|_?JAVA_(OPTS|OPTIONS|TOOL_OPTIONS|HOME)|JDK_JAVA_OPTIONS|(MAVEN|GRADLE)_OPTS|"
    r"R_(PROFILE|ENVIRON|LIBS).*|R_HOME|GOFLAGS|RUST(C|FLAGS|DOC).*|CARGO_(HOME|BUILD_.*|TARGET_.*)|"
    # programs that others start
    r"EDITOR|VISUAL|PAGER|MANPAGER|BROWSER|LESS.*|SUDO_.*|SSH_(ASKPASS.*|AUTH_SOCK)|PSQL_(EDITOR|PAGER)|"
    r"GIT_(SSH.*|EXEC_PATH|CONFIG.*|PROXY_COMMAND|.*EDITOR|PAGER|ASKPASS|EXTERNAL_DIFF|DIR|WORK_TREE|TEMPLATE_DIR)|"
    # on whose behalf it runs
    r"SECURE_SERVER_.*"
)
"""Variables by which a program, or what it starts, is told what to run, to load or to obey. `sudo` keeps such a list.
None is complete: what a program makes of a variable of its own, its author alone knows."""


class FromFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`environment.NAME = { file = "…" }`."""

    file: Line


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """`limits.NAME = …`, each for every process of a program."""

    cpu: Duration | None = None
    memory: Size | None = None
    files: int | None = None


def content_of(source: FromFile) -> str:
    """Read a variable's value: a file's content without the end of its last line. Looked up anew each time.

    Raises:
        OSError: it is not there, may not be read, or is a link or no plain file.
        ValueError: it is too long, or holds a NUL.
    """
    with open(open_own(source.file, os.O_RDONLY), "rb") as opened:  # noqa: PTH123 - a descriptor
        content = opened.read(VALUE_BYTES + 1)
    if len(content) > VALUE_BYTES:
        raise ValueError(Sentence("{file} is longer than {most}", file=source.file, most=VALUE_BYTES))
    if b"\0" in content:
        raise ValueError(Sentence("{file} holds a NUL, which no variable can", file=source.file))
    return os.fsdecode(content.removesuffix(b"\n").removesuffix(b"\r"))


def rights_of(run_as: str, umask: str, nice: int, limits: Limits) -> Rights:
    """Return what a program keeps of the server's rights, as declared and checked."""
    return Rights(
        user=run_as,
        umask=int(umask, 8) if umask else None,
        nice=nice,
        cpu=None if limits.cpu is None else max(1, round(limits.cpu)),
        memory=None if limits.memory is None else int(limits.memory),  # whose text has a unit
        files=limits.files,
    )


def problems_of(run_as: str, umask: str, nice: int, limits: Limits) -> Iterator[Sentence]:
    """Find what a program cannot be started with here."""
    if run_as and (problem := _no_user(run_as)):
        yield problem
    if umask and not re.fullmatch(r"0?[0-7]{3}", umask):
        yield Sentence('.umask: expected three octal digits such as "027", found {umask!r}', umask=umask)
    if not -20 <= nice <= 19:
        yield Sentence(".nice: expected -20 to 19, found {nice}", nice=nice)
    elif nice < 0 and _uid() != ROOT:
        yield Sentence(".nice: only a server that root runs makes a program less nice; write 0 to 19")
    if limits.cpu is not None and not 1 <= limits.cpu <= MOST_CPU:
        yield Sentence(".limits.cpu: expected 1s to {most}, found {found}", most=MOST_CPU, found=limits.cpu)
    if limits.memory is not None and limits.memory < LEAST_MEMORY:
        yield Sentence(
            ".limits.memory: expected at least {least}, found {found}", least=LEAST_MEMORY, found=limits.memory
        )
    if limits.files is not None and not 3 <= limits.files <= MOST_FILES:
        yield Sentence(".limits.files: expected 3 to {most}, found {found}", most=MOST_FILES, found=limits.files)


def problems_in(environment: Mapping[str, str | FromFile]) -> Iterator[Sentence]:
    """Find what cannot be a variable, or may not be one that a peer decides on."""
    for variable, value in environment.items():
        if isinstance(value, FromFile):
            if not value.file.startswith("/"):
                yield Sentence(
                    ".environment.{variable}.file: {file} is relative; write the whole path",
                    variable=variable,
                    file=value.file,
                )
        elif "\x00" in value or len(value) > VALUE_BYTES:
            yield Sentence(
                ".environment.{variable}: expected at most {most} without a NUL",
                variable=variable,
                most=VALUE_BYTES,
            )
        elif names_in(value) and _COMMANDING.fullmatch(variable):
            yield Sentence(
                ".environment.{variable}: it tells programs what to run, so no argument may stand there; take it out, "
                "or write {{{{name}}}} for braces",
                variable=variable,
            )


def home_of(user: str) -> dict[str, str]:
    """Return the variables that tell a program whom it runs as, and that must not be the server's own.

    Raises:
        KeyError: there is no such user.
    """
    if sys.platform == "win32":
        raise KeyError(user)
    import pwd  # noqa: PLC0415 - POSIX has it alone

    return {"HOME": pwd.getpwnam(user).pw_dir, "LOGNAME": user, "USER": user}


def _no_user(name: str) -> Sentence | None:
    """Return why a program cannot run as this user; None where it can."""
    if sys.platform == "win32":
        return None
    import pwd  # noqa: PLC0415 - as above

    try:
        user = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return Sentence(".run_as: there is no user {name!r}; make it, or name another", name=name)
    if _uid() not in (ROOT, user.pw_uid):
        return Sentence(
            ".run_as: the server runs as {me}, and only root may start a program as {name}; run the server as {name}, "
            "or take run_as out",
            me=_name(),
            name=name,
        )
    return None


def _uid() -> int:
    if sys.platform == "win32":
        return -1
    return os.geteuid()


def _name() -> str:
    if sys.platform == "win32":
        return ""
    import pwd  # noqa: PLC0415 - as above

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
