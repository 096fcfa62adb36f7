"""Opens the socket that the service listens on; an error names the option and the cure."""

import errno
import socket

from receiver.errors import SettingsError


def open_socket(host: str, port: int) -> socket.socket:
    """A bound socket, not yet listening. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        reason, cure = _why(error)
        raise SettingsError(f"TOCSIN_LISTEN (--listen): cannot listen on {place}: {reason}", cure) from None


def _why(error: OSError) -> tuple[str, str]:
    """Reason and cure."""
    if isinstance(error, socket.gaierror):
        return "no such host", "write one of this machine's addresses, or 0.0.0.0 for all of them"
    match error.errno:
        case errno.EADDRINUSE:
            return "another program has this port", "stop it (is Tocsin running already?), or choose another port"
        case errno.EACCES:
            return "ports below 1024 are for root", "choose a higher one, and let a proxy have the low one"
        case errno.EADDRNOTAVAIL:
            return "this machine does not have that address", "write one that it has, or 0.0.0.0 for all of them"
        case _:
            return str(error.strerror), "choose another address or port"
