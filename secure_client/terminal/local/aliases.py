r"""First words that stand for others: `\alias`, `run`, `attach`, `top`, and the short words of a program's terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from secure_client.catalogue import Catalogue
from secure_client.client import Client
from secure_client.errors import SetupError
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import DEFAULT_APPEARANCE, Appearance, LocalCommand
from secure_client.terminal.local.preferences import ALIAS_CHARACTERS, MOST_ALIASES, Kept, told_of
from secure_client.terminal.prompt.history import is_secret
from secure_client.typed.arguments import call_of
from secure_protocol.printable import printable

SHORT = {"run": "JOB START", "attach": "JOB ATTACH"}
"""Words for what one does with jobs, where the server has no such commands."""
HELP = "help"
"""Explains a short word as what it stands for."""
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
        appearance: has those of the program.
    """

    def __init__(self, client: Client, kept: Kept, appearance: Appearance = DEFAULT_APPEARANCE) -> None:
        self._client = client
        self._kept = kept
        self._appearance = appearance

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
        return {**short, **self._ours(), **self.short(), **self._kept.now.aliases}

    def _ours(self) -> Mapping[str, str]:
        """Return the words that lead to commands of the terminal."""
        known, found = self._client.catalogue, {}
        for word, (meant, needed) in OURS.items():
            there = known.find(needed)
            if not known or (
                known.find([word]) is None and there is not None and len(there.name.split()) == len(needed)
            ):
                found[word] = meant
        return found

    def short(self) -> Mapping[str, str]:
        """Return the program's own short words that stand for something which is there, and what that is."""
        known = self._client.catalogue
        if not known:  # nobody can say what they would hide
            return {}
        there = {
            word: meant
            for word, meant in self._appearance.short.items()
            if _is_there(known, meant) and not _hides(known, word, meant)
        }
        return {**self._ours(), **there}

    def stands_for(self, text: str) -> str | None:
        """Return what the first word of a line stands for; None where it is nothing of ours.

        `ban user=ana` is `BAN ADD user=ana`; but what begins a command of the server, `ban list`, is that.
        """
        word, _blank, rest = text.partition(" ")
        meant = self.meanings().get(word.lower())
        second = rest.split(maxsplit=1)[:1]
        if meant is None or not second or word.lower() in self._kept.now.aliases:
            return meant
        known = self._client.catalogue
        if not known.subcommands(word):
            return meant
        found = known.find([word, *second])
        return None if found is not None or not _may_be(known, meant, second[0]) else meant

    def expanded(self, text: str) -> str:
        """Return a line as the server, or the terminal itself, knows it, with what its first word stands for; once."""
        word, blank, rest = text.partition(" ")
        if word.lower() == HELP and (asked := self.short().get(rest.strip().lower())) and not asked.startswith("\\"):
            return f"{word} {asked}"
        meant = self.stands_for(text)
        if meant is None:
            return text
        return f"{meant}{blank}{rest.strip().removesuffix(DETACH) if self.detaches(text) else rest}"

    def detaches(self, text: str) -> bool:
        """Whether a line starts a job that is not to be followed."""
        words = text.split()
        return words[-1:] == [DETACH] and len(words) > 2 and self.stands_for(text) == SHORT["run"]

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


def _is_there(known: Catalogue, meant: str) -> bool:
    """Whether the server has a command, with the options that are named with it.

    None that takes a secret, which would not be hidden behind another word.
    """
    words = meant.split()
    name = [word for word in words if not word.startswith("--")]
    found = known.find(name)
    if found is None or found.name != " ".join(name) or any(argument.secret for argument in found.arguments):
        return False
    return {f"--{argument.name}" for argument in found.arguments if argument.flag} >= {*words} - {*name}


def _hides(known: Catalogue, word: str, meant: str) -> bool:
    """Whether a word is a command of the server, or begins some: none is hidden where it stands for one of those."""
    family = bool(known.subcommands(word)) and meant.partition(" ")[0].lower() != word
    return family or known.find([word]) is not None


def _may_be(known: Catalogue, meant: str, word: str) -> bool:
    """Whether a word may be the first argument of a command: where that is a number, no other word is.

    So `client 7` is told from commands that are not listed, such as `client id`.
    """
    found = known.find(meant.split())
    first = next((item for item in found.arguments if not item.flag), None) if found is not None else None
    return first is None or first.type != "int" or word.isdigit()
