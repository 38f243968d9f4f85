"""The last minute, second by second."""

from __future__ import annotations

from collections import Counter

from secure_server.statistics.minute import SECONDS, Minute, Totals

START = 1000.0


def close(minute: Minute, now: float, commands: int) -> None:
    """End seconds, with so many commands since the start."""
    assert minute.is_over(now)
    minute.close(now, Totals(commands=commands), Counter(ECHO=commands), Counter(ada=commands), Counter(tls=commands))


def commands(minute: Minute) -> list[int]:
    """Those of each second."""
    return next(iter(minute.history()))


def test_each_second_has_what_it_added() -> None:
    """Oldest first, and always sixty."""
    minute = Minute(START)
    assert not minute.is_over(START + 0.9)
    for second, total in enumerate([5, 5, 12], 1):
        close(minute, START + second, total)
    assert commands(minute) == [0] * 57 + [5, 0, 7]


def test_seconds_that_were_not_ended_in_time_have_a_share_each() -> None:
    """A busy machine lets a thread wait; nothing is lost of what was counted."""
    minute = Minute(START)
    close(minute, START + 3.5, 10)
    assert commands(minute)[-3:] == [3, 3, 4]
    assert not minute.is_over(START + 3.9)
    close(minute, START + 4.0, 11)
    assert commands(minute)[-1] == 1


def test_what_is_older_than_a_minute_is_gone() -> None:
    """Of names, too, and nothing is kept of those that did nothing."""
    minute = Minute(START)
    close(minute, START + 1, 5)
    total = Counter(ECHO=5)
    assert minute.commands.all(total) == Counter(ECHO=5)
    for second in range(2, SECONDS + 1):
        close(minute, START + second, 5)
    assert commands(minute)[0] == 5
    assert minute.commands.all(total) == Counter(ECHO=5)
    close(minute, START + SECONDS + 1, 5)
    assert commands(minute) == [0] * SECONDS
    assert minute.commands.all(total) == Counter()
    assert minute.users.all(Counter(ada=5)) == Counter()


def test_the_present_second_counts_already() -> None:
    """Whoever asks sees what was just done."""
    minute = Minute(START)
    close(minute, START + 1, 5)
    assert minute.commands.all(Counter(ECHO=7)) == Counter(ECHO=7)


def test_a_pause_of_hours_ends_at_once() -> None:
    """A machine that slept: a minute is all that is filled in."""
    minute = Minute(START)
    close(minute, START + 1, 5)
    close(minute, START + 1_000_000, 6)
    assert sum(commands(minute)) == 1
    assert len(commands(minute)) == SECONDS
    assert minute.commands.all(Counter(ECHO=6)) == Counter(ECHO=1)


def test_times_are_compared_with_those_of_nearly_a_minute_ago() -> None:
    """A look each ten seconds; what there was not then has no past."""
    minute = Minute(START)
    for number in range(1, 8):
        assert minute.look_is_due(START + 10 * number)
        minute.look(START + 10 * number, {"ECHO": [number]})
        assert not minute.look_is_due(START + 10 * number + 9)
    assert minute.times_before("ECHO") == [2]
    assert minute.times_before("PING") is None
    minute.look(START + 1_000, {"ECHO": [9]})
    assert minute.times_before("ECHO") == [9]
