"""Takes away what POSIX alone has, before a program's first line: Python imports it by itself from PYTHONPATH.

The system stays what it is, and calls itself so; but whoever asks for a module or a function finds what Windows has.
"""

import os
import select
import signal
import sys
from types import ModuleType
from typing import cast

import platformdirs.unix  # noqa: F401 - which asks what system this is, and imports what belongs to it

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
ATTRIBUTES: dict[ModuleType, tuple[str, ...]] = {
    os: (
        *("chown", "fchmod", "fchown", "fork", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getpriority"),
        *("getsid", "getuid", "initgroups", "killpg", "lchown", "nice", "pidfd_open", "register_at_fork", "setegid"),
        *("set_blocking", "seteuid", "setgid", "setgroups", "setpriority", "setsid", "setuid", "statvfs", "sysconf"),
        *("waitid", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK"),
    ),
    select: ("devpoll", "epoll", "kqueue", "poll"),
    signal: ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "pthread_kill", "sigwait"),
}

for name in MODULES:
    sys.modules[name] = cast("ModuleType", None)
for module, names in ATTRIBUTES.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
os.supports_fd.discard(os.chmod)

import socket  # noqa: E402 - it asks `select` what there is


def _pair(*_: object) -> tuple[socket.socket, socket.socket]:
    """Connect two sockets over loopback, as Python does on Windows: there are no Unix sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


socket.socketpair = _pair  # type: ignore[assignment] # nobody here gives it arguments
for name in ("AF_UNIX", "SO_PEERCRED", "TCP_QUICKACK", "TCP_CORK"):
    if hasattr(socket, name):
        delattr(socket, name)
