"""What a person reads over the wire is there in every language, says the same, and can be formatted."""

from __future__ import annotations

import ast
import gettext
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog

from scripts import translations
from scripts.translations import DOMAINS, LANGUAGES, Domain, extract, faults, merge, mo_bytes, placeholders, po_bytes
from secure_protocol.errors import CommandError, Failure, ProtocolError
from secure_protocol.limits import BEFORE_AUTHENTICATION
from secure_protocol.resp_requests import RespRequestDecoder
from secure_protocol.text_requests import decode_line
from secure_protocol.token import Token, TokenFormatError
from secure_server import i18n
from secure_server.config.file import settings
from secure_server.i18n import language_of, match_language, translator
from secure_server.session.endings import CLOSE_SENTENCES

SERVER = DOMAINS[0]
MEND = "run: python scripts/translations.py update, then translate what is empty in the .po, then the same again"
EACH = [(domain, language) for domain in DOMAINS for language in LANGUAGES]


def catalog(*sentences: tuple[str, str], language: str | None = None) -> Catalog:
    """A catalog of pairs, English and translated."""
    made = Catalog(locale=language)
    for english, translated in sentences:
        made.add(english, translated)
    return made


def failures(domain: Domain) -> Iterator[tuple[str, str | None, set[str]]]:
    """Every place that fills in a sentence: where it is, the sentence, and the values that it is given."""
    for path in domain.files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known = {
            (node.targets[0].id, node.lineno): _sentence(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not (place := _filled(node)):
                continue
            sentence = _sentence(place)
            if isinstance(place, ast.Name):  # the nearest assignment above
                lines = [line for name, line in known if name == place.id and line < node.lineno]
                sentence = known[place.id, max(lines)] if lines else None
            given = {item.arg for item in node.keywords if item.arg} - {"code", "fatal"}
            yield f"{path.name}:{node.lineno}", sentence, given


def _filled(call: ast.Call) -> ast.expr | None:
    """The sentence's expression, where a call makes a failure or formats a translation."""
    name = ast.unparse(call.func)
    if name in ("CommandError", "ProtocolError", "Sentence"):
        return call.args[0]
    if isinstance(call.func, ast.Attribute) and name == "sentence.format":
        return call.func.value
    if isinstance(call.func, ast.Attribute) and call.func.attr == "format" and name.startswith("_("):
        assert isinstance(call.func.value, ast.Call)
        return call.func.value.args[0]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "format" and "translate(" in name:
        inner = call.func.value
        assert isinstance(inner, ast.Call)
        return inner.args[0]
    return None


def _is_translate(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "translate"


def _sentence(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call) and (ast.unparse(node.func) in ("N_", "_") or _is_translate(node.func)):
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@pytest.mark.parametrize(("domain", "language"), EACH)
def test_the_catalogs_are_in_step_with_the_code(domain: Domain, language: str) -> None:
    """Nothing is untranslated, fuzzy, stale, or left open differently; the .mo is what the .po gives."""
    wrong = translations.check(domain, language)
    assert not wrong, "\n".join([MEND, *wrong])


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_no_sentence_is_marked_inside_an_f_string(domain: Domain) -> None:
    """Which of them are found depends on the Python that looks for them: up to 3.11 none is, from 3.12 on all are."""
    inside = [
        f"{path.name}:{call.lineno}"
        for path in domain.files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("_", "N_")
    ]
    assert inside == []


def test_every_language_is_known_everywhere() -> None:
    """What can be chosen has a catalog, and the configuration allows it."""
    (setting,) = (item for item in settings() if item.key == "language")
    assert ("en", *LANGUAGES) == i18n.LANGUAGES
    assert setting.choices == ("", *i18n.LANGUAGES)


@pytest.mark.parametrize(("domain", "language"), EACH)
def test_the_program_reads_what_the_catalog_says(domain: Domain, language: str) -> None:
    """The standard library's gettext, which the server uses, finds each translation in the .mo in git."""
    with domain.mo(language).open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in translations.read(domain, language):
        assert isinstance(message.id, str)
        assert not message.id or compiled.gettext(message.id) == message.string


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="GNU gettext is not installed")
@pytest.mark.parametrize(("domain", "language"), EACH)
def test_gnu_gettext_takes_the_catalog(domain: Domain, language: str, tmp_path: Path) -> None:
    """A translator's own tools accept the file: GNU msgfmt checks its format and its placeholders."""
    done = subprocess.run(
        ["msgfmt", "--check", "-o", tmp_path / "out.mo", domain.po(language)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_sentence_that_is_filled_in_is_marked_and_given_its_values() -> None:
    """Each failure in the code has a sentence from the catalog, and gives exactly the values that it leaves open."""
    marked = {message.id for message in extract(SERVER)}
    through_a_parameter = []
    for place, sentence, given in failures(SERVER):
        if sentence is None:
            through_a_parameter.append(place.partition(":")[0])
            continue
        assert sentence in marked, place
        assert {name.partition("!")[0] for name in placeholders(sentence)} == given, f"{place}: {sentence}"
    # _number(), whose callers pass it, see KEYWORDS; _explained(), which passes a `Sentence` on; and a filter's own
    # sentence: of a kind of values, which gets more than it may leave open; from a table of marked ones without values.
    # told(), with as many values as any of its sentences leaves open, and why.py and watching.py, from such tables; and
    # trust.py's steps, which have one in common.
    assert through_a_parameter == [
        *(
            "resp_requests.py",
            "banning.py",
            "trust.py",
            "tokens.py",
            "why.py",
            "grammar.py",
            "filter.py",
            "watching.py",
        ),
    ]


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_every_sentence_can_be_formatted(language: str) -> None:
    """In each language each sentence takes its values, and they all show."""
    translate = translator(language)
    for message in extract(SERVER):
        assert isinstance(message.id, str)
        names = [name.partition("!")[0] for name in placeholders(message.id) if not name.startswith("!")]
        if names:
            values: dict[str, Any] = {name: f"<{name}>" for name in names}
            sentence = Failure(message.id, **values).sentence(translate)
            assert all(f"<{name}>" in sentence for name in names), sentence
        elif message.id:
            assert translate(message.id)


@pytest.mark.parametrize(
    ("english", "portuguese"),
    [
        ("ECHO: {}", "ECHO: {}"),
        ("Command received successfully.", "Comando recebido com sucesso."),
        ("Unknown command.", "Comando não reconhecido."),
        ("Goodbye.", "Até logo."),
    ],
)
def test_the_wording_that_was_asked_for(english: str, portuguese: str) -> None:
    """These four are part of what the program promises."""
    assert translator("pt_BR")(english) == portuguese
    assert translator("en")(english) == english


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_an_empty_sentence_stays_empty(language: str) -> None:
    """A command without a summary shows none, and not the catalog's header."""
    assert translator(language)("") == ""


def test_what_is_not_in_the_catalog_stays_as_it_is() -> None:
    """An operator's own command may have sentences that nobody translated."""
    assert translator("pt_BR")("Restart a service") == "Restart a service"


def test_a_catalog_that_is_missing_leaves_english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without its catalogs still answers."""
    monkeypatch.setattr(i18n, "_LOCALE_DIR", tmp_path)
    assert translator.__wrapped__("pt_BR")("Goodbye.") == "Goodbye."


@pytest.mark.parametrize(
    "text",
    ["nonsense", "scs_short", f"scs_{'-' * 10}_{'a' * 43}_000000", f"scs_{'0' * 10}_{'0' * 43}_000000"],
)
def test_why_a_token_is_none_is_translated(text: str) -> None:
    """Each way in which a token can be malformed is explained in the peer's language."""
    with pytest.raises(TokenFormatError) as caught:
        Token.parse(text)
    english = str(caught.value)
    assert translator("pt_BR")(english) != english


@pytest.mark.parametrize(
    "bytes_",
    [b"*x\r\n", b"*1\r\nx\r\n", b"*1\r\n$x\r\n", b"*1\r\n$1\r\nabc", b"*" + b"1" * 40, b"*1\r\n$1\r\na\r\nPING\r\n"],
)
def test_what_the_protocol_refuses_is_translated(bytes_: bytes) -> None:
    """A program's mistake is explained in the language of the session."""
    decoder = RespRequestDecoder()
    decoder.feed(bytes_)
    error = decoder.decode(BEFORE_AUTHENTICATION, 10)[-1]
    assert isinstance(error, ProtocolError)
    assert error.sentence(translator("pt_BR")).startswith("Erro de protocolo: ")


@pytest.mark.parametrize("line", [b"\xff", b"a\x01", b"GET / HTTP/1.1", b'"', b"a " * 9, b"a" * 5000])
def test_what_a_line_may_not_be_is_translated(line: bytes) -> None:
    """A person's mistake is explained in the language of the session."""
    error = decode_line(line, BEFORE_AUTHENTICATION)
    assert isinstance(error, ProtocolError)
    assert error.sentence(translator("pt_BR")) != error.sentence()


def test_every_close_is_explained_in_each_language() -> None:
    """What a peer is told at the end is translated; no two reasons share their words."""
    said = {translator("pt_BR")(sentence) for sentence in CLOSE_SENTENCES.values()}
    assert len(said) == len(CLOSE_SENTENCES)
    assert not said & set(CLOSE_SENTENCES.values())


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("pt_BR", "pt_BR"),
        ("pt_BR.UTF-8", "pt_BR"),
        ("pt-br", "pt_BR"),
        ("pt_PT", "pt_BR"),
        ("pt", "pt_BR"),
        ("en_GB.UTF-8@euro", "en"),
        ("EN", "en"),
        ("de_DE", None),
        ("", None),
        ("C", None),
    ],
)
def test_a_locale_finds_its_language(locale: str, language: str | None) -> None:
    """The exact one where there is one, else another of the same tongue, else none."""
    assert match_language(locale) == language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "pt_BR.UTF-8"}, "pt_BR"),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": ""}, "pt_BR"),
        ({"LANG": "pt_BR.UTF-8", "LC_MESSAGES": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "en"),
    ],
)
def test_the_environment_chooses_the_language(environment: dict[str, str], language: str) -> None:
    """LC_ALL before LC_MESSAGES before LANG, as POSIX has it; what nobody translated is English."""
    assert language_of(environment) == language


