"""The real receiver beside local servers, as in the tests from end to end."""

from tests.end_to_end.conftest import environment, told

__all__ = ["environment", "told"]
