"""What happens to a terminal, in any order: typing, news, breaks, windows, answers; and what is on the screen at rest.

All that is ever shown has a mark of its own, so that in the end each can be counted: what a command said, what came by
itself and what was typed stand on the screen, or above it, once; nothing is lost, doubled or overwritten.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply, Push
from tests.secure_client.scripted_server import Peer, ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import rests
from tests.terminal.screen import PATIENCE, Screen
from tests.terminal.test_repl import CTRL_C, CTRL_D, ENTER

BEGIN = [(24, 80), (10, 40), (50, 200)]
SIZES = [*BEGIN, (12, 60), (17, 44)]
KEYS = ["\x1b[D", "\x1b[D", "\x1b[C", "\x1b[H", "\x01", "\x1b[15~", "\x12\x07", "\x00", "\x1bb", "\x1bf"]
"""Those that move, search and give up, and that mean nothing: none of them changes the line."""
TO_THE_END = "\x05"
WORDS = ["half", "re\u0301sume\u0301", "再起動", "🚀", "ação", "x" * 30, "'a b'"]
STEPS = 30


class Day:
    """A day at the terminal.

    Args:
        screen: at its prompt.
        server: which serves it.
        proxy: the network between them.
        seed: of all that is chosen.
    """

    def __init__(self, screen: Screen, server: ScriptedServer, proxy: FaultProxy, seed: int) -> None:
        self.screen, self.server, self.proxy = screen, server, proxy
        self.chance = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
        self.seed = seed
        self.typed = ""
        self.marks = 0
        self.blanks = 1
        self.expected: Counter[str] = Counter()
        self.log = [f"seed {seed}"]
        self.parts: SimpleQueue[str] = SimpleQueue()
        self.steps = [
            self.type_on, self.type_on, self.rub_out, self.send, self.send, self.forget, self.tell, self.tell, self.cut,
            self.go_away, self.change_size, self.paste, self.fumble, self.fumble,
            self.follow, self.be_asked, self.fail, self.see_the_menu,
        ]  # fmt: skip
        server.handlers["TAIL"] = self._tail
        server.handlers["FAIL"] = lambda _peer, arguments: ErrorReply("ERR", f"no {' '.join(arguments)}")
        server.handlers["WIPE"] = lambda _peer, arguments: f"wiped {' '.join(arguments)}"
        host = ArgumentDescription("host")
        server.commands += [CommandDescription("WIPE", arguments=(host,), confirm="Wipe {host}?")]
        server.commands += [CommandDescription("TAIL"), CommandDescription("FAIL")]
        server.push("commands-changed")
        server.wait_for(lambda: server.names().count("COMMANDS") == 2)

    def run(self) -> None:
        """Do some of all that, one after the other, and look at the screen after each."""
        for _ in range(STEPS):
            step = self.chance.choice(self.steps)
            self.log.append(f"{step.__name__} {self.typed!r} {self.screen.size}")
            try:
                step()
                rests(self.screen, self.typed)
            except AssertionError as error:
                raise AssertionError("\n".join([*self.log, str(error)])) from error
        self.forget()
        rests(self.screen)
        self.count()
        self.screen.type(CTRL_D)
        assert self.screen.ended() == 0

    def count(self) -> None:
        """Look at all that was shown."""
        self.screen.settle()
        text = "\n".join(self.screen.transcript)
        blanks = sum(line in ("secure>", "secure!") for line in self.screen.transcript)
        assert blanks == self.blanks, "\n".join([f"{blanks} empty prompts instead of {self.blanks}", *self.log, text])
        wrong = {mark: (text.count(mark), times) for mark, times in self.expected.items() if text.count(mark) != times}
        assert not wrong, "\n".join([f"mark: (is, should) {wrong}", *self.log, text])

    def mark(self, times: int) -> str:
        """Return a word that was never seen, and expect it so many times."""
        self.marks += 1
        word = f"m{self.marks}m"
        self.expected[word] += times
        return word

    # -- what a person does -------------------------------------------------------------------------------------------

    def type_on(self) -> None:
        """Type another word."""
        word = self.chance.choice(WORDS)
        more = f" {word}" if self.typed else f"ECHO {self.mark(1)} {word}"
        self.screen.type(more)
        self.typed += more

    def rub_out(self) -> None:
        """Take back the last character."""
        if self.typed and not self.typed[-1].isascii():
            return  # what is one character is a matter of opinion
        if len(self.typed.split()) > 2:
            self.screen.type("\x7f")
            self.typed = self.typed[:-1]

    def send(self) -> None:
        """Press Enter, also on an empty line."""
        if self.typed:
            self.expected[self.typed.split()[1]] += 1
        quotes = self.typed.count("'") % 2
        line, self.typed = self.typed, ""
        if quotes:
            self.expected[line.split()[1]] -= 1
        self.press(ENTER, blank=not line)
        if line and not quotes:
            self.seen(f"ECHO: {line.split()[1]}")

    def forget(self) -> None:
        """Press Ctrl-C."""
        self.press(CTRL_C, blank=not self.typed)
        self.typed = ""

    def press(self, key: str, *, blank: bool) -> None:
        """End a line, and see that it has ended: what is typed before the next prompt is there has another meaning."""
        before = self.prompts
        self.blanks += blank
        self.screen.type(key)
        self.screen.wait(lambda: self.prompts > before)

    @property
    def prompts(self) -> int:
        """How many prompts were ever there."""
        return sum(line.startswith(("secure>", "secure!")) for line in self.screen.transcript)

    def paste(self) -> None:
        """Paste some lines, and run them, or do not."""
        self.forget()
        rests(self.screen)
        runs = self.chance.random() < 0.7
        words = [self.mark(3 if runs else 1) for _ in range(self.chance.randrange(2, 4))]
        text = "\n".join(f"ECHO {word}" for word in words)
        self.screen.type(f"\x1b[200~{text}\x1b[201~")
        self.typed = text
        rests(self.screen, self.typed)
        if runs:
            self.screen.type(ENTER)
            self.typed = ""
            self.seen(f"ECHO: {words[-1]}")
        else:
            self.forget()

    def fumble(self) -> None:
        """Press keys that lead nowhere, and go back to where the line ends."""
        for _ in range(self.chance.randrange(1, 8)):
            self.screen.type(self.chance.choice(KEYS))
        self.screen.type(TO_THE_END)

    def change_size(self) -> None:
        """Drag the window's corner."""
        self.screen.settle()
        self.screen.resize(*self.chance.choice(SIZES))

    def see_the_menu(self) -> None:
        """Have a menu opened, and close it."""
        self.forget()
        rests(self.screen)
        self.screen.type("RESTART w")
        self.screen.wait("worker")
        if self.chance.random() < 0.5:
            self.change_size()
            self.screen.wait("worker")
        self.typed = "RESTART w"
        self.forget()

    def be_asked(self) -> None:
        """Run what asks first."""
        self.forget()
        rests(self.screen)
        word, yes = self.mark(2), self.chance.random() < 0.5
        self.expected[word] += yes
        self.screen.type(f"WIPE {word}{ENTER}")
        self.screen.wait(f"Wipe {word}? [y/N]")
        if self.chance.random() < 0.5:
            self.tell()
        if self.chance.random() < 0.5:
            self.change_size()
            self.screen.wait(f"Wipe {word}? [y/N]")
        self.screen.type(("y" if yes else "n") + ENTER)
        if yes:
            self.seen(f"wiped {word}")

    def fail(self) -> None:
        """Run what fails."""
        self.forget()
        rests(self.screen)
        word = self.mark(2)
        self.screen.type(f"FAIL {word}{ENTER}")
        self.seen(f"no {word}")

    def follow(self) -> None:
        """Run what gives parts, with a bar, while other things happen; at times until Ctrl-C."""
        self.forget()
        rests(self.screen)
        self.parts = SimpleQueue()
        self.screen.type(f"TAIL{ENTER}")
        meanwhile: list[Callable[[], object]] = [self.tell, self.change_size, lambda: None]
        for _ in range(self.chance.randrange(1, 5)):
            word = self.mark(1)
            self.parts.put(word)
            self.seen(word)
            self.screen.wait(lambda: " %" in self.screen.typing)
            self.chance.choice(meanwhile)()
        how = self.chance.choice(["end", "cut", "cut", "stop"])
        if how == "cut":
            self.cut()
        elif how == "stop":
            self.screen.type(CTRL_C)
            self.screen.wait("Asked the server")
        self.parts.put("")

    def _tail(self, _peer: Peer, _arguments: list[str]) -> Iterator[object]:
        parts = self.parts  # those of this run: one whose connection is gone takes none of the next one's
        while word := parts.get(timeout=PATIENCE):
            yield Push("progress", (self.chance.random(), "on the way " * 9))
            yield f"part {word}"

    # -- what happens -------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Have news come, one or many."""
        for _ in range(self.chance.choice([1, 1, 3, 30])):
            word = self.mark(1)
            self.server.push("message", "eve", word)
        self.seen(word)

    def cut(self) -> None:
        """Have the connection break."""
        before = self.server.sessions
        self.proxy.cut()
        self.server.wait_for(lambda: self.server.sessions > before)
        self.screen.wait(self._connected)

    def go_away(self) -> None:
        """Have the server be away; type on meanwhile."""
        self.proxy.down()
        self.screen.wait(lambda: self.screen.typing.startswith("secure!") or "secure!" in self.screen.text)
        self.type_on()
        rests(self.screen, self.typed)
        if self.chance.random() < 0.5:
            self.change_size()
            rests(self.screen, self.typed)
        before = self.server.sessions
        self.proxy.up()
        self.server.wait_for(lambda: self.server.sessions > before)
        self.screen.wait(self._connected)

    def _connected(self) -> bool:
        return self.screen.bars != [] and "  connected" in self.screen.lines[self.screen.bars[-1]]

    def seen(self, word: str) -> None:
        """Wait until something was shown, and perhaps has left the screen."""
        self.screen.wait(lambda: any(word in line for line in self.screen.transcript))


@pytest.mark.long
@pytest.mark.parametrize(("seed", "size"), [(seed, BEGIN[seed % len(BEGIN)]) for seed in range(6)], ids=str)
def test_whatever_happens(
    open_client: Open, server: ScriptedServer, proxy: FaultProxy, seed: int, size: tuple[int, int]
) -> None:
    """The screen is whole after each, and everything on it once."""
    screen = open_client(rows=size[0], columns=size[1])
    rests(screen)
    Day(screen, server, proxy, seed).run()
