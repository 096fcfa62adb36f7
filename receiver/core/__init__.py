"""The pure heart: what happens to an incident, decided from data and an instant, with no I/O, clock or chance."""
