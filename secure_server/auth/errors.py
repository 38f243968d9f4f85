"""What can go wrong with tokens, each as one sentence for a person."""


class TokenError(Exception):
    """Base of the errors below; `str()` is a sentence that says what to do, and never holds a secret."""


class TokenRequestError(TokenError, ValueError):
    """What was asked for is malformed: a bad name, role, lifetime or allow-list."""


class NameTakenError(TokenError):
    """The name already has an active token."""


class TokenNotFoundError(TokenError):
    """No token answers to that name or id, or none that the operation applies to."""


class StorageError(TokenError):
    """The token database could not be read or written."""


class SplitStorageError(StorageError):
    """It is not what others see, or is not there: who was revoked is not known, so nobody is to be let in."""
