"""When Python looks for garbage. Both of our processes ask for it when they have started."""

import gc


def calm_down() -> None:
    """What was loaded at the start stays: looking through it again and again was a third of a webhook's cost."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
