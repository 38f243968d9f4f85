"""Jobs as the library has them: followed from part to part, over one connection or many."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest

from secure_client import (
    BusyError,
    Client,
    CommandFailed,
    ConnectionLostError,
    DetachedError,
    JobLostError,
    NoAnswerError,
    NoJobsError,
    Part,
)
from secure_client.core import watch
from secure_client.core.backoff import BASE
from secure_client.core.watch import Watch
from secure_protocol.description import CommandDescription
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer

Stream = Generator[object, None, object]
PARTS = 20


class Deploy:
    """A job of 20 parts, told as the server tells them: from the part that was asked for on.

    Attributes:
        starts: the keys of those that were begun.
        cuts: how often the connection is still to break, each time after three parts.
        cut_first: how often it is still to break before anything is told.
        dead: so it does whenever somebody attaches.
        end: the reply.
    """

    def __init__(self, server: ScriptedServer) -> None:
        self.starts: list[str] = []
        self.asked: list[list[str]] = []
        self.cuts = 0
        self.cut_first = 0
        self.dead = False
        self.end: object = "deployed"
        server.handlers["JOB"] = self.handle
        server.commands.append(CommandDescription("JOB START", "Start a job", idempotent=False))

    def handle(self, peer: Peer, arguments: list[str]) -> object:
        """Answer JOB START and JOB ATTACH."""
        self.asked.append(arguments)
        first = 0
        if arguments[0] == "START":
            if arguments[2] not in self.starts:
                self.starts.append(arguments[2])
        else:
            first = int(arguments[2])
        return self.told(peer, first)

    def told(self, peer: Peer, first: int) -> Stream:
        """Tell of it from a part on."""
        if self.cut_first or (self.dead and first):
            self.cut_first -= not self.dead
            peer.cut()
            return "unheard"
        yield Push("job", (7, "running", first))
        for number in range(first, PARTS):
            if self.cuts and number == first + 3:
                self.cuts -= 1
                peer.cut()
                return "unheard"
            yield {"part": number}
        return self.end


@pytest.fixture
def deploy(server: ScriptedServer) -> Deploy:
    """The job that JOB START begins."""
    return Deploy(server)


def numbers(parts: Iterator[Part]) -> list[int]:
    """The numbers of the parts, each of which holds its own."""
    found = [(part.number, part.value) for part in parts]
    assert all(value == {"part": number} for number, value in found)
    return [number for number, _ in found]


def test_a_job_is_started_with_a_key_and_gives_its_parts(client: Client, deploy: Deploy) -> None:
    """Numbered from 0, then its result; one's own key is taken."""
    job = client.start("DEPLOY", "web", 3)
    assert (job.number, job.state, job.next) == (7, "running", 0)
    assert numbers(iter(job)) == list(range(PARTS))
    assert job.next == PARTS
    assert job.result() == "deployed"
    start, option, key, *words = deploy.asked[0]
    assert (start, option, words) == ("START", "--key", ["DEPLOY", "web", "3"])
    assert len(key) == 36
    client.start("DEPLOY", key="mine").result()
    assert deploy.asked[1][:3] == ["START", "--key", "mine"]


def test_each_start_has_a_key_of_its_own(client: Client, deploy: Deploy) -> None:
    """Else the second would be the first."""
    for _ in range(2):
        client.start("DEPLOY").result()
    assert len(set(deploy.starts)) == 2


def test_a_broken_connection_loses_and_repeats_no_part(client: Client, deploy: Deploy) -> None:
    """Each next one is asked for what comes next; the caller sees nothing of it."""
    deploy.cuts = 5
    job = client.start("DEPLOY")
    assert numbers(iter(job)) == list(range(PARTS))
    assert job.result() == "deployed"
    assert deploy.asked[1:] == [["ATTACH", "7", str(first)] for first in (3, 6, 9, 12, 15)]
    assert len(deploy.starts) == 1


