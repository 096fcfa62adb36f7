"""Stories that are played through a receiver, told with everything that anybody heard and saw."""
