"""Connections have seats: where none is left, whoever is being served keeps theirs."""

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
    connections = Connections(strangers=1, known=1)
    first, first_wire = connect(connections)
    first.begin()
    first.know()
    second, second_wire = connect(connections)
    second.begin()
    second.know()
    assert connections.strangers.is_full
    assert not connections.strangers.may_end, "who connects now waits in the backlog"
    second.end(make_mocked_request("POST", "/"))
    assert connections.strangers.may_end
    connect(connections)
    assert (first_wire.is_aborted, second_wire.is_aborted) == (False, True)


def test_what_is_lost_takes_no_seat() -> None:
    """A caller that hangs up before the answer leaves nothing behind that could give way."""
    connections = Connections(strangers=1, known=0)
    connection, _ = connect(connections)
    connection.begin()
    connection.know()
    connection.connection_lost(None)
    connection.end(make_mocked_request("POST", "/"))
    assert (connections.strangers.held, connections.strangers.may_end) == (0, False)
