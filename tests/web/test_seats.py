"""Connections have seats: where none is left, those being served keep theirs."""

import asyncio

from aiohttp.test_utils import make_mocked_request

from receiver.web.http.connections import Connection, Connections


class Wire(asyncio.Transport):
    """A connection's transport; it notes whether it was hung up on."""

    is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


def connect(connections: Connections) -> tuple[Connection, Wire]:
    """One more connection, which has a seat."""
    connection, wire = Connection(connections, asyncio.Protocol), Wire()
    assert connection.sit()
    connection.connection_made(wire)
    return connection, wire


def test_nobody_is_hung_up_on_before_the_answer() -> None:
    """A storm takes all seats of callers we know: the next keeps its stranger's until it is answered, then gives way."""
    connections = Connections(strangers=1, senders=1, idle=0)
    first, first_wire = connect(connections)
    first.begin()
    first.know(connections.senders)
    second, second_wire = connect(connections)
    second.begin()
    second.know(connections.senders)
    assert connections.strangers.is_full
    assert not connections.strangers.may_end, "who connects now waits in the backlog"
    second.end(make_mocked_request("POST", "/"))
    assert connections.strangers.may_end
    connect(connections)
    assert (first_wire.is_aborted, second_wire.is_aborted) == (False, True)


def test_what_is_lost_takes_no_seat() -> None:
    """A caller that hangs up before the answer leaves nothing behind that could give way."""
    connections = Connections(strangers=1, senders=0, idle=0)
    connection, _ = connect(connections)
    connection.begin()
    connection.know(connections.senders)
    connection.connection_lost(None)
    connection.end(make_mocked_request("POST", "/"))
    assert (connections.strangers.held, connections.strangers.may_end) == (0, False)


def test_a_storm_does_not_hang_up_on_people() -> None:
    """Where senders of webhooks have all their seats, the idle connection of a person who uses the API keeps its own."""
    connections = Connections(senders=1, people=1, idle=0)
    person, wire = connect(connections)
    person.begin()
    person.know(connections.people)
    person.end(make_mocked_request("POST", "/"))
    for _ in range(2):
        sender, _ = connect(connections)
        sender.begin()
        sender.know(connections.senders)
        sender.end(make_mocked_request("POST", "/"))
    assert not wire.is_aborted
    connect(connections)[0].know(connections.people)
    assert wire.is_aborted, "another person's takes the seat of the one that is idle"


def test_a_connection_that_was_just_used_is_not_closed() -> None:
    """Alertmanager uses it again at once, and an attempt on a closed one fails: another sender waits in the backlog."""
    connections = Connections(senders=1, idle=60)
    first, wire = connect(connections)
    first.begin()
    first.know(connections.senders)
    first.end(make_mocked_request("POST", "/"))
    second, _ = connect(connections)
    second.begin()
    second.know(connections.senders)
    assert not wire.is_aborted
    assert connections.strangers.held == 1, "it keeps the seat that it has until it is answered"