@pytest.mark.parametrize(
    ("english", "translated", "fault"),
    [
        ("Hello.", "", "not translated"),
        ("Hello {name}.", "Oi {nome}.", "other placeholders"),
        ("Hello {name}.", "Oi {name.__class__}.", "other placeholders"),
        ("Hello {name}.", "Oi {name:>99}.", "other placeholders"),
        ("Hello {name}.", "Oi {name!r}.", "other placeholders"),
        ("Hello {name}.", "Oi {name.", "expected '}' before end of string"),
        ("Hello.", "Oi.\n", "a control character"),
        ("Hello.", "Oi. ", "a control character or blanks"),
    ],
)
def test_a_bad_translation_is_found(english: str, translated: str, fault: str) -> None:
    """Whatever could break a sentence, or the terminal that shows it, is named."""
    (found,) = faults(catalog((english, "")), catalog((english, translated), language="pt_BR"))
    assert found.startswith(fault)


def test_a_stale_catalog_is_found() -> None:
    """A sentence that only the code has, one that only the catalog has, and a fuzzy one are named."""
    translation = catalog(("Old.", "Velho."), ("Same.", "Igual."), language="pt_BR")
    message = translation["Same."]
    assert message is not None
    message.flags.add("fuzzy")
    assert faults(catalog(("New.", ""), ("Same.", "")), translation) == [
        "not in the catalog: 'New.'",
        "no longer in the code: 'Old.'",
        "fuzzy: 'Same.'",
    ]


