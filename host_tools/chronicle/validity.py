"""For how long a long-term key is good, as time: its limits are numbers, and the STKMs tell when which number was.

Between two STKMs, and beyond the first and the last, numbers go on as fast as they did on the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from host_tools.chronicle.model import Counted, Stkm, StkmFate, Validity

_UNTRUE = (StkmFate.STALE, StkmFate.UNREADABLE)
"""What came late says nothing of when its number was."""


def moments(validity: Validity, key: str, stkms: Sequence[Stkm]) -> tuple[float, float] | None:
    """Return begin and end (seconds) of a validity of a key, by the STKMs of its service; None where they do not tell.

    `key` is the name of the key as it is in the names of its traffic keys. MTK IDs begin again one day, so those of
    other keys count only where the key has none yet.
    """
    every = _samples(validity.counted, stkms)
    own = _samples(validity.counted, (stkm for stkm in stkms if stkm.key.rpartition("/")[0] == key))
    rate = _rate(own) or _rate(every)
    anchors = _steady(own or every)
    if rate is None or not anchors:
        return None
    return _when(validity.low, anchors, rate), _when(validity.high + 1, anchors, rate)


def _samples(counted: Counted, stkms: Iterable[Stkm]) -> list[tuple[int, float]]:
    """Return each number and when it first came, as far as numbers rise."""
    found: list[tuple[int, float]] = []
    for stkm in stkms:
        number = stkm.timestamp if counted is Counted.TIMESTAMP else _mtk_id(stkm.key)
        if number is None or stkm.fate in _UNTRUE:
            continue
        if found and number < found[-1][0] and counted is Counted.MTK_ID:
            found.clear()  # they have begun again
        if not found or number > found[-1][0]:
            found.append((number, stkm.at))
    return found


def _mtk_id(key: str) -> int | None:
    try:
        return int(key.rpartition("/")[2], 16)
    except ValueError:
        return None


def _steady(samples: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    """Leave the first number out where there are others: who begins to listen hears it late."""
    return samples[1:] if len(samples) > 2 else samples


def _rate(samples: Sequence[tuple[int, float]]) -> float | None:
    """Return how many seconds a number lasts, on the whole."""
    if len(samples) < 2:
        return None
    samples = _steady(samples)
    (first, began), (last, ended) = samples[0], samples[-1]
    return (ended - began) / (last - first) or None


def _when(number: int, samples: Sequence[tuple[int, float]], rate: float) -> float:
    """Return when a number came, or would have or will."""
    known, at = min(samples, key=lambda sample: abs(sample[0] - number))
    return at + (number - known) * rate
