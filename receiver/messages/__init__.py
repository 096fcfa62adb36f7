"""What people read: from an incident and a policy's templates to words, in one place.

The dispatcher renders with `MessageRenderer`; channels read `Message` and decide nothing about words; pages and reports
take `plain`, `line` and the times. Pure, but for reading our own templates.
"""

from receiver.messages.message import PICTURE_ID, SHORT_LIMIT, Message, Picture
from receiver.messages.plain import cut, line, plain
from receiver.messages.renderer import MessageRenderer

__all__ = ["PICTURE_ID", "SHORT_LIMIT", "Message", "MessageRenderer", "Picture", "cut", "line", "plain"]
