"""The configuration: real files, the defaults, and sentences that say which key, what is allowed and what was found.

`python -m tests.secure_server.config.test_settings` writes the settings into docs/ anew.
"""

from __future__ import annotations

import inspect
import re
from itertools import groupby
from pathlib import Path

import pytest

from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION
from secure_server.config.file import Setting, load, settings
from secure_server.config.quantities import Duration, Size
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Certificate, Config

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "configuration.md"
EXAMPLE = DOCS / "secure-server.toml"
GENERATED = re.compile(r"(?<=-->\n).*(?=<!-- end of settings -->)", re.DOTALL)
MEND = "run: python -m tests.secure_server.config.test_settings"
ALL = {setting.key: setting for setting in settings()}


def by_table() -> list[tuple[str, str, list[Setting]]]:
    """Each table of the file: its name, what it is about, its settings."""
    grouped = groupby(ALL.values(), key=lambda setting: setting.key.rpartition(".")[0])
    return [
        (table, inspect.getdoc(type(getattr(Config(), table)) if table else Config) or "", list(found))
        for table, found in grouped
    ]


def written(value: object) -> str:
    """A default as TOML."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if type(value) is int else f'"{value}"'


def tables() -> str:
    """The settings as the page shows them."""
    parts = []
    for table, about, found in by_table():
        title = f"## `[{table}]`\n{about}" if table else "## At the top of the file\nBefore the first `[table]`."
        rows = [
            f"| `{item.key.rpartition('.')[2]}` | {item.allowed} | `{written(item.default)}` | {item.taken} "
            f"| {item.description} |"
            for item in found
        ]
        head = ["| key | value | default | a change holds | what, and why |", "|---|---|---|---|---|"]
        parts.append("\n".join([title, "", *head, *rows]))
    return "\n" + "\n\n".join(parts) + "\n\n"


def example() -> str:
    """A file that says what is so without it."""
    parts = ["# Every setting of secure-server at its default; docs/configuration.md has more to say.\n"]
    for table, about, found in by_table():
        parts.append(f"# {about}\n[{table}]" if table else "")
        for item in found:
            parts.append(f"# {item.description}\n# Allowed: {item.allowed}. A change holds {item.taken}.")
            parts.append(f"{item.key.rpartition('.')[2]} = {written(item.default)}\n")
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def refusal(path: Path, text: str | bytes) -> str:
    """What is said of a file with this text, without the file's name."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"The configuration {path}", "").removeprefix(": ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file of a test goes."""
    return tmp_path / "secure-server.toml"


def test_the_page_lists_every_setting() -> None:
    """Key, what is allowed, default and why stand in docs/configuration.md as the program has them."""
    page = GENERATED.search(PAGE.read_text(encoding="utf-8"))
    assert page is not None
    assert page[0] == tables(), MEND


def test_the_example_is_the_defaults() -> None:
    """docs/secure-server.toml has every setting, and is what runs without it."""
    assert EXAMPLE.read_text(encoding="utf-8") == example(), MEND
    assert load(EXAMPLE) == load(None) == Config()
    assert re.findall(r"(?m)^(\w+) = ", example()) == [key.rpartition(".")[2] for key in ALL]


@pytest.mark.parametrize("setting", ALL.values(), ids=list(ALL))
def test_each_setting_says_what_it_is_and_has_an_allowed_default(setting: Setting) -> None:
    """A sentence, and a default within its own bounds."""
    assert setting.description.endswith(".")
    assert setting.holds(setting.default)
    if type(setting.default) is int:
        assert setting.least <= setting.default <= setting.most


def test_a_file_changes_what_it_says_and_nothing_else(file: Path) -> None:
    """One line is a whole configuration."""
    file.write_text(
        'language = "pt_BR"\n[limits]\nmax_clients = 7\n[timeouts]\nidle = "2h"\n[log]\nmax_size = "64KB"\n'
    )
    config = load(file)
    assert (config.language, config.limits.max_clients) == ("pt_BR", 7)
    assert (config.timeouts.idle, config.log.max_size) == (7200.0, 65536)
    assert config.limits.max_unauthenticated == Config().limits.max_unauthenticated
    assert config.timeouts.drain == Config().timeouts.drain


def test_an_empty_file_is_the_defaults(file: Path) -> None:
    """So is one with comments alone, also where an editor put a byte order mark before them."""
    file.write_bytes(b"\xef\xbb\xbf# nothing yet\n")
    assert load(file) == Config()


