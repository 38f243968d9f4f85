"""What a server begins with that may be missing or wrong: a `StartError` says so, before anything is started."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.audit.offline import switch
from secure_server.audit.trail import AuditTrail
from secure_server.auth.certificates import CertificateSettingError
from secure_server.commands.builtin.server.metrics import INSTALL as INSTALL_METRICS
from secure_server.commands.builtin.server.metrics import PACKAGE as METRICS_PACKAGE
from secure_server.commands.loading import LoadingError
from secure_server.config.settings import Audit, Config
from secure_server.files.making import make_private_directory
from secure_server.files.owner import DirectoryError, check
from secure_server.identity.clock import SteadyTime
from secure_server.identity.identity import IdentityFiles
from secure_server.identity.renewal import CertificateRenewal
from secure_server.identity.served import OnReload, ServedCertificates
from secure_server.limits.ban_file import load_bans
from secure_server.limits.bans import Bans, BansError
from secure_server.limits.descriptors import Fitted, TooFewDescriptorsError, fit
from secure_server.net.lingering import MOST_LINGERING
from secure_server.net.poller import most_watched
from secure_server.net.tls import load_identity
from secure_server.pki.preflight import CertificateProblem
from secure_server.recording.activity_log import ActivityLog
from secure_server.reloadable import Grants, OwnCommands

ADMIN_WORKERS = 2
"""Threads for commands of the role admin alone: one that takes its time leaves another for the next."""

_log = logging.getLogger("secure_server.audit")


class StartError(Exception):
    """The server cannot start; one sentence says why and what to do."""


def check_packages(config: Config) -> None:
    """Look for the packages that only some settings need.

    Raises:
        StartError: one is missing.
    """
    needed = (
        ("web.enabled", config.web.enabled, ("h11", "websockets"), "pip install 'secure-command-server[web]'"),
        ("quic.enabled", config.quic.enabled, ("aioquic",), "pip install 'secure-command-server[quic]'"),
        ("metrics.networks", bool(config.metrics.networks), (METRICS_PACKAGE,), INSTALL_METRICS),
    )
    for setting, wanted, packages, install in needed:
        for package in packages if wanted else ():
            if importlib.util.find_spec(package) is None:
                raise StartError(
                    Sentence(
                        "{setting} needs the package {package}: {install}",
                        setting=setting,
                        package=package,
                        install=install,
                    )
                )


def fitted_into(config: Config, already: int | None) -> Fitted:
    """Return the configuration within the descriptors that there are; see `limits.descriptors.fit`.

    Raises:
        TooFewDescriptorsError: the server cannot do with so few.
    """
    return fit(config, MOST_LINGERING, ADMIN_WORKERS, most_watched(), already)


def fitted_at_start(config: Config) -> Fitted:
    """Return it before anything is open."""
    try:
        return fitted_into(config, None)
    except TooFewDescriptorsError as error:
        raise StartError(*error.args) from None


def served_certificates(
    config: Config, renewal: CertificateRenewal | None, on_reload: OnReload, now: SteadyTime
) -> ServedCertificates:
    """Return what newcomers are served."""
    files = IdentityFiles.of(config)
    try:
        load = partial(load_identity, files, config.tls, http=config.web.enabled, quic=config.quic.enabled)
        return ServedCertificates(files, lambda: load(now()), on_reload, renewal, now)
    except CertificateProblem as problem:
        raise StartError(*problem.args) from None


def loaded_grants(config: Config, clock: Callable[[], float]) -> Grants:
    """Return what client certificates stand for."""
    try:
        return Grants(config, clock)
    except CertificateSettingError as error:
        raise StartError(*error.args) from None


def loaded_commands(config: Config) -> OwnCommands:
    """Return all commands."""
    try:
        return OwnCommands(config)
    except LoadingError as error:
        raise StartError(*error.args) from None


def loaded_bans(directory: Path) -> Bans:
    """Return who is kept out."""
    try:
        return load_bans(directory)
    except BansError as error:
        raise StartError(*error.args) from None


def opened_log(directory: Path, config: Config) -> ActivityLog:
    """Return the activity log."""
    try:
        return ActivityLog(directory, config.log)
    except OSError as error:
        raise StartError(
            Sentence(
                "The activity log {path} cannot be opened: {why}.",
                path=error.filename or directory,
                why=error.strerror,
            )
        ) from None


def open_trail(directory: Path, settings: Audit, tell: Callable[[Sentence], None]) -> AuditTrail | None:
    """Return the audit trail; None where it is off.

    Args:
        directory: the data directory; programs beside the server are told there whether there is a trail.
        settings: the configuration.
        tell: told how the trail fares, where administrators should know.
    """
    on = settings.trail == "on"
    try:
        switch(directory, on=on)
    except OSError as error:
        _log.error("programs beside this server cannot be told whether there is an audit trail: %s", error)
    return AuditTrail(directory, settings, tell) if on else None


def prepare_directory(path: Path) -> None:
    """Make the data directory, unless it is there; nobody else may write there."""
    try:
        check(path, serving=True)
        make_private_directory(path)
    except DirectoryError as error:
        raise StartError(*error.args) from None
    except OSError as error:
        raise StartError(
            Sentence(
                "The data directory {path} cannot be made: {why}. Choose another --data-dir.",
                path=path,
                why=error.strerror,
            )
        ) from None
