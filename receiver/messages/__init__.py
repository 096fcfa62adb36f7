"""The texts that people read, made from an incident and a policy's templates.

Begin with `renderer`: `renderer.MessageRenderer` makes a `Message` that every channel reads and none changes.
`incident_text` is the incident as texts show it; `reasons` states why a message is sent; pages and reports use `plain`,
`line` and the times. Pure, except that it reads Tocsin's own templates and calls the process that fills a policy's.
Imports the core.
"""

from receiver.messages.message import PICTURE_ID, SHORT_LIMIT, Message, Picture
from receiver.messages.plain import cut, line, plain
from receiver.messages.renderer import MessageRenderer

__all__ = ["PICTURE_ID", "SHORT_LIMIT", "Message", "MessageRenderer", "Picture", "cut", "line", "plain"]