def test_the_command_line_wins(file: Path) -> None:
    """What is given there replaces the file's value, key by key."""
    file.write_text('data_dir = "there"\n[listen]\nhost = "::1"\nport = 1\n')
    config = load(file, {"listen": {"port": 2}, "data_dir": "here"})
    assert (config.listen.host, config.listen.port, config.data_dir) == ("::1", 2, "here")
    assert load(None, {"listen": {"port": 0}}).listen.port == 0


def test_what_the_command_line_says_is_checked_too() -> None:
    """Without a file the sentence names none."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"listen": {"host": ""}})
    assert str(caught.value) == ('The configuration: listen.host: expected a line of text that is not empty, found "".')


def test_the_command_line_does_not_hide_a_mistake_in_the_file(file: Path) -> None:
    """A value where a table belongs is refused, also when the command line sets a key of that table."""
    file.write_text("listen = 5000\n")
    with pytest.raises(ConfigError, match=r"listen: expected a table, \[listen\], found 5000\."):
        load(file, {"listen": {"port": 2}})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[tls]\nminimum = "1.1"', 'tls.minimum: expected "1.2" or "1.3", found "1.1".'),
        ("[tls]\nminimum = 1.3", 'tls.minimum: expected "1.2" or "1.3", found 1.3.'),
        ('language = "de"', 'language: expected "", "en" or "pt_BR", found "de".'),
        ('[listen]\nport = "80"', 'listen.port: expected a whole number from 0 to 65535, found "80".'),
        ("[listen]\nport = 65536", "listen.port: expected a whole number from 0 to 65535, found 65536."),
        (
            "[listen]\nport = 99999999999999999999",
            "listen.port: expected a whole number from 0 to 65535, found 99999999999999999999.",
        ),
        ("[listen]\nport = -1", "listen.port: expected a whole number from 0 to 65535, found -1."),
        ("[listen]\nport = 80.5", "listen.port: expected a whole number from 0 to 65535, found 80.5."),
        ("[listen]\nport = true", "listen.port: expected a whole number from 0 to 65535, found true."),
        ("[listen]\nport = 2026-01-31", "listen.port: expected a whole number from 0 to 65535, found 2026-01-31."),
        ("[listen]\nhost = 1", "listen.host: expected a line of text that is not empty, found 1."),
        ("[listen]\nhost = []", "listen.host: expected a line of text that is not empty, found a list."),
        (
            '[listen]\nhost = "a\\u001bb"',
            'listen.host: expected a line of text that is not empty, found "a\\x1bb".',
        ),
        ('[listen]\nhost = "a..b"', 'listen.host: expected an address or the name of a host, found "a..b".'),
        ('[tls]\nkey = "a\\u0000"', 'tls.key: expected a line of text, found "a\\x00".'),
        ("[tls.key]\nfile = 1", "tls.key: expected a line of text, found a table."),
        ("[threads]\nworkers = 0", "threads.workers: expected a whole number from 1 to 1024, found 0."),
        ("timeouts = 5", "timeouts: expected a table, [timeouts], found 5."),
        ("commands = 5", "commands: expected a table, [commands], found 5."),
        ('[commands]\nmodules = "ops"', 'commands.modules: expected a list of texts, found "ops".'),
        ('[commands]\nmodules = ["ops", 5]', "commands.modules: expected a list of texts, found a list."),
        ("[commands.modules]\nrun = []", "commands.modules: expected a list of texts, found a table."),
    ],
)  # fmt: skip
def test_a_wrong_value_is_explained(file: Path, text: str, sentence: str) -> None:
    """The key, what is allowed, and what stands there."""
    assert refusal(file, text) == sentence


CERTIFICATE = (
    '[certificates.bia]: expected role = "user", "operator" or "admin", if you like allow and networks as lists of '
    "texts, and nothing else."
)
OFF = 'tls.client_certificates = "off" asks no client for a certificate, but {} is there; choose "optional" or '


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[certificates.bia]", CERTIFICATE),
        ('[certificates.bia]\nrole = "nobody"', CERTIFICATE),
        ('[certificates.bia]\nrole = "user"\nnetwork = []', CERTIFICATE),
        ('[certificates.bia]\nrole = "user"\nnetworks = "10.0.0.0/8"', CERTIFICATE),
        ('[certificates]\nana = {role = "user"}\nbia = 5', CERTIFICATE),
        ("certificates = 5", "certificates: expected a table, [certificates], found 5."),
        ('[certificates.bia]\nrole = "user"', OFF.format("[certificates.bia]") + '"required", or take that away.'),
        ('[tls]\nclient_ca = "ca.pem"', OFF.format("tls.client_ca") + '"required", or take that away.'),
    ],
)
def test_client_certificates_that_would_not_work(file: Path, text: str, sentence: str) -> None:
    """Which table it is, and that whoever maps certificates also asks for them."""
    assert refusal(file, text) == sentence


def test_client_certificates_that_work(file: Path) -> None:
    """The page's example, with a name that needs quotes."""
    file.write_text(
        '[tls]\nclient_certificates = "optional"\n[certificates."ci@box.test"]\nrole = "operator"\nallow = ["DISK"]\n'
    )
    assert load(file).certificates == {"ci@box.test": Certificate(role="operator", allow=("DISK",))}


