"""Stories that are played through a receiver, with all messages and pages that their people get."""
