"""The library against a real server over real TLS: answers, errors, reconnecting, and never running a thing twice."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import secure_client
from secure_client import Client, CommandFailed, ConnectionLostError, NoAnswerError, RevokedError, State, Status
from secure_client.catalogue import Catalogue
from secure_client.connection.request import Request
from secure_protocol.replies import Push
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer


def until(client: Client, *states: State) -> Status:
    """Wait for the client to be in one of `states`."""
    status = client._link.wait_for(lambda status: status.state in states, PATIENCE)
    assert status.state in states
    return status


def reconnected(client: Client, server: ScriptedServer, sessions: int) -> None:
    """Wait for the server's so-manyeth session, and for the client to have noticed."""
    server.wait_for(lambda: server.sessions >= sessions)
    until(client, State.CONNECTED)


def test_a_command_gives_its_answer_as_a_python_value(client: Client) -> None:
    """Text, numbers, maps and tables come as what they are."""
    assert client.execute("ECHO", "olá", "x") == "olá x"
    assert client.execute("COUNT") == 1
    assert client.execute("WHOAMI") == {"user": "ana", "session": 1}
    assert isinstance(client.execute("CLIENTS"), list)


def test_an_error_is_raised_with_its_code(client: Client) -> None:
    """A program decides by the code, a person reads the sentence."""
    with pytest.raises(CommandFailed) as failure:
        client.execute("NONSENSE")
    assert (failure.value.code, str(failure.value)) == ("ERR", "ERROR: Unknown command.")
    with pytest.raises(CommandFailed, match=r"^ERROR: NOPERM You may not run that\.$"):
        client.execute("DENIED")


def test_a_lost_connection_is_replaced_and_authenticated_again(client: Client, server: ScriptedServer) -> None:
    """After the network failed, the next command just works."""
    assert client.execute("ECHO", "one") == "one"
    server.cut()
    reconnected(client, server, 2)
    assert client.execute("ECHO", "two") == "two"


def test_what_may_have_run_is_never_sent_again(client: Client, server: ScriptedServer) -> None:
    """The request was read and the connection cut before the reply: the caller is told, and nothing runs twice."""
    client.commands()

    def run_and_cut(peer: Peer, _arguments: list[str]) -> None:
        server.count += 1
        peer.cut()

    server.handlers["COUNT"] = run_and_cut
    with pytest.raises(ConnectionLostError, match="may have run") as failure:
        client.execute("COUNT")
    assert failure.value.sent
    reconnected(client, server, 2)
    assert client.execute("ECHO", "after") == "after"
    assert server.count == 1
    assert server.names().count("COUNT") == 1


def test_what_is_idempotent_is_sent_again(client: Client, server: ScriptedServer) -> None:
    """The server says ECHO may be repeated, so a cut before its reply goes unnoticed."""
    client.commands()
    cut = threading.Event()
    answer = server.handlers["ECHO"]

    def cut_once(peer: Peer, arguments: list[str]) -> object:
        if cut.is_set():
            return answer(peer, arguments)
        cut.set()
        peer.cut()
        return None

    server.handlers["ECHO"] = cut_once
    assert client.execute("ECHO", "again") == "again"
    assert server.names().count("ECHO") == 2


def test_replies_of_one_connection_are_not_mixed_up_with_those_of_the_next(
    client: Client, server: ScriptedServer
) -> None:
    """Whatever was in flight at the cut, each request gets its own answer or an error (CWE-404)."""
    requests = [client.submit(["ECHO", number], idempotent=number % 2 == 0) for number in range(50)]
    server.wait_for(lambda: len(server.received) >= 10)
    server.cut()
    for number, request in enumerate(requests):
        error = request.exception(PATIENCE)
        if error is None:
            assert request.result() == str(number)
        else:
            assert number % 2 == 1
            assert isinstance(error, ConnectionLostError)
            assert error.sent


def test_a_push_reaches_its_listener(client: Client, server: ScriptedServer) -> None:
    """A push comes unasked, and the replies around it stay in order."""
    pushes: list[Push] = []
    arrived = threading.Event()

    def listen(push: Push) -> None:
        pushes.append(push)
        arrived.set()

    client.on_push = listen
    server.push("news", "first")
    assert arrived.wait(PATIENCE)
    assert pushes == [Push("news", ("first",))]
    assert client.execute("ECHO", "x") == "x"


def test_commands_that_changed_are_asked_for_again(client: Client, server: ScriptedServer) -> None:
    """By a client that knows some, at the push, which its listener gets, too; others ask when they want to know."""
    heard: list[Push] = []
    client.on_push = heard.append
    server.push("commands-changed")
    assert client.execute("ECHO", "x") == "x"
    assert (heard, server.names()) == ([Push("commands-changed")], ["ECHO"])
    assert "COUNT" in client.commands().names
    server.commands = [item for item in server.commands if item.name != "COUNT"]
    server.push("commands-changed")
    server.wait_for(lambda: server.names().count("COMMANDS") == 2)
    assert "COUNT" not in client.commands().names
    assert len(heard) == 2


def test_a_burst_of_changes_asks_once_more_at_most(client: Client, server: ScriptedServer) -> None:
    """While the answer is on its way another push changes nothing: the answer that comes after it was told after it."""
    client.commands()
    let = threading.Event()
    answer = server.handlers["COMMANDS"]

    def slow(peer: Peer, arguments: list[str]) -> object:
        let.wait(PATIENCE)
        return answer(peer, arguments)

    server.handlers["COMMANDS"] = slow
    arrived = threading.Event()
    client.on_push = lambda push: arrived.set() if push.kind == "news" else None
    for _ in range(50):
        server.push("commands-changed")
    server.push("news")
    assert arrived.wait(PATIENCE)
    let.set()
    assert client.execute("ECHO", "x") == "x"
    assert server.names().count("COMMANDS") == 2


