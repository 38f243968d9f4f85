r"""First words that stand for others: `\alias`, and `run`, `attach` and `top`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from secure_client.client import Client
from secure_client.errors import SetupError
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.local.preferences import ALIAS_CHARACTERS, MOST_ALIASES, Kept, told_of
from secure_client.terminal.prompt.history import is_secret
from secure_client.typed.arguments import call_of
from secure_protocol.printable import printable

SHORT = {"run": "JOB START", "attach": "JOB ATTACH"}
"""Words for what one does with jobs, where the server has no such commands."""
OURS = {"top": ("\\top", ("SERVER", "STATS"))}
"""Words that lead to a command of the terminal, where the server has the one that this stands on, or was not yet asked
for its commands, and has none of that name itself."""
DETACH = "--detach"
"""Behind `run COMMAND …`: its number is enough."""


class Aliases:
    """What first words stand for.

    Args:
        client: knows the server's commands, which nothing hides.
        kept: has the user's own.
    """

    def __init__(self, client: Client, kept: Kept) -> None:
        self._client = client
        self._kept = kept

    def commands(self) -> Mapping[str, LocalCommand]:
        """Return what is typed for them."""
        lines = N_("Lines")
        return {
            "\\alias": LocalCommand(
                N_("Have a word stand for a command."),
                self._alias,
                "[WORD [= COMMAND …]]",
                "up = RESTART web",
                N_("Without a command it tells what words stand for. None hides a command of the server."),
                lines,
                values=self._names,
                begins=lambda rest: found + 1 if (found := rest.find("=")) >= 0 else None,
            ),
            "\\unalias": LocalCommand(
                N_("Forget an alias."), self._unalias, "WORD", "up", group=lines, values=self._names
            ),
        }

    def meanings(self) -> Mapping[str, str]:
        """Return what each first word that is none of the server's stands for."""
        known = self._client.catalogue
        short = {word: meant for word, meant in SHORT.items() if not known.find([word])}
        for word, (meant, needed) in OURS.items():
            found = known.find(needed)
            if not known or (
                known.find([word]) is None and found is not None and len(found.name.split()) == len(needed)
            ):
                short[word] = meant
        return {**short, **self._kept.now.aliases}

    def stands_for(self, word: str) -> str | None:
        """Return what a first word stands for: an alias, or `run` and the like; None where it is nothing of ours."""
        return self.meanings().get(word.lower())

    def expanded(self, text: str) -> str:
        """Return a line as the server knows it, with what its first word stands for; once."""
        word, blank, rest = text.partition(" ")
        meant = self.stands_for(word)
        if meant is None:
            return text
        return f"{meant}{blank}{rest.strip().removesuffix(DETACH) if self.detaches(text) else rest}"

    def detaches(self, text: str) -> bool:
        """Whether a line starts a job that is not to be followed."""
        words = text.split()
        return words[-1:] == [DETACH] and len(words) > 2 and self.stands_for(words[0]) == SHORT["run"]

    def _names(self, words: Sequence[str]) -> Iterable[str]:
        return () if words else sorted(self._kept.now.aliases)

    def _alias(self, rest: str) -> str:
        name, equals, meant = (part.strip() for part in rest.partition("="))
        aliases, word = self._kept.now.aliases, name.lower()
        if not equals:
            if name and word not in aliases:
                raise SetupError(_("There is no alias {name}.").format(name=printable(name)))
            chosen = {word: aliases[word]} if name else aliases
            return "\n".join(f"{each} = {text}" for each, text in sorted(chosen.items())) or _("There are no aliases.")
        if not name or not meant or len(name.split()) > 1 or name.startswith("\\"):
            raise SetupError(_("Type \\alias WORD = COMMAND …"))
        if self._client.catalogue.find([name]) or self._client.catalogue.subcommands(name):
            sentence = _("{name} is a command of the server, which an alias would hide: choose another word.")
            raise SetupError(sentence.format(name=printable(name.upper())))
        call = call_of(self._client.catalogue, meant.encode("utf-8", "surrogateescape").split())
        if is_secret(meant) or (call is not None and any(item.secret for item in call.description.arguments)):
            raise SetupError(_("A command that takes a secret has no alias, behind which it would not be hidden."))
        if len(name) + len(meant) > ALIAS_CHARACTERS:
            raise SetupError(_("An alias has at most {most} characters.").format(most=ALIAS_CHARACTERS))
        if len(aliases) >= MOST_ALIASES and word not in aliases:
            raise SetupError(_("There are {count} aliases already; \\unalias forgets one.").format(count=len(aliases)))
        return told_of(kept=self._kept.change_alias(word, meant))

    def _unalias(self, rest: str) -> str:
        if rest.lower() not in self._kept.now.aliases:
            raise SetupError(_("There is no alias {name}.").format(name=printable(rest)))
        return told_of(kept=self._kept.change_alias(rest.lower(), None))
