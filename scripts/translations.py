"""Keeps the catalogs of sentences in step with the code: `python scripts/translations.py [update|compile|check]`.

`update` (the default) extracts what is marked, merges it into each language's `.po`, and compiles. A sentence whose
English changed loses its translation, so that nothing wrong is shown meanwhile. `compile` writes the `.mo` alone.
`check` changes nothing and says what is out of step. The same sentences always give the same bytes.
"""

from __future__ import annotations

import io
import re
import string
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("pt_BR",)
"""Those with a catalog; English is what the code says."""

KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "N_": None,
    "_": None,
    "translate": None,
    "CommandError": None,
    "ProtocolError": None,
    "TokenFormatError": None,
    "EnrolmentFormatError": None,
    "Sentence": None,
    "_number": (3,),  # secure_protocol/resp_requests.py gives it the sentence to raise
}
"""Calls whose first argument, or the one named, is a sentence."""

HEADERS = ("Language", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
"""Kept in a catalog; dates and the tool's version would make each run a change."""


@dataclass(frozen=True)
class Domain:
    """One package's sentences.

    Attributes:
        name: of the package and of its catalogs.
        sources: what is looked through, as glob patterns from the checkout.
        exclude: files that `sources` match and somebody else shows.
    """

    name: str
    sources: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    @property
    def template(self) -> Path:
        """All English sentences."""
        return ROOT / self.name / "locale" / f"{self.name}.pot"

    def po(self, language: str) -> Path:
        """The translation, for people to edit."""
        return ROOT / self.name / "locale" / language / "LC_MESSAGES" / f"{self.name}.po"

    def mo(self, language: str) -> Path:
        """The translation, compiled; what the program reads."""
        return self.po(language).with_suffix(".mo")

    def files(self) -> Iterator[Path]:
        """What is looked through, in a fixed order."""
        found = {path for pattern in self.sources for path in ROOT.glob(pattern)}
        yield from sorted(found - {ROOT / name for name in self.exclude})


DOMAINS = (
    Domain(
        "secure_server",
        sources=("secure_server/**/*.py", "secure_protocol/*.py"),
        exclude=(
            "secure_protocol/resp_replies.py",  # decoding replies is the client's: it shows those sentences
            "secure_protocol/enrolment.py",  # so is reading the URL
            "secure_server/admin/shell.py",  # the client's terminal
        ),
    ),
    Domain(
        "secure_client",
        sources=(
            "secure_client/**/*.py",
            "secure_server/admin/shell.py",
            "secure_protocol/resp_replies.py",
            "secure_protocol/token.py",
            "secure_protocol/enrolment.py",
        ),
    ),
)


class _Undated(Catalog):
    """A catalog whose bytes depend on its sentences alone."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in super().mime_headers if name in HEADERS]


def extract(domain: Domain) -> Catalog:
    """Return every sentence that the code marks, without translations."""
    template = _Undated(header_comment=f"# The sentences of {domain.name}.", fuzzy=False)
    for path in domain.files():
        place = path.relative_to(ROOT).as_posix()
        for _line, sentence, comments, context in extract_from_file("python", path, KEYWORDS, ("Translators:",)):
            assert isinstance(sentence, str), f"{place}: plural forms are not supported"  # noqa: S101 - none are marked
            template.add(sentence, locations=[(place, 0)], auto_comments=comments, context=context)
    return template


def read(domain: Domain, language: str) -> Catalog:
    """Return a translation as it is in git."""
    catalog = _Undated(locale=language, header_comment=f"# {domain.name} in {language}.", fuzzy=False)
    path = domain.po(language)
    if path.exists():
        for message in read_po(io.BytesIO(path.read_bytes()), locale=language):
            if message.id:
                catalog[message.id] = message
    return catalog


def merge(template: Catalog, translation: Catalog) -> Catalog:
    """Return `translation` with exactly the sentences of `template`; a new one is empty, one no longer used is gone."""
    merged = _Undated(locale=translation.locale, header_comment=translation.header_comment, fuzzy=False)
    for message in template:
        if message.id:
            known = translation.get(message.id)
            merged[message.id] = Message(
                message.id, known.string if known else "", message.locations, known.flags if known else (),
                message.auto_comments, user_comments=known.user_comments if known else (),
            )  # fmt: skip
    return merged


def po_bytes(catalog: Catalog) -> bytes:
    """Return a catalog as people edit it: sorted, with file names but no line numbers, which change too often."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=120, sort_output=True, include_lineno=False)
    return buffer.getvalue()


def mo_bytes(catalog: Catalog) -> bytes:
    """Return a catalog as the program reads it."""
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def placeholders(sentence: str) -> list[str]:
    """Return what a sentence leaves open: `{name}` gives `name`, with its format where it has one; sorted.

    Raises:
        ValueError: the braces do not match.
    """
    fields = string.Formatter().parse(sentence)
    return sorted(f"{name}!{convert}:{form}" for _, name, form, convert in fields if name is not None)


def faults(template: Catalog, translation: Catalog) -> list[str]:
    """Return what is wrong with a translation, a sentence each."""
    wrong = [f"not in the catalog: {item.id!r}" for item in template if item.id and item.id not in translation]
    for message in translation:
        if not message.id:
            continue
        assert isinstance(message.id, str)  # noqa: S101 - extract() takes no plural
        if message.id not in template:
            wrong.append(f"no longer in the code: {message.id!r}")
        if not message.string:
            wrong.append(f"not translated: {message.id!r}")
        elif message.fuzzy:
            wrong.append(f"fuzzy: {message.id!r}")
        elif problem := _misfit(message.id, str(message.string)):
            wrong.append(f"{problem}: {message.id!r} → {message.string!r}")
    return wrong


def _misfit(sentence: str, translated: str) -> str | None:
    try:
        same = placeholders(sentence) == placeholders(translated)
    except ValueError as error:
        return str(error)
    if not same:
        return "other placeholders"
    if re.search(r"[\x00-\x1f\x7f]", translated) or translated != translated.strip():
        return "a control character or blanks around it"
    return None


def check(domain: Domain, language: str) -> list[str]:
    """Return all that is out of step between the code, the `.po` and the `.mo`."""
    template, translation = extract(domain), read(domain, language)
    wrong = faults(template, translation)
    if domain.template.read_bytes() != po_bytes(template):
        wrong.append(f"{domain.template.relative_to(ROOT)} is not what the code gives")
    if domain.mo(language).read_bytes() != mo_bytes(translation):
        wrong.append(f"{domain.mo(language).relative_to(ROOT)} is not what its .po gives")
    return wrong


def update(domain: Domain) -> None:
    """Bring the template and each translation into step with the code."""
    template = extract(domain)
    domain.template.parent.mkdir(parents=True, exist_ok=True)
    domain.template.write_bytes(po_bytes(template))
    for language in LANGUAGES:
        merged = merge(template, read(domain, language))
        domain.po(language).parent.mkdir(parents=True, exist_ok=True)
        domain.po(language).write_bytes(po_bytes(merged))


def compile_(domain: Domain) -> None:
    """Write each translation as the program reads it."""
    for language in LANGUAGES:
        domain.mo(language).write_bytes(mo_bytes(read(domain, language)))


def main(arguments: Sequence[str]) -> int:
    """Do what the one argument says, and return the exit code."""
    action = arguments[0] if arguments else "update"
    if len(arguments) > 1 or action not in ("update", "compile", "check"):
        print(f"usage: translations.py [update|compile|check]\n\n{__doc__}", file=sys.stderr)
        return 2
    failed = False
    for domain in DOMAINS:
        if action == "update":
            update(domain)
        if action != "check":
            compile_(domain)
        for language in LANGUAGES:
            for fault in check(domain, language):
                print(f"{domain.name} {language}: {fault}", file=sys.stderr)
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from secure_client import streams

    streams.run(lambda: sys.exit(main(sys.argv[1:])))
