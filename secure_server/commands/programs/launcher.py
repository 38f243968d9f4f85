"""A program of its own that waits for an order, gives rights up, and becomes the program that it is told to.

`launching.py` runs this file, and speaks with it through two pipes. The order comes through one, and its last field is
the word to go: where that pipe ends without it this process ends, and nothing was executed. So a record can be on disk
before anything runs, and a server that died meanwhile has started nothing. What does not work is told through the other
pipe, which closes by itself where the program is executed.

This is not done by `preexec_fn`: in a process with threads no Python may run between fork and exec. Its cost is its
start, so it imports what is compiled into the interpreter, and `resource` where there are limits.
"""

import os
import stat
import sys

TYPE_CHECKING = False  # as `typing` has it, which takes a third of the whole start
if TYPE_CHECKING:
    from collections.abc import Callable

GO = b"go"
"""The last field of an order."""
EXECUTED = b"+"
"""All that is said where the program is executed: what fails then is said after it."""
CPU_GRACE = 2
"""Seconds of processor time between SIGXCPU, at which a program may tidy up, and SIGKILL."""
CHUNK = 65536
"""What one read takes of an order: a pipe's usual capacity."""
FAILED = 127
"""The exit code where nothing was executed; as a shell's."""


def main(order: int, report: int) -> None:
    """Wait for the order on one descriptor, follow it, and tell on the other what went wrong."""
    step = "run"
    try:
        os.set_inheritable(report, False)  # noqa: FBT003 - it has no name
        told = bytearray()
        while data := os.read(order, CHUNK):
            told += data
        os.close(order)
        fields = [bytes(field) for field in told.split(b"\0")]
        if fields[-1] != GO or len(fields) != 9 + int(fields[0]) + int(fields[1]):  # the server has gone
            os._exit(FAILED)
        user, umask, nice, cpu, memory, files = (field.decode() for field in fields[2:8])
        argv, pairs = fields[8 : 8 + int(fields[0])], fields[8 + int(fields[0]) : -1]
        environment = dict(pair.split(b"=", 1) for pair in pairs)
        candidates = places(argv[0], environment.get(b"PATH", os.fsencode(os.defpath)))
        step = "limits"
        limits = [("RLIMIT_CPU", cpu, CPU_GRACE), ("RLIMIT_NOFILE", files, 0), ("RLIMIT_AS", memory, 0)]
        set_limit = limiter() if cpu or files or memory else None  # a user may not be able to read Python's libraries
        step = "nice"
        prioritise(nice)
        if umask:
            os.umask(int(umask))
        step = "run_as"
        become(user)
        default_signals()
        step = "limits"
        for name, most, grace in limits:  # last: what is needed from here on is there already
            if set_limit is not None and most:
                set_limit(name, int(most), grace)
        step = "run"
        os.write(report, EXECUTED)
        execute(candidates, argv, environment)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the server is told, and no peer sees a traceback
        number = getattr(error, "errno", None) or 0
        os.write(report, f"{step}\0{number}\0{type(error).__name__}".encode())
    os._exit(FAILED)


def places(program: bytes, path: bytes) -> list[bytes]:
    """Return where a program may be, as `execvp` looks for it."""
    return [program] if b"/" in program else [os.path.join(each, program) for each in path.split(b":")]  # noqa: PTH118 - as above


def prioritise(nice: str) -> None:
    """Be so much nicer than the server is."""
    if sys.platform != "win32" and nice:
        os.nice(int(nice))


def become(name: str) -> None:
    """Become a user. Groups first, for they are root's to change."""
    if sys.platform == "win32" or not name:
        return
    import pwd  # noqa: PLC0415 - POSIX has it alone

    user = pwd.getpwnam(name)
    if os.geteuid() != user.pw_uid:
        for stream in range(3):
            if stat.S_ISFIFO(os.fstat(stream).st_mode):  # or they could not open /dev/stdout, as scripts do
                os.fchown(stream, user.pw_uid, user.pw_gid)
        os.initgroups(name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def limiter() -> "Callable[[str, int, int], None] | None":
    """Return what sets a limit, and never one beyond that which holds already."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - POSIX has it alone, and it is no part of the interpreter

    def set_limit(name: str, soft: int, grace: int) -> None:
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = soft + grace if hard == resource.RLIM_INFINITY else min(soft + grace, hard)
        resource.setrlimit(kind, (min(soft, most), most))

    return set_limit


def default_signals() -> None:
    """Undo that Python ignores some signals: what it handles is undone by `exec`, what it ignores is not."""
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415 - `signal` imports `enum`, a fifth of the start

    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)


def execute(candidates: list[bytes], argv: list[bytes], environment: dict[bytes, bytes]) -> None:
    """Become the program.

    Raises:
        OSError: it is in none of these places, or may not be executed; of several reasons the one that says most.
    """
    failure: OSError | None = None
    for candidate in candidates:
        try:
            os.execve(candidate, argv, environment)  # noqa: S606 - an argv that the configuration vetted, no shell
        except OSError as error:
            if failure is None or not isinstance(error, FileNotFoundError | NotADirectoryError):
                failure = error
    if failure is not None:
        raise failure


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
