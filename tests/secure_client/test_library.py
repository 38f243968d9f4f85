"""What programs are built on, by a thread and by an event loop: types, pipelines, streams, news, jobs, profiles."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from secure_client import (
    AsyncClient,
    Client,
    ClientError,
    CommandFailed,
    ConnectionLostError,
    JobRow,
    NoAnswerError,
    OutcomeUnknown,
    SetupError,
    UnexpectedReplyError,
)
from secure_client.core.expected import expected
from secure_client.errors import GivenUpError
from secure_client.profiles.profiles import Profile, Profiles
from secure_protocol.description import CommandDescription
from secure_protocol.replies import ErrorReply, Push, Status, Table, Timestamp
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer
from tests.terminal.fault_proxy import FaultProxy


def parts(*values: object, end: object = None) -> Generator[object, None, object]:
    """What a handler streams."""
    yield from values
    return end


def test_both_have_the_same_names() -> None:
    """Whoever knows one knows the other."""
    names = [{name for name in vars(kind) if not name.startswith("_")} for kind in (Client, AsyncClient)]
    assert names[0] - names[1] == {"learn_commands"}, "of the terminal, which waits for nothing"
    assert names[1] - names[0] == set()


@pytest.mark.parametrize(
    ("reply", "returns", "value"),
    [
        ("x", str, "x"),
        (Status("OK"), str, "OK"),
        ("é", bytes, b"\xc3\xa9"),
        (b"\xff", bytes, b"\xff"),
        (7, int, 7),
        (7, float, 7.0),
        (0.5, float, 0.5),
        (True, bool, True),
        (None, type(None), None),
        ([1], list, [1]),
        ({"a": 1}, dict, {"a": 1}),
        (["1700000000", "250000"], Timestamp, Timestamp(1700000000, 250000)),
        ([{"id": 1, "name": "a"}], Table, Table(("id", "name"), [(1, "a")])),
        ([], Table, Table((), [])),
        ("x", object, "x"),
    ],
)
def test_an_answer_of_the_type_that_is_expected(reply: object, returns: type[object], value: object) -> None:
    """Is given as that type."""
    assert expected(reply, returns) == value


@pytest.mark.parametrize(
    ("reply", "returns"),
    [
        *[("7", int), (True, int), (1, bool), (True, float), ("x", list), (None, str), (7, bytes), ([1], Table)],
        *[(["x", "y"], Timestamp), (["1"], Timestamp), ([None, 1], Timestamp), ("12", Timestamp)],
    ],
)
def test_an_answer_of_another_type(reply: object, returns: type[object]) -> None:
    """Is an error that names both, and has the answer."""
    with pytest.raises(UnexpectedReplyError, match=f"no {returns.__name__} but {type(reply).__name__}") as caught:
        expected(reply, returns)
    assert caught.value.reply == reply


def test_a_type_that_no_answer_has() -> None:
    """Is a mistake of the program's author."""
    with pytest.raises(TypeError, match="no answer is a <class 'set'>: one of str, bytes"):
        expected("x", set)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([{"name": "a", "id": 1}], ("id", "name")),
        ([{"age": 5, "id": 1}, {"age": 6, "id": 2}], ("age", "id")),
        ([{"id": 1}, {"id": 2}], ("id",)),
        ([{"id": 1}, {"id": 2, "name": "b"}], ("id", "name")),
    ],
)
def test_a_table_has_the_columns_that_a_request_chose(rows: list[dict[str, object]], columns: tuple[str, ...]) -> None:
    """Those of its rows, where all have the same; else those that the server names, in its order."""
    told = CommandDescription("X", columns=("id", "name"))
    assert expected(rows, Table, told).columns == columns


def test_a_table_without_rows_has_the_columns_that_the_server_names() -> None:
    """So that a program finds them."""
    told = CommandDescription("CLIENTS", "", columns=("id", "name"), empty="Nobody.")
    assert expected([], Table, told) == Table(("id", "name"), [], "Nobody.")


def test_a_call_is_typed(client: Client, server: ScriptedServer) -> None:
    """By the client, which takes the columns from what the server tells."""
    server.handlers["NUMBER"] = lambda _peer, _arguments: 7
    assert client.call("NUMBER", returns=int) + 1 == 8
    with pytest.raises(UnexpectedReplyError):
        client.call("NUMBER", returns=str)
    client.commands()
    assert client.call("CLIENTS", returns=Table).columns == ("id", "name")


