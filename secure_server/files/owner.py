"""Whose a directory is: nobody else may write there, and root works in it as its owner.

Whoever may write in a directory decides what a name in it leads to. So root that writes in somebody's directory could
be led to any file of the system; as that somebody it can be led nowhere that they could not go themselves.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from secure_protocol.sentence import Sentence

ROOT = 0
_SHARED = stat.S_IWGRP | stat.S_IWOTH
_ENCODINGS = ("ascii", "utf-8")
"""What files of ours are written in. Python imports an encoding at its first use, when whoever root became may not be
able to read it."""


class DirectoryError(Exception):
    """The directory cannot be worked in; one sentence says why, and what mends it."""


class Owner(NamedTuple):
    """A user, as far as files know one."""

    uid: int
    gid: int
    name: str


def check(directory: Path, *, serving: bool = False) -> None:
    """Refuse a data directory that somebody else may change; one that there is not yet is fine.

    Args:
        directory: the data directory.
        serving: by a server, which stays who it is; others become its owner where they are root.

    Raises:
        DirectoryError: others may write there, or it belongs to neither this user nor root.
    """
    owner = owner_of(directory)
    if sys.platform == "win32" or owner is None:
        return
    mode = directory.stat().st_mode
    if mode & _SHARED and mode & stat.S_ISVTX:
        raise DirectoryError(Sentence("{path} is a directory of all users; choose another --data-dir", path=directory))
    if mode & _SHARED:
        raise DirectoryError(
            Sentence("other users may write in the data directory {path}; run: chmod go-w {path}", path=directory)
        )
    me = os.geteuid()
    if owner.uid in (me, ROOT):
        return
    if me != ROOT:
        raise DirectoryError(
            Sentence(
                "the data directory {path} belongs to {owner}; run this as {owner} (sudo -u {owner} …), or make it "
                "yours: sudo chown -R $(id -un) {path}",
                path=directory,
                owner=owner.name,
            )
        )
    if serving:
        raise DirectoryError(
            Sentence(
                "the data directory {path} belongs to {owner}, who could make themselves administrator of a server "
                "that root runs; run the server as {owner}, or make it root's: chown -R root {path}",
                path=directory,
                owner=owner.name,
            )
        )


def check_copy(copy: Path, data_dir: Path) -> None:
    """Refuse a copy of a data directory in which somebody else may read or change something; one not yet there is fine.

    Whoever has it has the keys, and whoever can write in it decides which tokens are good once it is put back.

    Args:
        copy: the copy's directory.
        data_dir: what it is a copy of, or for; its owner may have it.

    Raises:
        DirectoryError: others may write there, or it belongs to neither this user nor root nor that owner.
    """
    owner, friend = owner_of(copy), owner_of(data_dir)
    if sys.platform == "win32" or owner is None:
        return
    if copy.stat().st_mode & _SHARED:
        raise DirectoryError(
            Sentence("other users may write in {path}; name another directory, or run: chmod go-w {path}", path=copy)
        )
    if owner.uid not in (os.geteuid(), ROOT, friend.uid if friend is not None else ROOT):
        raise DirectoryError(
            Sentence(
                "{path} belongs to {owner}; name another directory, or make it yours: sudo chown -R $(id -un) {path}",
                path=copy,
                owner=owner.name,
            )
        )


def owner_of(directory: Path) -> Owner | None:
    """Return whose a directory is; None where there is none, and where the system does not say.

    Raises:
        DirectoryError: it is reached by a link of a third.
    """
    if sys.platform == "win32" or not hasattr(os, "geteuid"):
        return None
    try:
        link, found = directory.lstat(), directory.stat()
    except OSError:  # whoever works there says why
        return None
    owner = _user(found.st_uid, found.st_gid)
    if link.st_uid not in (found.st_uid, ROOT, os.geteuid()):
        raise DirectoryError(
            Sentence(
                "{path} is a link that {owner} made; name the directory itself",
                path=directory,
                owner=_user(link.st_uid, 0).name,
            )
        )
    return owner


@contextmanager
def as_owner(directory: Path) -> Iterator[None]:
    """Be the owner of a directory where that is not root and this process is: whatever is made there is theirs then.

    For programs of one thread, as the whole process becomes that user. Import before what will be needed: they may not
    be able to read it.

    Args:
        directory: where the work is; one that there is not yet will be root's.

    Raises:
        DirectoryError: as of `owner_of`, or the system does not let root become somebody else.
    """
    if sys.platform == "win32" or not hasattr(os, "getuid") or os.getuid() != ROOT:
        yield
        return
    before = os.geteuid(), os.getegid(), os.getgroups()
    os.seteuid(ROOT)  # from within another's directory: they may not look at this one
    try:
        owner = owner_of(directory)
        if owner is not None and owner.uid != ROOT:
            _become(owner, directory)
        yield
    finally:
        if (os.geteuid(), os.getegid()) != before[:2]:
            os.seteuid(ROOT)
            os.setgroups(before[2])
            os.setegid(before[1])
            os.seteuid(before[0])


def as_itself(_directory: Path) -> AbstractContextManager[None]:
    """Stay who this process is, in the place of `as_owner`: a server has many threads, and is one user."""
    return nullcontext()


Acting = Callable[[Path], AbstractContextManager[None]]
"""One of these two."""


def _become(owner: Owner, directory: Path) -> None:
    """Be somebody, but for the real user id, which stays root's all the while."""
    if sys.platform == "win32":
        return
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    try:
        os.setgroups([owner.gid])
        os.setegid(owner.gid)
        os.seteuid(owner.uid)
    except OSError:
        raise DirectoryError(
            Sentence(
                "{path} belongs to {owner}, and root may not become them here; run this as {owner}",
                path=directory,
                owner=owner.name,
            )
        ) from None


def _user(uid: int, gid: int) -> Owner:
    """Return a user with the group that they log in with, not with the directory's, which may be root's."""
    if sys.platform == "win32":
        return Owner(uid, gid, str(uid))
    import pwd  # noqa: PLC0415 - POSIX has it alone

    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return Owner(uid, gid or uid, str(uid))
    return Owner(uid, known.pw_gid, known.pw_name)
