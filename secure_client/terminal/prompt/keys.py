"""What keys do beyond what prompt-toolkit has them do."""

from __future__ import annotations

import os.path
from collections.abc import Sequence

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import (
    Condition,
    completion_is_selected,
    emacs_mode,
    has_focus,
    has_selection,
    shift_selection_mode,
)
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from secure_client.terminal.prompt.completion import CommandCompleter

UNMARKED = (Keys.Any, "enter", "c-h", "delete", "c-delete", "c-d", "c-k", "c-u", "c-t", "c-y")
"""Keys that mean the same with a mark in the line as without; the named ones are no `Any` to prompt-toolkit."""


def bindings(completer: CommandCompleter) -> KeyBindings:
    """Return them.

    Args:
        completer: of the prompt.
    """
    keys = plain_bindings()
    typing = has_focus(DEFAULT_BUFFER)

    @keys.add("tab", filter=typing)
    def _complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        state, request = buffer.complete_state, CompleteEvent(completion_requested=True)
        if state is not None and state.current_completion is not None:
            buffer.complete_next()
        elif state is not None:
            take(buffer, state.completions)
        elif completer.is_whole(buffer.document):  # at once, for the next key may be Enter
            take(buffer, list(completer.get_completions(buffer.document, request)))
        else:
            event.app.create_background_task(_complete_later(buffer, completer, request))

    @keys.add("enter", filter=completion_is_selected)
    def _accept(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None  # the text is in place; a second Enter runs it

    @keys.add(
        "escape", "enter", filter=typing & emacs_mode
    )  # in vi that is Escape, and then Enter; there `o` adds a line
    def _another_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("up", filter=typing & _nothing_is_chosen)
    @keys.add("c-p", filter=typing & emacs_mode & _nothing_is_chosen)
    @keys.add("down", filter=typing & _menu_is_awaited)
    def _move(event: KeyPressEvent) -> None:
        # Or the key would move in a menu that has nothing in it yet, or that comes by itself, and never in the history.
        event.current_buffer.complete_state = None
        event.key_processor.feed(event.key_sequence[0], first=True)

    return keys


def plain_bindings() -> KeyBindings:
    """Return those of any line, also of an answer to a question."""
    keys = KeyBindings()

    def type_on(event: KeyPressEvent) -> None:
        # What has no use for a mark, which Ctrl-Space sets: prompt-toolkit would have Enter and letters do nothing.
        event.current_buffer.exit_selection()
        event.key_processor.feed(event.key_sequence[0], first=True)

    for key in UNMARKED:
        keys.add(key, filter=emacs_mode & has_selection & ~shift_selection_mode)(type_on)
    return keys


@Condition
def _nothing_is_chosen() -> bool:
    """Whether there is a menu, or will be one, that nobody has gone into."""
    state = get_app().current_buffer.complete_state
    return state is not None and state.current_completion is None


@Condition
def _menu_is_awaited() -> bool:
    state = get_app().current_buffer.complete_state
    return state is not None and not state.completions


async def _complete_later(buffer: Buffer, completer: CommandCompleter, request: CompleteEvent) -> None:
    """Take what the server says may come, if nothing was typed meanwhile."""
    document = buffer.document
    found = [item async for item in completer.get_completions_async(document, request)]
    if buffer.document == document:
        take(buffer, found)


def take(buffer: Buffer, found: Sequence[Completion]) -> None:
    """Do what Tab does: complete a sole candidate, else what all have in common, else go through the menu.

    Args:
        buffer: with the cursor behind the word.
        found: candidates.
    """
    if len(found) == 1:
        buffer.apply_completion(found[0])
        return
    if not found:
        return
    start = found[0].start_position
    texts = [item.text.casefold() for item in found] if _alike(found) else []
    common = os.path.commonprefix(texts)  # noqa: RUF071 - character by character is what is wanted: they are words
    if len(common) > -start:
        buffer.apply_completion(Completion(found[0].text[: len(common)], start))
        buffer.start_completion()
    elif buffer.complete_state is not None:
        buffer.complete_next()
    else:
        buffer.start_completion(select_first=True)


def _alike(found: Sequence[Completion]) -> bool:
    """Whether all stand for the same word, and change no length by folding their case."""
    return all(
        item.start_position == found[0].start_position and len(item.text.casefold()) == len(item.text) for item in found
    )
