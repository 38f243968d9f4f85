"""What a command that fails says, and its exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from secure_server.auth.errors import TokenError, TokenRequestError
from secure_server.i18n import shown
from secure_server.jobs.keeping.errors import RecordsError
from secure_server.pki.errors import CertificateError

P = ParamSpec("P")
R = TypeVar("R")


def explains(command: Callable[P, R]) -> Callable[P, R]:
    """Give an error its exit code: 2 for what was asked wrongly, 1 for what could not be done.

    Raises:
        click.ClickException: with the error's sentence, in the user's language.
    """

    @functools.wraps(command)
    def explained(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except TokenRequestError as error:
            raise click.UsageError(shown(error)) from error
        except (TokenError, CertificateError, RecordsError) as error:
            raise click.ClickException(shown(error)) from error

    return explained