@pytest.mark.parametrize("key", [key for key, setting in ALL.items() if setting.kind is Duration])
@pytest.mark.parametrize("value", ['"0s"', "0", '"soon"', '"5 parsecs"', "-1", "true", "inf", "nan", '"8d"', '"1ms"'])
def test_a_duration_is_a_span_of_time_that_makes_sense(file: Path, key: str, value: str) -> None:
    """None is endless, and zero is only where it has a meaning: never idle, no wait for a drain."""
    table, _, name = key.partition(".")
    file.write_text(f"[{table}]\n{name} = {value}\n")
    bounds = {"timeouts.idle": "0s to 7d", "timeouts.drain": "0s to 7d", "jobs.keep_for": "1s to 3650d"}
    if (key in ("timeouts.idle", "timeouts.drain") and value in ("0", '"0s"', '"1ms"')) or (
        key == "jobs.keep_for" and value == '"8d"'
    ):
        load(file)
        return
    assert refusal(file, file.read_text()) == (
        f'{key}: expected a duration such as "10s" or "5m", from {bounds.get(key, "0.01s to 7d")}, found {value}.'
    )


@pytest.mark.parametrize("key", [key for key, setting in ALL.items() if setting.kind is Size])
@pytest.mark.parametrize("value", ['"1023B"', "0", '"1TB"', '"2GB"', "1.5", "false", '"1.0001KB"', '"many"'])
def test_a_size_is_large_enough_to_work_with(file: Path, key: str, value: str) -> None:
    """Less than a kilobyte would refuse ordinary requests; more than a gigabyte is a typing error, but for a disk."""
    table, _, name = key.partition(".")
    text = f"[{table}]\n{name} = {value}\n"
    if key == "jobs.disk" and value == '"2GB"':
        file.write_text(text)
        load(file)
        return
    most = "1024GB" if key == "jobs.disk" else "1GB"
    assert refusal(file, text) == f'{key}: expected a size such as "64KB", from 1KB to {most}, found {value}.'


