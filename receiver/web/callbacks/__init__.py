"""The providers' callbacks: buttons, keys, answers and delivery reports. One module per provider.

Rules: a request is used only after its signature is verified; one delivered twice is applied once; a late press is
answered with the current state. The core decides, as for every other action. Callbacks of a provider exist only if its
secret is set. Imports `auth` and `http`. Begin with `actions`, which all of them use.

Each module here that has ``configure(context)`` is found and asked: it returns the provider's callbacks, or None if the
settings do not configure them.
"""

from importlib import import_module
from pkgutil import iter_modules

from receiver.web.callbacks.actions import CallbackActions
from receiver.web.callbacks.context import CallbackContext

__all__ = ["CallbackActions", "CallbackContext", "add_callbacks"]


def add_callbacks(context: CallbackContext) -> None:
    """Registers the callbacks of the configured providers."""
    for found in iter_modules(__path__):
        configure = getattr(import_module(f"{__name__}.{found.name}"), "configure", None)
        callbacks = configure(context) if configure else None
        for method, path, handler in callbacks.routes() if callbacks else ():
            context.app.router.add_route(method, path, handler)
