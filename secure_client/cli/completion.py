"""`secure-client completion bash|zsh|fish`: the script by which a shell asks `secure_client.cli.completing`."""

from __future__ import annotations

import os
import re

import click
from click.shell_completion import CompletionItem, FishComplete, ShellComplete, ZshComplete, split_arg_string

from secure_client.i18n import _

VARIABLE = "_SECURE_CLIENT_COMPLETE"
"""Set by the scripts, to `bash_complete` and the like."""
PROGRAM = "secure-client"
_BASH = """\
_secure_client_completion() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            file,*) compopt -o default ;;
            dir,*) compopt -o dirnames ;;
            plain,*) COMPREPLY+=("${line#plain,}") ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:$COMP_POINT} %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F _secure_client_completion %(prog_name)s
"""
_PLAIN = re.compile(r"([^\w@%+:,./=-])")
_WORD = re.compile(r"""(?:\\.|'[^']*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)|[^\s\\'"]|\\$)+$""", re.DOTALL)
"""The word that a line ends with, as it was typed."""


class _Bash(ShellComplete):
    """click's own takes the words as bash parts them, at the colon of `host:port`, too; and quotes nothing."""

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Part the line as the shell will."""
        line = os.environ["COMP_LINE"]
        self._typed = _last_word(line)
        before = split_arg_string(line[: len(line) - len(self._typed)])
        return before[1:], next(iter(split_arg_string(self._typed)), "")

    def format_completion(self, item: CompletionItem) -> str:
        """Write what bash puts in place of what it takes for the word."""
        return f"{item.type},{_for_bash(item.value, self._typed) if item.type == 'plain' else item.value}"


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


def _last_word(line: str) -> str:
    # From the start, not from the end: whether a blank is quoted is known only so.
    end = 0
    for found in re.finditer(_WORD.pattern[:-1], line, re.DOTALL):
        if found.end() == len(line):
            return found[0]
        end = found.end()
    return line[end:].strip()


def _for_bash(value: str, typed: str) -> str:
    if typed[:1] == "'":
        return value.replace("'", "'\\''")
    if typed[:1] == '"':
        return re.sub(r'([\\"$`])', r"\\\1", value)
    escaped = _PLAIN.sub(r"\\\1", value)
    parted = max(typed.rfind(":"), typed.rfind("=")) + 1  # where bash begins a word of its own
    return escaped[parted:] if escaped.startswith(typed[:parted]) else escaped


@click.command(
    help=_("Print a script by which a shell completes options, profiles and commands.")
    + "\n\n"
    + _('Bash: eval "$(secure-client completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc, after compinit.')
    + "\n\n"
    + _("Fish: secure-client completion fish > ~/.config/fish/completions/secure-client.fish"),
    options_metavar=_("[OPTIONS]"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print a shell's script; the texts of help are in the decorators, where they are translated."""
    click.echo(SHELLS[shell](completion, {}, PROGRAM, VARIABLE).source())