def test_the_least_and_the_most_are_allowed(file: Path) -> None:
    """Bounds belong to what they bound."""
    file.write_text(
        '[requests]\nargument = "1KB"\nrequest = "1GB"\narguments = 8\n[timeouts]\nwrite = "10ms"\nidle = "7d"\n'
        "[listen]\nport = 65535\n[log]\nkeep = 0\n"
    )
    config = load(file)
    assert (config.requests.argument, config.requests.request, config.timeouts.write) == (1024, 2**30, 0.01)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[requests]\nrequest = "64KB"',
            (
                "requests.argument (512KB) is more than requests.request (64KB), which all arguments share; "
                "raise that, or lower this."
            ),
        ),
        (
            '[limits]\npending_bytes = "128MB"',
            (
                "limits.pending_bytes (128MB) is more than limits.pending_total (64MB), which all connections share; "
                "raise that, or lower this."
            ),
        ),
        (
            '[jobs]\noutput = "1GB"\ndisk = "512MB"',
            "jobs.output (1GB) is more than jobs.disk (512MB), which all jobs share; raise that, or lower this.",
        ),
        (
            "[threads]\nqueue = 3",
            (
                "threads.queue (3) is less than threads.workers (8), so that a burst would be refused while workers "
                "are idle; raise this, or lower that."
            ),
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(file: Path, text: str, sentence: str) -> None:
    """Each is allowed alone; together they would not do what the file says."""
    assert refusal(file, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[listen]\nprot = 80", "unknown key listen.prot; did you mean listen.port?"),
        ("[listn]\nport = 80", "unknown key listn; did you mean listen?"),
        ("max_clients = 5", "unknown key max_clients; did you mean limits.max_clients?"),
        ('[limits]\nlanguage = "en"', "unknown key limits.language; did you mean language?"),
        (
            '[threads]\n"a` - at `$.b" = 1',
            "unknown key threads.a` - at `$.b; allowed are io, jobs, queue, spare, workers.",
        ),
        ('[commands]\nmodlues = ["ops"]', "unknown key commands.modlues; did you mean commands.modules?"),
        ("[commands]\ndeclared = 5", "commands.declared: expected a table, [commands.declared], found 5."),
        ("[threads]\ncolour = 1", "unknown key threads.colour; allowed are io, jobs, queue, spare, workers."),
        (
            '"\\u001b[2J" = 1',
            (
                "unknown key \\x1b[2J; allowed are admin, audit, authentication, certificates, certs_dir, commands, "
                "data_dir, jobs, language, limits, listen, log, metrics, penalties, quic, requests, threads, timeouts, "
                "tls, web."
            ),
        ),
    ],
)
def test_an_unknown_key_is_refused_with_what_was_meant(file: Path, text: str, sentence: str) -> None:
    """A typing error must not leave a limit at its default unnoticed; the nearest key is named, or all there are."""
    assert refusal(file, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port 5000", "is not valid TOML: "),
        ("[listen]\nport = 1\nport = 2\n", "is not valid TOML: "),
        (b"# caf\xe9", "is not UTF-8 text (byte 6); save it as UTF-8."),
        ("deep = " + "[" * 100_000, "has lists within lists beyond all measure, so it is none."),
        ('language = "en"'.encode("utf-16"), "is not UTF-8 text (byte 1); save it as UTF-8."),
    ],
)
def test_a_file_that_is_no_toml_is_explained(file: Path, text: str | bytes, sentence: str) -> None:
    """The sentence says where, as far as that is known."""
    found = refusal(file, text).strip()
    assert found.startswith(sentence)
    assert "TOML" not in sentence or re.search(r"line \d, column \d", found)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """It is said, not shown as a traceback."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"The configuration {tmp_path} cannot be read: Is a directory."


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Likewise."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.toml")
    assert str(caught.value) == f"The configuration {tmp_path / 'none.toml'} cannot be read: No such file or directory."


def test_commands_and_their_modules_stand_in_one_table(file: Path) -> None:
    """`[commands]` has settings, `[commands.NAME]` is a command; the latter is read by whoever runs it."""
    file.write_text('[commands]\nmodules = ["ops"]\n[commands.DISK]\nrun = ["df"]\n[commands.declared]\nrun = ["ls"]\n')
    commands = load(file).commands
    assert commands.modules == ("ops",)
    assert commands.declared == {"DISK": {"run": ["df"]}, "declared": {"run": ["ls"]}}


def test_the_codecs_get_what_the_file_says(file: Path) -> None:
    """Before authentication the bounds are fixed; after it they are the file's."""
    assert Config().requests.authenticated == AUTHENTICATED
    file.write_text('[requests]\nline = "2KB"\narguments = 9\nargument = "3KB"\nrequest = "4KB"\n')
    requests = load(file).requests
    assert requests.unauthenticated == BEFORE_AUTHENTICATION
    limits = requests.authenticated
    assert (limits.line_bytes, limits.arguments, limits.argument_bytes, limits.request_bytes) == (2048, 9, 3072, 4096)


@pytest.mark.parametrize("key", ["admin.networks", "penalties.exempt"])
@pytest.mark.parametrize(
    ("network", "why"),
    [("home", "'home' does not appear to be an IPv4 or IPv6 network"), ("10.0.0.1/8", "10.0.0.1/8 has host bits set")],
)
def test_what_is_no_network_is_refused(file: Path, key: str, network: str, why: str) -> None:
    """With the key, what is wrong, and how one is written."""
    table, name = key.split(".")
    said = f'{key}: "{network}" is no network ({why}); write it as in ["10.0.0.0/8", "2001:db8::/32"].'
    assert refusal(file, f'[{table}]\n{name} = ["{network}"]') == said


def write() -> None:
    """Write both files anew."""
    EXAMPLE.write_text(example(), encoding="utf-8")
    PAGE.write_text(GENERATED.sub(lambda _: tables(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
