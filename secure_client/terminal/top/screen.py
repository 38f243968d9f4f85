"""The screen of `top`: an application of prompt-toolkit that has the whole window until it is left.

Imported only when somebody looks: it brings prompt-toolkit.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.styles import Style

from secure_client.client import Client
from secure_client.core.status import Status
from secure_client.errors import ClientError, CommandFailed
from secure_client.i18n import _
from secure_client.terminal.kept import before_ending
from secure_client.terminal.top import telling
from secure_client.terminal.top.asking import Asking, told_of
from secure_client.terminal.top.figures import Look
from secure_client.terminal.top.frame import BESIDE, Line, bottom, frame
from secure_client.terminal.top.keys import bindings
from secure_client.terminal.top.options import other
from secure_client.terminal.top.view import Listing, Mode, View
from secure_protocol import text_replies
from secure_protocol.errors import ErrorCode

ESCAPE_SECONDS = 0.05
"""Until an Esc is one, and not the beginning of another key."""
DRAW_SECONDS = 0.04
"""Between two frames at least: a held key draws no more of them."""
REASON_CHARACTERS = 200
"""Of why somebody is kicked; a server takes no more."""
SHOW = ("CLIENT", "SHOW")
_LEAVE = b"\x1b[?1049l"
"""Gives back the screen that was there before."""

_STYLE = Style.from_dict(
    {
        "head": "reverse",
        "head.trouble": "reverse bold ansiyellow",
        "label": "ansigray",
        "bad": "bold ansired",
        "spark": "ansicyan",
        "title": "bold",
        "other": "ansigray",
        "rule": "ansigray",
        "heading": "bold",
        "chosen": "reverse",
        "key": "bold",
        "message": "bold ansiyellow",
    }
)


class TopScreen:
    """Shows a server until the user leaves.

    Args:
        client: of the server.
        view: what is shown.
        look: the first one; None where there is no connection yet.
    """

    def __init__(self, client: Client, view: View, look: Look | None) -> None:
        self._client = client
        self.view = view
        self._entered: Callable[[str], object] = len
        self._label = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        typing = Condition(lambda: view.mode is Mode.TYPING)
        self._line = Buffer(multiline=False, accept_handler=self._accept)
        self._lists = Window(FormattedTextControl(self._frame, focusable=True), always_hide_cursor=True)
        keys = Window(FormattedTextControl(lambda: _text(self._bottom())), height=lambda: len(self._bottom()))
        label = Window(FormattedTextControl(lambda: [("class:key", self._label)]), dont_extend_width=True)
        line = VSplit([label, Window(BufferControl(self._line))], height=1)
        below = HSplit([ConditionalContainer(keys, ~typing), ConditionalContainer(line, typing)])
        self._application: Application[None] = Application(
            layout=Layout(HSplit([self._lists, below]), focused_element=self._lists),
            key_bindings=bindings(self),
            style=_STYLE,
            full_screen=True,
            min_redraw_interval=DRAW_SECONDS,
        )
        self._application.ttimeoutlen = ESCAPE_SECONDS
        self._asking = Asking(client, view, self._application.invalidate, self._seen)
        if look is not None:
            self._asking.take(look)

    def run(self) -> None:
        """Show it, until the user leaves."""
        before = self._client.on_state

        def changed(status: Status) -> None:
            if before is not None:
                before(status)
            if self._loop is not None:
                with suppress(RuntimeError):  # the screen is closed
                    self._loop.call_soon_threadsafe(self._asking.stand)

        self._client.on_state = changed
        try:
            with before_ending(_give_back):
                self._application.run(pre_run=self._begin)
        except (EOFError, KeyboardInterrupt):
            pass
        finally:
            self._client.on_state = before

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asking.stand()
        self._application.create_background_task(self._asking.run())

    # -- what is drawn ------------------------------------------------------------------------------------------------

    @property
    def _size(self) -> tuple[int, int]:
        size = self._application.output.get_size()
        return size.columns, size.rows

    def _frame(self) -> StyleAndTextTuples:
        return _text(frame(self.view, *self._size))

    def _bottom(self) -> Sequence[Line]:
        return bottom(self.view, self._size[0])

    def _seen(self) -> Sequence[Listing]:
        return self.view.listings if self._size[0] >= BESIDE else [self.view.listing]

    @property
    def page(self) -> int:
        """How many rows a page has."""
        return max(1, self._size[1] // 2)

    # -- what keys do -------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """End it."""
        if self._application.is_running and not self._application.is_done:  # a signal may be told behind its end
            self._application.exit()

    def go_to_other(self, by: int) -> None:
        """Have the keys for another list."""
        self.view.focus = (self.view.focus + by) % len(self.view.listings)
        self._asking.again()

    def pause(self) -> None:
        """Ask nothing, or ask again."""
        self.view.paused = not self.view.paused
        self._asking.again()

    def pace(self, *, longer: bool) -> None:
        """Look less often, or more often."""
        self.view.interval = other(self.view.interval, longer=longer)
        self._asking.again()

    def connect(self) -> None:
        """Connect again."""
        self._client.reconnect()
        self._asking.again()

    def help(self) -> None:
        """Tell of the keys."""
        self.view.read(_("Keys"), telling.keys())

    def filter(self) -> None:
        """Have a filter typed."""
        self._type(_("filter:"), self._filtered, self.view.listing.filter)

    def look_into(self) -> None:
        """Tell of the chosen row."""
        row = self.view.listing.row
        if row is None:
            return
        name = text_replies.cell(row.get(self.view.listing.pane.key))
        if self.view.focus == 0:
            self.view.read(_("Command {name}").format(name=name), telling.told(row))
        elif self._client.catalogue and self._client.catalogue.find(SHOW) is None:
            self.view.read(_("Client {id}").format(id=name), telling.told(row))
        else:
            self._do(self._show(name))

    def ask_to_kick(self) -> None:
        """Ask whether the chosen client is to be kicked."""
        row = self.view.listing.row if self.view.focus == 1 else None
        if row is None:
            self.view.tell(_("Choose a client first: Tab goes to the clients."))
            return
        number, user, address = (text_replies.cell(row.get(name)) for name in ("id", "user", "address"))
        question, yes, no = _("Kick {id} ({user}, {address})? {yes}/{no}, r with a reason"), _("y"), _("N").lower()
        self.view.mode = Mode.ASKING
        self.view.question = question.format(id=number, user=user, address=address, yes=yes, no=no)
        self._entered = lambda reason: self._do(self._kick(number, reason))

    def answer(self, *, yes: bool) -> None:
        """Take the answer to that."""
        self.view.mode = Mode.LISTS
        if yes:
            self._entered("")

    def give_reason(self) -> None:
        """Have a reason typed."""
        self._type(_("reason:"), self._entered)

    def back(self) -> None:
        """Leave a text, a question, or a line that is typed."""
        self.view.mode = Mode.LISTS
        self._line.reset()
        self._application.layout.focus(self._lists)

    # -- what is typed, and what comes of it --------------------------------------------------------------------------

    def _type(self, label: str, entered: Callable[[str], object], text: str = "") -> None:
        self.view.mode, self._label, self._entered = Mode.TYPING, f" {label} ", entered
        self._line.text = text
        self._line.cursor_position = len(text)
        self._application.layout.focus(self._line)

    def _accept(self, line: Buffer) -> bool:
        text = line.text.strip()
        self.back()
        self._entered(text)
        return False

    def _filtered(self, text: str) -> None:
        self.view.listing.filter = text
        self._asking.sift()
        self._asking.again(clients=True)

    def _do(self, work: Coroutine[object, object, None]) -> None:
        async def done() -> None:
            try:
                await work
            except ClientError as error:
                self.view.tell(told_of(error), bad=True)
            self._application.invalidate()

        self._application.create_background_task(done())

    async def _show(self, number: str) -> None:
        title, row = _("Client {id}").format(id=number), self.view.listing.row
        try:
            answer = await self._asking.ask(*SHOW, number)
        except CommandFailed as error:
            if error.code != ErrorCode.ERR or row is None:
                raise
            self.view.tell(told_of(error), bad=True)
            answer = row
        self.view.read(title, telling.told(answer))

    async def _kick(self, number: str, reason: str) -> None:
        words = [reason[:REASON_CHARACTERS]] if reason else []
        answer = await self._asking.ask("KICK", number, *words, idempotent=False)
        self.view.tell(text_replies.cell(answer))
        self._asking.again(clients=True)


def _text(lines: Sequence[Line]) -> StyleAndTextTuples:
    shown: StyleAndTextTuples = []
    for line in lines:
        shown += [*line, ("", "\n")]
    return shown[:-1]


def _give_back(_number: int) -> None:
    """Give the screen back, past whatever draws on it."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), _LEAVE)
