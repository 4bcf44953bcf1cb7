"""How sharply to draw where frames come faster than whole pictures are drawn."""

from __future__ import annotations

LATE_SECONDS = 0.04  # that a frame is late while a younger one waits: draw less sharply
# How long each level is kept at first; where it is needed again soon, twice as long as before.
FIRST_SPELLS_SECONDS = (2.0, 0.5)
MOST_SPELL_SECONDS = 64.0


class Easing:
    """Chooses a level: 0 draws whole pictures, each further one takes less time.

    A pause is caught up with by the quickest level, which is left again soon; what a machine is
    too slow for in the long run is left alone for longer and longer.
    """

    def __init__(self) -> None:
        self._until = [0.0 for _ in FIRST_SPELLS_SECONDS]  # when each level ends
        self._spells = list(FIRST_SPELLS_SECONDS)

    def level(self, now: float, late: float) -> int:
        """Return the level of a frame, by the clock in seconds, that is late by `late` seconds."""
        current = max((i + 1 for i, end in enumerate(self._until) if end > now), default=0)
        if late <= LATE_SECONDS or current == len(self._until):
            return current
        if now - self._until[current] > self._spells[current]:  # that was another trouble
            self._spells[current] = FIRST_SPELLS_SECONDS[current]
        self._until[current] = now + self._spells[current]
        self._spells[current] = min(2 * self._spells[current], MOST_SPELL_SECONDS)
        # the level above lasts longer than this one: what is left goes on less sharply
        for above in range(current):
            left = self._until[current] + FIRST_SPELLS_SECONDS[above]
            self._until[above] = max(self._until[above], left)
        return current + 1
