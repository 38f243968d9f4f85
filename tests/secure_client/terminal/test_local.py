r"""The terminal's own commands, without a terminal: what is kept, and what completes them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from secure_client import Client
from secure_client.answers.rendering import Renderer
from secure_client.profiles.profiles import Profile, Profiles
from secure_client.terminal.after import After
from secure_client.terminal.appearance import Appearance, LocalCommand
from secure_client.terminal.local.commands import LocalCommands
from secure_client.terminal.local.preferences import FILE_NAME, MOST_BYTES, Kept, Preferences
from secure_client.terminal.prompt.completion import CommandCompleter
from secure_protocol.description import ArgumentDescription, CommandDescription
from tests.secure_client.scripted_server import ScriptedServer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the client keeps its files; two servers are saved."""
    directory = tmp_path / "home"
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(directory))
    for name in ("lab", "work"):
        Profiles(directory).add(name, Profile(endpoint=f"{name}.internal:5000"))
    return directory


class Still:
    """A terminal of which nothing is wanted."""

    def run_line(self, text: str, *, agreed: bool = False) -> After:
        """Run none."""
        raise AssertionError((text, agreed))

    def agrees(self, lines: list[str]) -> bool:
        """Agree to nothing."""
        raise AssertionError(lines)

    def typed_lines(self) -> Iterable[str]:
        """None."""
        return ()

    def announce(self, text: str) -> None:
        """Nobody listens."""

    def reconnect(self) -> None:
        """Do nothing."""

    def lent(self) -> AbstractContextManager[object]:
        """Lend nothing."""
        return nullcontext()

    def use_vi(self, wanted: bool, /) -> None:  # noqa: FBT001 - as it is called
        """Do nothing."""

    def use_pager(self, wanted: bool, /) -> None:  # noqa: FBT001 - as it is called
        """Do nothing."""


@pytest.fixture
def completer(server: ScriptedServer, client: Client, home: Path) -> CommandCompleter:
    """Of a terminal with one alias."""
    server.commands += [
        CommandDescription("DEPLOY", job=True, arguments=(ArgumentDescription("host", choices=("web", "db")),)),
        CommandDescription("JOB START", arguments=(ArgumentDescription("words", variadic=True),)),
        CommandDescription("JOB ATTACH", arguments=(ArgumentDescription("job", "int"),)),
        CommandDescription("SERVER STATS"),
    ]
    client.commands()
    local = commands(client, Kept("work", home))
    return CommandCompleter(lambda: client.catalogue, local.names, words=local.aliases)


def commands(client: Client, kept: Kept, *, moves: bool = True) -> LocalCommands:
    """Those of a terminal that has an alias."""
    kept.change_alias("up", "RESTART")
    return LocalCommands(client, Renderer(io.StringIO()), Still(), kept, Appearance(moves=moves))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("\\for", ["\\format "]),
        ("\\qu", ["\\quit"]),
        ("\\format v", ["vertical"]),
        ("\\format vertical ", []),
        ("\\timing o", ["on", "off"]),
        ("\\set ", ["editing", "format", "pager", "timing"]),
        ("\\set editing ", ["emacs", "vi"]),
        ("\\set nothing ", []),
        ("\\profile ", ["lab", "work"]),
        ("\\connect l", ["lab", "lab.internal:5000"]),
        ("\\help wa", ["watch"]),
        ("\\unalias ", ["up"]),
        ("\\nothing ", []),
        ("\\watch 2 DEP", ["DEPLOY "]),
        ("\\watch 2 --count 3 DEPLOY w", ["web"]),
        ("\\watch 2", []),
        ("\\watch 2 up w", ["web", "worker"]),
        ("\\alias x = RESTART wor", ["worker"]),
        ("\\watch 2 \\watch 2 DEP", []),
        ("up w", ["web", "worker"]),
        ("u", ["up "]),
        ("ru", ["run "]),
        ("run DEP", ["DEPLOY "]),
        ("run DEPLOY d", ["db"]),
        ("att", ["attach "]),
        ("to", ["top "]),
        ("top --interval 1", ["1s", "10s"]),
        ("\\top --interval 3", ["30s"]),
    ],
)
def test_they_are_completed(completer: CommandCompleter, typed: str, wanted: list[str]) -> None:
    """With their own arguments, and with the commands that they take."""
    found = completer.get_completions(Document(typed), CompleteEvent())
    assert [item.text for item in found if not item.text.startswith("--")] == wanted


