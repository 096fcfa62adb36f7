"""What people read: from an incident and a policy's templates to messages, in one place.

`renderer.MessageRenderer` makes a `Message`, which every channel reads and none changes; `incident_text` is the
incident as texts show it, `reasons` why a message is sent; pages and reports take `plain`, `line` and the times. Pure,
but for reading our own templates and the process that fills a policy's. Imports the core. Begin with `renderer`.
"""

from receiver.messages.message import PICTURE_ID, SHORT_LIMIT, Message, Picture
from receiver.messages.plain import cut, line, plain
from receiver.messages.renderer import MessageRenderer

__all__ = ["PICTURE_ID", "SHORT_LIMIT", "Message", "MessageRenderer", "Picture", "cut", "line", "plain"]