def test_merging_keeps_what_is_translated_and_forgets_what_is_gone() -> None:
    """A changed sentence starts anew: a wrong translation is worse than none."""
    merged = merge(catalog(("New.", ""), ("Same.", "")), catalog(("Old.", "Velho."), ("Same.", "Igual.")))
    assert {message.id: message.string for message in merged if message.id} == {"New.": "", "Same.": "Igual."}


@pytest.mark.long
def test_extraction_is_the_same_each_time() -> None:
    """Neither dates nor the order of files reach a catalog; English is sorted."""
    first, second = po_bytes(extract(SERVER)), po_bytes(extract(SERVER))
    assert first == second
    assert b"Date" not in first
    lines = first.decode().splitlines()
    ids = [line[len('msgid "') : -1] for line in lines if line.startswith('msgid "') and line != 'msgid ""']
    ids = [written.replace('\\"', '"') for written in ids]
    assert ids == sorted(ids)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """A package with one sentence and no catalogs yet."""
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    domain = Domain("house", sources=("house/*.py",))
    monkeypatch.setattr(translations, "DOMAINS", (domain,))
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "door.py").write_text('raise CommandError(N_("The door is {state}."), state=1)\n')
    return domain


def test_a_new_package_gets_its_catalogs(house: Domain, capsys: pytest.CaptureFixture[str]) -> None:
    """`update` makes what is missing and says what is to be translated; once that is done, all is in step."""
    assert translations.main([]) == 1
    assert capsys.readouterr().err == "house pt_BR: not translated: 'The door is {state}.'\n"
    path = house.po("pt_BR")
    text = path.read_text(encoding="utf-8").replace('{state}."\nmsgstr ""', '{state}."\nmsgstr "A porta está {state}."')
    path.write_text(text, encoding="utf-8")
    assert translations.main(["check"]) == 1
    assert "secure" not in (told := capsys.readouterr().err)
    assert "house.mo is not what its .po gives" in told
    assert translations.main(["compile"]) == 0
    assert translations.main(["check"]) == 0
    with house.mo("pt_BR").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("The door is {state}.") == "A porta está {state}."
    (translations.ROOT / "house" / "door.py").write_text('N_("Another.")\n')
    assert translations.main(["check"]) == 1
    assert "house.pot is not what the code gives" in capsys.readouterr().err


def test_the_program_takes_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else shows how it is called, and touches nothing."""
    assert translations.main(["extract"]) == 2
    assert translations.main(["check", "check"]) == 2
    assert "usage: translations.py" in capsys.readouterr().err


@pytest.mark.usefixtures("unmeasured")
def test_the_program_runs_from_the_checkout() -> None:
    """`python scripts/translations.py check` needs nothing but the development packages."""
    done = subprocess.run(
        [sys.executable, "scripts/translations.py", "check"],
        cwd=translations.ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_compiling_is_the_same_each_time() -> None:
    """The .mo in git changes only when a translation does."""
    translation = translations.read(SERVER, "pt_BR")
    assert mo_bytes(translation) == mo_bytes(translations.read(SERVER, "pt_BR"))
    assert b"Date" not in mo_bytes(translation)


def test_a_failure_is_said_in_the_language_of_the_session() -> None:
    """The template is translated first and filled in then."""
    failure = CommandError("Filter {key} needs a value.", key="ID")
    assert failure.sentence(translator("pt_BR")) == "O filtro ID precisa de um valor."
