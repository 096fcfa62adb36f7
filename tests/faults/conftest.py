"""The real receiver beside local servers, as in the tests from end to end; a database server that a test may stop."""

from tests.end_to_end.conftest import environment, told
from tests.faults.machine import machine, policy

__all__ = ["environment", "machine", "policy", "told"]