def test_a_word_of_the_server_wins(server: ScriptedServer, client: Client, home: Path) -> None:
    """`run` is the server's where it has a command of that name."""
    assert commands(client, Kept("work", home)).aliases.stands_for("RUN") == "JOB START"
    server.commands.append(CommandDescription("RUN"))
    client.commands()
    assert commands(client, Kept("work", home)).aliases.stands_for("run") is None


def test_a_word_leads_to_a_command_of_the_terminal(server: ScriptedServer, client: Client, home: Path) -> None:
    """`top` does where the server has what that shows, or nothing is known yet; a command of that name wins."""
    aliases = commands(client, Kept("work", home)).aliases
    assert aliases.expanded("top --once") == "\\top --once"
    client.commands()
    assert aliases.expanded("top --once") == "top --once"
    for name, meant in (("SERVER", "top"), ("SERVER STATS", "\\top"), ("TOP", "top")):
        server.commands.append(CommandDescription(name))
        client.result(client.learn_commands())
        assert aliases.expanded("top") == meant


def test_the_admin_shell_goes_nowhere_else(client: Client, home: Path) -> None:
    """There is one server that it is for."""
    here = commands(client, Kept("admin", home), moves=False).names
    assert {"\\connect", "\\profile"} & set(here) == set()
    assert {"\\watch", "\\alias", "\\reconnect"} <= set(here)


def test_two_terminals_keep_what_the_other_one_changed(home: Path) -> None:
    """Of one thing the last change holds; of aliases each is a thing."""
    one, other = Kept("work", home), Kept("work", home)
    one.change(timing=True)
    other.change(form="csv")
    one.change_alias("up", "RESTART web")
    other.change_alias("down", "STOP web")
    other.change_alias("none", None)
    Kept("lab", home).change(vi=True)
    assert Kept("work", home).now == Preferences("csv", timing=True, aliases={"up": "RESTART web", "down": "STOP web"})
    assert Kept("lab", home).now == Preferences(vi=True)


@pytest.mark.parametrize("damaged", ["", "[]", "{", '{"work": [', "[" * 100_000])
def test_a_damaged_file_is_told_of(home: Path, damaged: str) -> None:
    """All is as it comes then, and what is changed is kept again."""
    (home / FILE_NAME).write_text(damaged, encoding="ascii")
    kept = Kept("work", home)
    assert kept.now == Preferences()
    assert "is damaged" in kept.fault
    assert kept.change(timing=True)
    assert Kept("work", home).fault == ""
    assert Kept("work", home).now.timing


def test_values_that_are_none_are_as_they_come(home: Path) -> None:
    """One by one: the others hold."""
    table = {"form": "xml", "timing": "yes", "vi": True, "pager": 0, "aliases": {"a": 1, "b": "ECHO"}, "new": 1}
    (home / FILE_NAME).write_text(json.dumps({"work": table}), encoding="ascii")
    assert Kept("work", home).now == Preferences(vi=True, aliases={"b": "ECHO"})


def test_what_others_may_write_is_not_read(home: Path) -> None:
    """An alias of theirs would run as this user."""
    Kept("work", home).change_alias("up", "RESTART web")
    home.chmod(0o777)
    kept = Kept("work", home)
    assert kept.now == Preferences()
    assert "other users may write" in kept.fault
    assert not kept.change(timing=True)
    assert kept.now.timing


def test_what_is_too_long_is_not_kept(home: Path) -> None:
    """The file has a bound; what is there already stays."""
    kept = Kept("work", home)
    kept.change(timing=True)
    assert not kept.change_alias("up", "x" * MOST_BYTES)
    assert Kept("work", home).now == Preferences(timing=True)


DRAIN = CommandDescription("SERVER DRAIN", "Refuse newcomers.", "admin", (ArgumentDescription("within", flag=True),))
BAN = [
    CommandDescription("BAN ADD", "Keep somebody out.", "admin", (ArgumentDescription("filters", variadic=True),)),
    CommandDescription("BAN LIST", "Who is kept out.", "admin"),
    CommandDescription("BAN REMOVE", "Let somebody in again.", "admin", (ArgumentDescription("number", "int"),)),
]
CLIENTS = CommandDescription("CLIENTS", "Who is here.", "admin", (ArgumentDescription("closed", "bool", flag=True),))
SHOW = CommandDescription("CLIENT SHOW", "All about one.", "admin", (ArgumentDescription("id", "int"),))
STATS = CommandDescription("SERVER STATS", "All in numbers.", "admin")
SECRET = CommandDescription("VAULT OPEN", "Open it.", "admin", (ArgumentDescription("key", secret=True),))
SHORT = {
    "drain": "SERVER DRAIN",
    "ban": "BAN ADD",
    "bans": "BAN LIST",
    "client": "CLIENT SHOW",
    "closed": "CLIENTS --closed",
    "open": "VAULT OPEN",
    "stats": "SERVER STATS",
}