def test_a_pipeline_answers_in_order(client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Much is sent before the first answer is waited for, but not all; errors are where they belong."""
    for module in ("secure_client.pipeline", "secure_client.asynchronous.client"):
        monkeypatch.setattr(f"{module}.PIPELINED", 4)
    server.handlers["FAIL"] = lambda _peer, _arguments: ErrorReply("NOPERM", "No.")
    answers = client.pipeline([("ECHO", 1), ("FAIL",), ("ECHO", "two"), *(("ECHO", number) for number in range(9))])
    assert answers[0] == "1"
    assert isinstance(answers[1], CommandFailed)
    assert answers[1].code == "NOPERM"
    assert answers[2:] == ["two", *map(str, range(9))]
    assert client.pipeline([]) == []
    client.close()
    (outcome,) = client.pipeline([("ECHO",)])
    assert isinstance(outcome, ConnectionLostError)


def test_a_pipeline_over_a_broken_line_runs_nothing_twice(client: Client, server: ScriptedServer) -> None:
    """What was sent and not answered is unknown, and so is what the broken line took with it; none is another's."""

    def cut(_peer: Peer, arguments: list[str]) -> object:
        server.count += 1
        if arguments == ["3"]:
            server.cut()
            return None
        return int(arguments[0])

    server.handlers["DO"] = cut
    outcomes = client.pipeline([("DO", number) for number in range(8)])
    assert isinstance(outcomes[3], OutcomeUnknown)
    # Of the three before it, too: asyncio reads no more where it cannot write.
    assert all(isinstance(outcome, OutcomeUnknown) or outcome == number for number, outcome in enumerate(outcomes))
    assert len([request for request in server.received if request[0] == "DO"]) == len(
        {request[1] for request in server.received if request[0] == "DO"}
    )


def test_a_stream_is_taken_part_by_part(client: Client, server: ScriptedServer) -> None:
    """With the progress on the way, and the answer behind."""
    server.handlers["TAIL"] = lambda _peer, _arguments: parts("a", Push("progress", (0.5, "half")), "b", end="done")
    with client.stream("TAIL") as stream:
        assert next(stream) == "a"
        assert list(stream) == ["b"]
        assert stream.progress is not None
        assert stream.progress.text == "half"
        assert stream.result() == "done"
    assert list(client.stream("ECHO", "x")) == []
    assert client.stream("ECHO", "x").result() == "x"


def test_a_stream_that_fails_does_so_behind_its_parts(client: Client, server: ScriptedServer) -> None:
    """What came is not lost."""
    server.handlers["TAIL"] = lambda _peer, _arguments: parts("a", end=ErrorReply("ERR", "Broken."))
    stream = iter(client.stream("TAIL"))
    assert next(stream) == "a"
    with pytest.raises(CommandFailed, match="Broken"):
        next(stream)


@pytest.mark.parametrize("way", ["context", "forgotten"])
def test_a_stream_that_is_left_ends_its_command(client: Client, server: ScriptedServer, way: str) -> None:
    """The server is asked to end it, and the connection is free; also where a `for` was just broken off."""

    def endless(peer: Peer, _arguments: list[str]) -> object:
        peer.send(Push("stream", ("a",)))
        return peer.wait_for_cancel()

    server.handlers["TAIL"] = endless
    if way == "context":
        with client.stream("TAIL") as stream:
            for _part in stream:
                break
    else:
        for _part in client.stream("TAIL"):
            break
        gc.collect()
    assert client.execute("ECHO", "x") == "x"


def test_a_stream_that_was_left_has_no_more_and_no_answer(client: Client, server: ScriptedServer) -> None:
    """Also where its command gave no sign for too long: what is left of it is nobody's."""
    gone = threading.Event()

    def endless(peer: Peer, _arguments: list[str]) -> object:
        peer.send(Push("stream", ("a",)))
        assert gone.wait(PATIENCE)
        return peer.wait_for_cancel()

    server.handlers["TAIL"] = endless
    stream = client.stream("TAIL", timeout=0.2)
    parts_of = iter(stream)
    assert next(parts_of) == "a"
    with pytest.raises(NoAnswerError):
        next(parts_of)
    with pytest.raises(StopIteration):
        next(iter(stream))
    with pytest.raises(GivenUpError, match="may still run"):
        stream.result()
    gone.set()
    assert client.execute("ECHO", "x") == "x"


def test_news_are_taken_one_by_one(client: Client, server: ScriptedServer) -> None:
    """Over all connections; until the client stops."""
    with client.pushes() as news:
        server.push("news", 1)
        assert next(news) == Push("news", (1,))
        server.cut()
        server.wait_for(lambda: server.sessions == 2)
        server.push("news", 2)
        assert next(news) == Push("news", (2,))
        assert news.get(0.01) is None
        server.push("news", 3)
        client.execute("ECHO")
        client.close()
        assert list(news) == [Push("news", (3,))]
    with client.pushes() as late:
        assert list(late) == []


def test_news_that_nobody_takes_are_bounded(
    client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest stay, and how many went is told."""
    for module in ("secure_client.pushes", "secure_client.asynchronous.stream"):
        monkeypatch.setattr(f"{module}.PUSHES_KEPT", 3)
    with client.pushes() as news, client.pushes() as closed:
        closed.close()
        for number in range(5):
            server.push("news", number)
        client.execute("ECHO")
        assert [next(news).items[0] for _ in range(3)] == [2, 3, 4]
        assert news.dropped == 2
        assert closed.get(0) is None


def test_jobs_are_listed(client: Client, server: ScriptedServer) -> None:
    """As rows with names and types; what a newer or older server tells otherwise is empty."""
    row = {"job": 7, "command": "DEPLOY web", "who": "ana", "state": "running", "started": "2026-01-01T00:00:00+00:00"}
    server.handlers["JOBS"] = lambda _peer, _arguments: [
        {**row, "took": None, "exit": 3, "next": 12, "new": 1},
        {},
        "x",
    ]
    rows = client.jobs(state="running", limit=5)
    assert server.received[-1] == ["JOBS", "--state", "running", "--limit", "5"]
    assert rows[0] == JobRow(7, "DEPLOY web", "ana", "running", "2026-01-01T00:00:00+00:00", "", 3, 12)
    assert rows[1:] == [JobRow(0, "", "", "", "", "", None, 0)] * 2


def test_the_outcome_is_unknown_where_it_may_have_run(client: Client, server: ScriptedServer) -> None:
    """It is a lost connection, and is not sent again."""

    def die(_peer: Peer, _arguments: list[str]) -> object:
        server.cut()
        return None

    server.handlers["DIE"] = die
    with pytest.raises(OutcomeUnknown, match="may have run"):
        client.execute("DIE")
    assert server.names().count("DIE") == 1
    assert issubclass(OutcomeUnknown, ConnectionLostError)


def test_late_answers_are_nobody_elses(
    driven: type[Client], server: ScriptedServer, authority: Authority, token: Token
) -> None:
    """Behind a proxy that holds them back: whoever gave up, gave up; the next one gets its own."""
    with FaultProxy(server.port) as proxy, driven(f"localhost:{proxy.port}", token=token, ca=authority.ca) as client:
        for number in range(5):
            proxy.hold()
            with pytest.raises(ClientError):
                client.execute("ECHO", f"late-{number}", timeout=0.05)
            asked = [client.submit(["ECHO", f"given-up-{number}"]), client.submit(["ECHO", f"own-{number}"])]
            asked[0].abandon()
            proxy.release()
            assert asked[1].result(PATIENCE) == f"own-{number}"
        assert server.sessions == 1


def test_a_client_of_a_profile(
    driven: type[Client],
    server: ScriptedServer,
    authority: Authority,
    token: Token,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `profile add` saved, and nothing of the environment."""
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path))
    monkeypatch.setenv("SECURE_CLIENT_TOKEN", Token.generate().reveal())
    Profiles().add("work", Profile(endpoint=server.address, ca=str(authority.ca), token=token.reveal()))
    with driven.from_profile("work") as client:
        assert client.execute("ECHO", "x") == "x"
        assert client.login.called == "work"
    with pytest.raises(SetupError, match="There is no profile `play`"):
        Client.from_profile("play")


def test_many_threads_get_their_own_answers(threaded: Client) -> None:
    """Of one client."""
    wrong: list[str] = []

    def ask(name: str) -> None:
        words = [f"{name}-{number}" for number in range(50)]
        wrong.extend(word for word in words if threaded.execute("ECHO", word) != word)

    threads = [threading.Thread(target=ask, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert wrong == []