def test_a_listener_that_fails_does_not_end_the_connection(
    client: Client, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its fault is logged, and the next command is answered."""

    def fail(_push: Push) -> None:
        raise RuntimeError("listener's own")

    client.on_push = fail
    server.push("news")
    assert client.execute("ECHO", "x") == "x"
    assert "a listener failed" in caplog.text


def test_a_revoked_token_stops_the_client_with_its_own_message(client: Client, server: ScriptedServer) -> None:
    """No reconnecting by itself; each next command says why, until the user asks."""
    server.close_all("revoked", sentence="Your token was revoked.")
    status = until(client, State.STOPPED)
    assert isinstance(status.error, RevokedError)
    with pytest.raises(RevokedError, match=r"was revoked .* ask the administrator"):
        client.execute("ECHO")
    client.reconnect()
    reconnected(client, server, 2)
    assert client.execute("ECHO", "x") == "x"


def test_no_answer_in_time_is_its_own_error(client: Client, server: ScriptedServer) -> None:
    """The caller stops waiting, and a late reply does not become the next command's."""
    release = threading.Event()

    def late(_peer: Peer, _arguments: list[str]) -> object:
        release.wait(PATIENCE)
        return "late"

    server.handlers["SLOW"] = late
    with pytest.raises(NoAnswerError, match="may still run"):
        client.execute("SLOW", timeout=0.05)
    release.set()
    assert client.execute("ECHO", "x") == "x"


def test_a_command_given_up_while_disconnected_is_never_sent(
    server: ScriptedServer, authority: Authority, token: Token
) -> None:
    """After the timeout nobody waits, so the next connection must not run it."""
    with Client(server.address, token=token, ca=authority.ca) as client:
        server.stop()
        until(client, State.WAITING, State.CONNECTING)
        with pytest.raises(ConnectionLostError, match="was not sent") as failure:
            client.execute("COUNT", timeout=0.05)
        assert not failure.value.sent
        server.start()
        client.reconnect()
        reconnected(client, server, 2)
        assert client.execute("ECHO", "x") == "x"
        assert server.count == 0


def test_what_breaks_every_connection_is_sent_twice_at_most(client: Client, server: ScriptedServer) -> None:
    """Even if it is idempotent: the third server shall not fall over it too."""
    server.handlers["ECHO"] = lambda peer, _arguments: peer.cut()
    with pytest.raises(ConnectionLostError, match="may have run"):
        client.execute("ECHO", "poison", idempotent=True)
    assert server.names().count("ECHO") == 2


def test_the_commands_are_known_as_soon_as_they_are_returned(
    threaded: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late the link's thread comes to what it does besides: what is asked before a command depends on it."""
    here, waited_for, go_on = threading.current_thread(), threading.Event(), threading.Event()
    read, result, told = Catalogue.from_wire, threaded.result, server.handlers["COMMANDS"]

    def slow_elsewhere(reply: object) -> Catalogue:
        assert threading.current_thread() is here or go_on.wait(PATIENCE)
        return read(reply)

    def waiting(request: Request, timeout: float) -> object:
        waited_for.set()
        return result(request, timeout)

    monkeypatch.setattr(Catalogue, "from_wire", slow_elsewhere)
    monkeypatch.setattr(threaded, "result", waiting)
    server.handlers["COMMANDS"] = lambda peer, words: waited_for.wait(PATIENCE) and told(peer, words)
    try:
        assert "ECHO" in threaded.commands().names
    finally:
        go_on.set()


def test_the_commands_are_asked_for_once_per_session(client: Client, server: ScriptedServer) -> None:
    """Another session may have another role, and so other commands."""
    assert "ECHO" in client.commands().names
    client.commands()
    assert server.names().count("COMMANDS") == 1
    server.commands = server.commands[:1]
    server.cut()
    reconnected(client, server, 2)
    assert client.commands().names == ["ECHO"]
    assert server.names().count("COMMANDS") == 2


def test_a_cancelled_request_says_so(client: Client, server: ScriptedServer) -> None:
    """Whoever still asks for its result gets the client's own error, not a stranger's."""
    server.stop()
    until(client, State.WAITING, State.CONNECTING)
    request = client.submit(["ECHO"])
    assert request.abandon()
    with pytest.raises(ConnectionLostError, match="given up"):
        client.result(request)


def test_a_push_during_the_greeting_is_not_lost(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """It came between the answers to HELLO and LANG."""

    def interrupt(peer: Peer, _arguments: list[str]) -> object:
        peer.socket.sendall(b">2\r\n+news\r\n+early\r\n")
        return "OK"

    server.handlers["LANG"] = interrupt
    arrived: list[Push] = []
    client = Client(server.address, token=token, ca=authority.ca, language="en")
    client.on_push = arrived.append
    with client:
        assert client.execute("ECHO", "x") == "x"
    assert arrived == [Push("news", ("early",))]


def test_every_public_name_is_there() -> None:
    """Each is imported when it is asked for, and of a name that is none Python says what it always says."""
    assert all(getattr(secure_client, name).__name__ == name for name in secure_client.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        getattr(secure_client, "Nothing")  # noqa: B009 - mypy knows that it is not there


def test_a_part_of_the_package_brings_no_more_than_it_needs() -> None:
    """`secure-server token` wants the client's translations, and does not wait for the client."""
    program = "import secure_client.i18n, sys; print('ssl' in sys.modules, 'secure_client.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["False", "False"]