@pytest.fixture
def steering(server: ScriptedServer, client: Client, home: Path) -> Callable[..., LocalCommands]:
    """Make a terminal that steers a server: `steering(*commands)`, which the server has besides its own."""

    def make(*commands: CommandDescription) -> LocalCommands:
        server.commands += commands
        client.commands()
        local = {"\\top": LocalCommand("All at a glance.", lambda _rest: "")}
        appearance = Appearance(local=local, short=SHORT)
        return LocalCommands(client, Renderer(io.StringIO()), Still(), Kept("work", home), appearance)

    return make


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("drain", "SERVER DRAIN"),
        ("DRAIN --within 30s", "SERVER DRAIN --within 30s"),
        ("ban user=ana", "BAN ADD user=ana"),
        ("ban list", "ban list"),
        ("Ban Remove 3", "Ban Remove 3"),
        ("ban", "BAN ADD"),
        ("bans", "BAN LIST"),
        ("client 7", "CLIENT SHOW 7"),
        ("client id", "client id"),
        ("client", "CLIENT SHOW"),
        ("closed user=ana", "CLIENTS --closed user=ana"),
        ("top", "\\top"),
        ("stats", "SERVER STATS"),
        ("slow", "slow"),
        ("open sesame", "open sesame"),
        ("help drain", "help SERVER DRAIN"),
        ("HELP ban", "HELP BAN ADD"),
        ("help clients", "help clients"),
        ("help top", "help top"),
    ],
)
def test_short_words_stand_for_commands(steering: Callable[..., LocalCommands], typed: str, meant: str) -> None:
    """Where there are such commands; what begins a command of the server is that."""
    assert steering(DRAIN, *BAN, CLIENTS, SHOW, SECRET, STATS).aliases.expanded(typed) == meant


@pytest.mark.parametrize(
    "own",
    [
        CommandDescription("DRAIN", "Drain the tank."),
        CommandDescription("DRAIN NOW", "Drain the tank."),
    ],
)
def test_a_short_word_hides_no_command_of_the_operator(
    steering: Callable[..., LocalCommands], own: CommandDescription
) -> None:
    """Whether it is one, or begins one: then a slip of the fingers must not drain the server."""
    aliases = steering(DRAIN, own).aliases
    for typed in ("drain", "drain now", "drain nwo"):
        assert aliases.expanded(typed) == typed
    assert "drain" not in aliases.meanings()


def test_without_the_commands_nothing_is_short(steering: Callable[..., LocalCommands]) -> None:
    """A server of another version has others. The user's own words win."""
    local = steering(CommandDescription("CLIENTS", "Who is here."))
    assert local.aliases.short() == {}
    assert local.aliases.expanded("top") == "top"
    local.run("\\alias top = CLIENTS")
    assert local.aliases.expanded("top") == "CLIENTS"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("dra", [("drain ", "SERVER DRAIN")]),
        ("drain -", [("--within ", "")]),
        ("ban", [("bans ", "BAN LIST"), ("BAN ", "ADD, LIST, REMOVE")]),
        ("ban l", [("LIST", "Who is kept out.")]),
        ("ban list ", []),
        ("ban remove ", []),
        ("clos", [("closed ", "CLIENTS --closed")]),
    ],
)
def test_short_words_are_completed(
    steering: Callable[..., LocalCommands], client: Client, typed: str, wanted: list[tuple[str, str]]
) -> None:
    """With what each stands for; behind it stands what may follow that, and what else begins with the word."""
    local = steering(DRAIN, *BAN, CLIENTS)
    completer = CommandCompleter(lambda: client.catalogue, local.names, words=local.aliases)
    found = completer.get_completions(Document(typed), CompleteEvent())
    assert sorted((item.text, item.display_meta_text) for item in found) == sorted(wanted)
