"""Ports for servers that start later."""

import socket

import pytest

from receiver.demo.tools import PORTS, free_port


def test_a_port_that_was_given_is_kept_until_its_server_listens() -> None:
    """The next caller, in any process, does not get it; no caller's connection does; its own server can listen."""
    port = free_port()
    assert port in PORTS
    assert max(PORTS) < 32768, "from here on Linux lends ports to whoever calls out"
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("127.0.0.1", port))  # as free_port does wherever it runs
    for _ in range(2):  # it may start again
        with socket.create_server(("127.0.0.1", port)):
            assert free_port() != port