def test_a_connection_that_brought_parts_is_replaced_as_soon_as_any(
    client: Client, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short it was: the waits grow where nothing comes of them."""
    bounds: list[float] = []

    def wait(_low: float, high: float) -> float:
        bounds.append(high)
        return 0.0

    monkeypatch.setattr(client._link._link._backoff, "_uniform", wait)
    deploy.cuts = 4
    assert numbers(iter(client.start("DEPLOY"))) == list(range(PARTS))
    deploy.cut_first = 3
    client.start("DEPLOY").result()
    assert bounds == [BASE, BASE, BASE, BASE, BASE * 2, BASE * 4, BASE * 8]


def test_a_start_that_was_not_answered_is_repeated_with_its_key(client: Client, deploy: Deploy) -> None:
    """More than once, if need be: it is never doubled."""
    deploy.cut_first = 2
    assert numbers(iter(client.start("DEPLOY"))) == list(range(PARTS))
    assert [asked[0] for asked in deploy.asked] == ["START"] * 3
    assert len(deploy.starts) == 1


def test_a_client_that_does_not_reconnect_does_so_for_a_job(
    server: ScriptedServer, authority: Authority, token: Token, deploy: Deploy
) -> None:
    """And for nothing else."""
    deploy.cuts = 2
    with Client(server.address, token=token, ca=authority.ca, reconnect=False) as client:
        assert numbers(iter(client.start("DEPLOY"))) == list(range(PARTS))
        server.cut()
        with pytest.raises(ConnectionLostError):
            client.execute("ECHO", "x")


def test_a_job_is_left_where_connection_after_connection_brings_nothing(
    client: Client, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said of it may be what breaks them; the error says how to come back."""
    monkeypatch.setattr(watch, "MOST_FRUITLESS", 3)
    deploy.cuts, deploy.dead = 1, True
    job = client.start("DEPLOY")
    with pytest.raises(ConnectionLostError, match="JOB ATTACH 7 3 comes back to it") as caught:
        job.result()
    assert caught.value.job == 7
    assert caught.value.sent
    assert len(deploy.asked) == 1 + 3


def test_a_kicked_client_is_told_how_to_come_back(client: Client, server: ScriptedServer, deploy: Deploy) -> None:
    """It does not reconnect by itself, so the job is left; `attach` goes on where it was."""
    release = threading.Event()
    parts = deploy.told

    def held(peer: Peer, first: int) -> Stream:
        told = parts(peer, first)
        yield next(told)
        yield next(told)
        assert release.wait(PATIENCE)
        return "unheard"

    deploy.told = held  # type: ignore[method-assign] # this test's own
    job = client.start("DEPLOY")
    taken = iter(job)
    assert next(taken).number == 0
    server.close_all("kicked")
    with pytest.raises(ConnectionLostError, match=r"An administrator .* Job 7 goes on; JOB ATTACH 7 1 "):
        next(taken)
    release.set()
    deploy.told = parts  # type: ignore[method-assign] # as above
    client.reconnect()
    again = client.attach(job.number, job.next)
    assert numbers(iter(again)) == list(range(1, PARTS))


def test_dropped_output_is_told(client: Client, server: ScriptedServer) -> None:
    """In the beginning, in the middle and at the end; what is told twice is taken once."""

    def job(_peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("job", (7, "running", 5))
        yield "five"
        yield Push("job", (7, "running", 100))
        yield "hundred"
        yield Push("job", (7, "running", 99))
        yield "ninety-nine"
        yield "hundred"
        yield "hundred and one"
        yield Push("job", (7, "running", 110))
        return None

    server.handlers["JOB"] = job
    seen: list[object] = []
    followed = client.attach(7, 2)
    assert followed.follow(seen.append, on_gap=lambda first, following: seen.append((first, following))) == "OK"
    assert seen == [
        (2, 5), Part(5, "five"), (6, 100), Part(100, "hundred"), Part(101, "hundred and one"), (102, 110),
    ]  # fmt: skip
    assert (followed.next, followed.dropped) == (110, 3 + 94 + 8)


def test_a_place_in_the_line_and_progress_are_told(client: Client, server: ScriptedServer) -> None:
    """As they change."""
    go_on = threading.Event()

    def job(_peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("job", (7, "queued", 0, 2))
        yield Push("job", (7, "queued", 0, 1))
        yield Push("job", (7, "running", 0))
        yield Push("progress", (0.5, "half"))
        assert go_on.wait(PATIENCE)
        return 3

    server.handlers["JOB"] = job
    followed = client.start("DEPLOY")
    assert (followed.state, followed.place) == ("queued", 2)
    states: list[tuple[str, int]] = []
    told: list[tuple[float, str]] = []

    def progress(fraction: float, text: str) -> None:
        told.append((fraction, text))
        go_on.set()

    assert followed.follow(on_state=lambda *state: states.append(state), on_progress=progress) == 3
    assert states == [("queued", 1), ("running", 0)]
    assert told == [(0.5, "half")]
    assert followed.state == "running"


@pytest.mark.parametrize(
    ("code", "kind"), [("BUSY", BusyError), ("LOST", JobLostError), ("TIMEOUT", CommandFailed)], ids=str
)
def test_errors_are_told_by_their_code(client: Client, deploy: Deploy, code: str, kind: type[CommandFailed]) -> None:
    """So that a program can decide by a type."""
    deploy.end = ErrorReply(code, "Why it is so.")
    with pytest.raises(CommandFailed, match="Why it is so") as caught:
        client.start("DEPLOY").result()
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.job) == (code, 7)


def test_a_refused_start_is_told_by_start(client: Client, server: ScriptedServer, deploy: Deploy) -> None:
    """With the server's own words; a server of this version is not said to be older."""
    for code, kind in (("BUSY", BusyError), ("ERR", CommandFailed)):
        server.handlers["JOB"] = lambda _peer, _arguments, code=code: ErrorReply(code, "No.")  # type: ignore[misc] # bound default
        with pytest.raises(CommandFailed, match="No") as caught:
            client.start("DEPLOY")
        assert type(caught.value) is kind
    assert not deploy.starts


def test_a_server_that_knows_no_jobs_is_said_to_be_older(client: Client) -> None:
    """Instead of its `Unknown command`."""
    with pytest.raises(NoJobsError, match="older than this client"):
        client.start("DEPLOY")
    with pytest.raises(NoJobsError):
        client.attach(7)


class Endless:
    """A job that says one part, and goes on until it is told otherwise.

    Attributes:
        words: the requests that came while it ran, of which one ended it.
    """

    def __init__(self, server: ScriptedServer) -> None:
        self.words: list[list[str]] = []
        server.handlers["JOB"] = self.told
        server.handlers["DETACH"] = lambda _peer, _arguments: 1

    def told(self, peer: Peer, arguments: list[str]) -> object:
        """Tell of it, until something else is asked."""
        return "OK" if arguments[0] == "CANCEL" else self._told(peer)

    def _told(self, peer: Peer) -> Stream:
        yield Push("job", (7, "running", 0))
        yield "one"
        while not peer.waiting:
            if not peer.read():
                return "unheard"
        self.words.append(peer.waiting[0])
        if peer.waiting[0] == ["DETACH"]:
            return ErrorReply("DETACHED", "Job 7 goes on; JOB ATTACH 7 1 comes back to it.")
        return ErrorReply("CANCELLED", "The job was cancelled by ana.")


@pytest.fixture
def endless(server: ScriptedServer) -> Endless:
    """The job that JOB START begins."""
    return Endless(server)


def test_a_job_is_cancelled_by_its_number(client: Client, endless: Endless) -> None:
    """The end is told by the job's own answer; the connection is free again."""
    job = client.start("DEPLOY")
    job.cancel()
    with pytest.raises(CommandFailed, match="cancelled by ana"):
        job.result()
    assert endless.words == [["JOB", "CANCEL", "7"]]
    assert client.execute("ECHO", "x") == "x"


def test_a_job_that_is_detached_from_goes_on(client: Client, endless: Endless) -> None:
    """What came is still there; iterating ends, and the result is that it was left."""
    job = client.start("DEPLOY")
    for part in job:
        assert part == Part(0, "one")
        job.detach()
    assert endless.words == [["DETACH"]]
    assert job.next == 1
    with pytest.raises(DetachedError, match="comes back to it") as caught:
        job.result()
    assert (caught.value.exit_code, caught.value.job) == (0, 7)
    assert not str(caught.value).startswith("ERROR")
    assert client.execute("ECHO", "x") == "x"


def test_a_job_is_detached_from_while_there_is_no_connection(
    client: Client, server: ScriptedServer, endless: Endless
) -> None:
    """At once: nothing is to be said to the server, which knows that the connection ended."""
    job = client.start("DEPLOY")
    assert next(iter(job)).number == 0
    server.stop()
    client._link.wait_for(lambda status: status.session is None, PATIENCE)
    job.detach()
    with pytest.raises(DetachedError, match="Job 7 goes on; JOB ATTACH 7 1 comes back to it"):
        job.result(PATIENCE)
    assert endless.words == []
    server.start()
    client.reconnect()
    assert client.execute("ECHO", "x") == "x"
    assert ["JOB", "ATTACH", "7", "1"] not in server.received


def test_a_job_is_left_only_once_the_server_knows_of_it(client: Client, server: ScriptedServer) -> None:
    """Before, DETACH would find nothing to leave, and the job would be followed without end."""
    begin, early = threading.Event(), list[list[str]]()

    def job(peer: Peer, _arguments: list[str]) -> Stream:
        assert begin.wait(PATIENCE)
        while ["PING"] not in peer.waiting:
            assert peer.read()
        early.extend(peer.waiting)
        peer.waiting.clear()
        yield Push("job", (7, "running", 0))
        while not peer.waiting:
            assert peer.read()
        return ErrorReply("DETACHED", "Job 7 goes on; JOB ATTACH 7 0 comes back to it.")

    server.handlers["JOB"] = job
    server.handlers["DETACH"] = lambda _peer, _arguments: 1
    following = client.send(Watch.start([b"DEPLOY"], "key"))
    server.wait_for(lambda: any(request[0] == "JOB" for request in server.received))
    following.detach()
    client.submit(["PING"], idempotent=True)
    begin.set()
    with pytest.raises(DetachedError):
        following.result(PATIENCE)
    assert early == [["PING"]]


def test_a_job_is_asked_to_end_on_each_connection(client: Client, server: ScriptedServer) -> None:
    """What the last one was told may be lost. Other words than at first: it is by its number that it is known now."""
    words: list[list[str]] = []

    def job(peer: Peer, arguments: list[str]) -> object:
        return "OK" if arguments[0] == "CANCEL" else told(peer)

    def told(peer: Peer) -> Stream:
        yield Push("job", (7, "running", 0))
        while not peer.waiting:
            if not peer.read():
                return "unheard"
        words.append(peer.waiting[0])
        if len(words) < 3:
            peer.cut()
            return "unheard"
        return ErrorReply("CANCELLED", "The job was cancelled by ana.")

    server.handlers["JOB"] = job
    following = client.send(Watch.start([b"DEPLOY"], "key"))
    assert following.parts.wait(PATIENCE)
    following.abandon()
    with pytest.raises(CommandFailed, match="cancelled by ana"):
        following.result(PATIENCE)
    assert words == [["CANCEL"], ["JOB", "CANCEL", "7"], ["JOB", "CANCEL", "7"]]


def test_one_that_the_server_detaches_was_not_followed_to_its_end(client: Client, deploy: Deploy) -> None:
    """Whoever iterates did not ask for that."""
    deploy.end = ErrorReply("DETACHED", "Job 7 goes on; JOB ATTACH 7 20 comes back to it.")
    job = client.start("DEPLOY")
    with pytest.raises(DetachedError):
        numbers(iter(job))


def test_a_job_that_is_waited_for_too_long_is_left(client: Client, endless: Endless, server: ScriptedServer) -> None:
    """It is not ended; the error says how to come back."""
    following = client.send(Watch.start([b"DEPLOY"], "key"))
    said = r"said nothing for 0\.2 s\. Job 7 goes on; JOB ATTACH 7 1 comes back"
    with pytest.raises(ConnectionLostError, match=said):
        client.result(following, 0.2)
    server.wait_for(lambda: ["DETACH"] in server.received)
    assert endless.words == [["DETACH"]]


def test_waiting_for_a_result_is_bounded(client: Client, endless: Endless) -> None:
    """The job is followed still, and can be asked again."""
    job = client.start("DEPLOY")
    with pytest.raises(NoAnswerError, match="Job 7 has not ended"):
        job.result(0.01)
    job.cancel()
    with pytest.raises(CommandFailed):
        job.result()


def test_a_client_that_is_closed_says_that_the_job_goes_on(client: Client, endless: Endless) -> None:
    """And how to come back to it."""
    job = client.start("DEPLOY")
    client.close()
    with pytest.raises(ConnectionLostError, match="Job 7 goes on"):
        job.result(PATIENCE)


def test_what_is_said_of_another_job_changes_nothing(client: Client, server: ScriptedServer) -> None:
    """Nor does what is no word of one at all."""

    def job(_peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("job", (7, "running", 0))
        yield "one"
        for items in ((8, "failed", 9), ("7", "failed", 9), (7, "failed", "9"), (7, "failed", 9, "1"), (-7,), ()):
            yield Push("job", items)
        yield "two"
        return "deployed"

    server.handlers["JOB"] = job
    found = client.start("DEPLOY")
    assert [(part.number, part.value) for part in found] == [(0, "one"), (1, "two")]
    assert (found.number, found.state, found.dropped) == (7, "running", 0)


def test_nothing_of_a_job_is_taken_for_part_of_an_answer(client: Client, deploy: Deploy) -> None:
    """Where it is run as any command: its parts are collected, its number is not among them."""
    assert client.execute("JOB", "ATTACH", "7", "18") == [{"part": 18}, {"part": 19}, "deployed"]


def test_whoever_takes_its_parts_and_fails_leaves_it(client: Client, server: ScriptedServer, endless: Endless) -> None:
    """As where standard output takes no more: that is no wish to have the job end."""

    def full(item: object) -> None:
        if isinstance(item, Part):
            raise OSError("no space")

    request = client.send(watch.Watch.start([b"DEPLOY"], "key"))
    with pytest.raises(OSError, match="no space"):
        request.wait(PATIENCE, full)
    server.wait_for(lambda: ["DETACH"] in server.received)
    assert endless.words == [["DETACH"]]
    assert client.execute("ECHO", "x") == "x"
