"""The states in which the vectors find the card: the steps that lead there from a card fresh from its profile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.oracle.bcast_model import LtkmData, Model, StkmData
from tests.oracle.bcast_parents import stricter
from tests.support.bcast import KEY_DOMAIN, SEK
from tests.support.csim import SELECT_CSIM
from tests.support.network import BM_SC, IMPI, autn_star, rand, vector
from tests.support.profiles import ADM1, PIN1
from tests.support.testcard import SELECT_USIM, lv, pin_bytes, tlv
from tests.vectors.bcast_negative.messages import Site, bootstrapping, four
from tests.vectors.bcast_negative.vector import AUTHENTICATE, MBMS, OMA_BCAST, mode

MOST = 2**32 - 1
G1, G2, G3 = (KEY_DOMAIN, b"\0\1"), (KEY_DOMAIN, b"\0\2"), (KEY_DOMAIN, b"\0\3")
FREE, POOR, COUNTED, OLD, PLAIN = (*G1, b"\0\1"), (*G1, b"\0\2"), (*G2, b"\0\1"), (*G2, b"\0\2"), (*G3, b"\0\1")
LIVE_ONLY = (*G2, b"\0\3")
LAST_LTKM = 20
LEVEL = (1, 9)  # of the rating type, the level granted
PARENTAL_PIN, WRONG_PIN = "4711", "0000"
CONTENT = (bytes(17), b"film")  # terminal id, content id

RIGHTS = (
    LtkmData(FREE, SEK, 10, 1000, 1, "live_free"),
    LtkmData(FREE, SEK, 10, 500, 2, "playback_counted", counter=0),
    LtkmData(POOR, SEK, 0, MOST, 3, "live_ppt_user", cost=5, tokens=4),
    LtkmData(COUNTED, SEK, 0, MOST, 4, "live_teks", counter=0),
    LtkmData(OLD, SEK, 1, 50, 5, "playback_ppt_key", cost=1),
    LtkmData(PLAIN, SEK, 1, 100, 6),
    LtkmData(LIVE_ONLY, SEK, 0, MOST, 7, "live_free"),
)
USED = (StkmData(FREE, SEK, 5, 100), StkmData(PLAIN, SEK, 5, 100), StkmData(LIVE_ONLY, SEK, 5, 100))
MORE_RIGHTS = (
    LtkmData(FREE, SEK, 10, 1000, 11, "live_teks", counter=1),
    LtkmData(FREE, SEK, 10, 1000, 12, "playback_free"),
    LtkmData(FREE, SEK, 10, 1000, 13, "playback_teks", counter=1),
)


@dataclass(frozen=True)
class Step:
    """A data object sent in blocks, or with `apdu` a command APDU; `sw` is what ends it."""

    data: bytes
    ins: int = AUTHENTICATE
    p2: int = MBMS
    apdu: bool = False
    sw: str = "9000"


@dataclass(frozen=True)
class State:
    """`steps` are done once and survive without power; `session` follows before every vector, after power-on.

    `profile` are further lines of the table [bcast] of the card profile, `services_off` numbers of its service table.
    """

    name: str
    site: Site
    steps: tuple[Step, ...]
    session: tuple[Step, ...]
    profile: str = ""
    services_off: str = ""

    def then(self, name: str, *steps: Step, session: tuple[Step, ...] = ()) -> State:
        """Return the state after further steps."""
        return replace(self, name=name, steps=self.steps + steps, session=self.session + session)


# --- steps


def command(*parts: str | bytes, sw: str = "9000") -> Step:
    """Return one APDU, given as hex or bytes in any number of parts."""
    raw = b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)
    return Step(raw, apdu=True, sw=sw)


def verify(reference: int, pin: str, sw: str = "9000") -> Step:
    """Return VERIFY PIN."""
    return command(f"002000{reference:02X}08", pin_bytes(pin), sw=sw)


def sent(kind: str, message: bytes) -> Step:
    """Return the sending of an LTKM or STKM."""
    return Step(mode(kind, message))


def ready(site: Site) -> tuple[Step, ...]:
    """Return the selection of the application and its PIN."""
    return command(SELECT_USIM if site.application == "USIM" else SELECT_CSIM), verify(0x01, PIN1)


def bootstrap(number: int) -> Iterator[Step]:
    """Yield the n-th bootstrapping and the derivation of the key for the BM-SC."""
    made, session = vector(number, rand(number), number), bootstrapping(number)
    yield command("0088008423DD", lv(rand(number), autn_star(made)))
    tail = lv(session.b_tid, b"2031-01-01T00:00:00Z")
    yield command("00A4000C026FD6")
    yield command("00D60011", bytes((len(tail),)), tail)
    derivation = b"\xde" + lv(BM_SC, IMPI)
    yield command("00880084", bytes((len(derivation),)), derivation)


def recording(site: Site, number: int, *, first: int = 10, last: int = 100) -> Step:
    """Return the signalling of a recording that needs the key FREE."""
    tags = site.wire.audit
    names = tlv(tags["terminal"], CONTENT[0]) + tlv(tags["content"], CONTENT[1] + bytes((number,)))
    key = tlv(tags["key domain"], FREE[0]) + tlv(tags["key group"], FREE[1]) + tlv(tags["key number"], FREE[2])
    data = tlv(0x73, names + key + tlv(tags["interval"], four(first) + four(last)))
    return Step(data, OMA_BCAST, site.wire.modes["record"])


# --- states


def empty(site: Site, profile: str = "", services_off: str = "") -> State:
    """Return a card that has its SMK and nothing else."""
    steps = ready(site) + (tuple(bootstrap(1)) if site.application == "USIM" else ())
    return State("the SMK and no keys", site, steps, ready(site), profile, services_off)


def stocked(site: Site, profile: str = "") -> State:
    """Return a card with every kind of right, one STKM heard under three of the keys, and a level granted."""
    return empty(site, profile).then(
        "keys with every kind of right",
        *(sent("LTKM", site.ltkm(m).build()) for m in RIGHTS),
        sent("LTKM", site.parental(LAST_LTKM, None, LEVEL).build()),
        *(sent("STKM", site.stkm(m).build()) for m in USED),
    )


def model(site: Site) -> Model:
    """Return the oracle's model in the state of a stocked card."""
    made = Model(site.wire.rules)
    for m in RIGHTS:
        assert made.ltkm(m).outcome == "done"
    made.parental(LAST_LTKM, None, LEVEL)
    for used in USED:
        assert made.stkm(used).tek
    return made


def with_pin(site: Site) -> State:
    """Return a stocked card whose parental PIN is set."""
    message = site.parental(LAST_LTKM + 1, pin_bytes(PARENTAL_PIN), LEVEL)
    return stocked(site).then("a parental PIN that was not given", sent("LTKM", message.build()))


def pin_blocked(site: Site) -> State:
    """Return such a card after three wrong tries."""
    tries = [verify(site.wire.pin, WRONG_PIN, sw=f"63C{left}") for left in (2, 1, 0)]
    return with_pin(site).then("a parental PIN that is blocked", *tries)


def pin_given_elsewhere(site: Site) -> State:
    """Return such a card on which the PIN was given, and spent on the group of the key FREE."""
    held = StkmData(FREE, SEK, 6, 101, rating=held_back(site))
    session = verify(site.wire.pin, PARENTAL_PIN), sent("STKM", site.stkm(held).build())
    return with_pin(site).then("a parental PIN that was given for another service", session=session)


def recorded(site: Site) -> State:
    """Return a stocked card with as many recordings as it takes."""
    return stocked(site).then("all places for recordings in use", *(recording(site, n) for n in (1, 2, 3)))


def full_key(site: Site) -> State:
    """Return a card one of whose keys has as many policy records as it takes."""
    messages = [site.ltkm(m).build() for m in (*RIGHTS, *MORE_RIGHTS)]
    return empty(site).then("a key with all its policy records", *(sent("LTKM", message) for message in messages))


def superseded(site: Site) -> State:
    """Return a stocked card that bootstrapped again, and took the new SMK up with a message that it refused."""
    forged = replace(site, subscriber=bootstrapping(2).b_tid).ltkm(replace(RIGHTS[0], ts=1)).build()
    refused = Step(mode("LTKM", forged), sw="9862")
    return stocked(site).then("a newer SMK that was not used yet", *bootstrap(2), refused)


def service_lost_later(site: Site) -> State:
    """Return a stocked card whose service table lost service 75, and its neighbours in the same byte, afterwards."""
    edit = verify(0x0A, ADM1), command("00A4000C026F38"), command("00D6000901", b"\0")
    return stocked(site).then("service 75 switched off after the keys came", *edit)


def held_back(site: Site) -> tuple[int, int]:
    """Return a rating just beyond the level granted."""
    kind, level = LEVEL
    return kind, stricter(kind, level, turned=site.wire.rules.turned_ratings)
