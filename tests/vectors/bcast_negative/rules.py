"""Sound messages that the rules refuse, each in the state in which they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from tests.oracle import bcast_wire
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_parents import strictest
from tests.support.bcast import OTHER_SEK, SEK
from tests.vectors.bcast_negative.contents import NEXT_LTKM, NEXT_STKM, PLAIN_LTKM, PLAIN_STKM, accepted_stkm
from tests.vectors.bcast_negative.messages import LATER, Site
from tests.vectors.bcast_negative.states import (
    COUNTED,
    FREE,
    LAST_LTKM,
    LEVEL,
    LIVE_ONLY,
    MOST,
    OLD,
    PLAIN,
    POOR,
    held_back,
    model,
)
from tests.vectors.bcast_negative.vector import NO_SERVICE, STALE, UNKNOWN, WRONG_MAC, Vector, answer_of, mode

SECURE_CHANNEL_REQUIRED = "6989"


class Protection(NamedTuple):
    """Values of protection_after_reception in a set of tables, and the status of a TEK that needs a channel."""

    always: tuple[int, ...]
    in_playback: int
    never: int
    refused: int


PROTECTION = {"P1": Protection((0, 1), 2, 3, 0x0B), "X2": Protection((3, 2), 1, 0, 0x4B)}


def stkm_rules(site: Site) -> Iterator[Vector]:
    """What a stocked card refuses. The answers are the model's."""
    for m in refused_stkms(site):
        answer = model(site).stkm(m)
        assert not answer.tek, m
        text = f"key {m.key_id[1].hex()}{m.key_id[2].hex()}, timestamp {m.ts}, MTK ID {m.mtk}"
        text += f", rating {m.rating[1]}" if m.rating else ", extension" if m.extended else ""
        expected = answer_of(answer.outcome, site.wire, plain=answer.plain)
        yield Vector(f"{text}: {answer.outcome}", ("Rule",), mode("STKM", site.stkm(m).build()), *expected)


def refused_stkms(site: Site) -> Iterator[StkmData]:
    """Yield STKMs outside the validity, without credit, replayed, and beyond the level granted."""
    kind, beyond = held_back(site)
    most = strictest(kind, turned=site.wire.rules.turned_ratings)
    yield from (StkmData(FREE, SEK, 6, ts) for ts in (1001, 1002, 2**31, MOST))
    yield from (StkmData(FREE, SEK, mtk, ts) for ts in (0, 1, 9) for mtk in (5, 6))
    yield from (StkmData(FREE, SEK, mtk, ts) for ts in (10, 11, 99, 100) for mtk in (5, 6))
    yield from (StkmData(FREE, SEK, 6, ts, True, (kind, value)) for ts in (101, 50) for value in (beyond, most))
    yield from (StkmData(POOR, SEK, 1, ts) for ts in (1, 2, MOST, 0))
    yield from (StkmData(COUNTED, SEK, 1, ts) for ts in (1, MOST, 0))
    yield from (StkmData(LIVE_ONLY, SEK, mtk, ts) for ts in (0, 1, 99, 100) for mtk in (5, 6))
    yield from (StkmData(OLD, SEK, 1, ts) for ts in (0, 1, 49, 50, 51, MOST))
    yield from (StkmData(PLAIN, SEK, mtk, ts) for mtk in (1, 6, 100) for ts in (0, 1, 99, 100))
    yield from (StkmData(PLAIN, SEK, mtk, 101) for mtk in (0, 101, 0xFFFF))
    yield from (StkmData(PLAIN, SEK, 6, ts, True) for ts in (0, 100))
    yield StkmData(PLAIN, SEK, 6, 101, True, (kind, beyond))


def held(site: Site, outcome: str) -> Iterator[Vector]:
    """STKMs with a rating beyond the level granted, where the parental PIN does not help."""
    kind, beyond = held_back(site)
    expected = answer_of(outcome, site.wire)
    for key, ts, name in ((FREE, 102, "live"), (FREE, 50, "for play-back"), (PLAIN, 101, "of a plain MBMS key")):
        for value in (beyond, 255 if beyond > LEVEL[1] else 0):
            m = StkmData(key, SEK, 6, ts, True, (kind, value))
            text = f"STKM {name} with rating {value}: {outcome}"
            yield Vector(text, ("Parental",), mode("STKM", site.stkm(m).build()), *expected)


def held_elsewhere(site: Site) -> Iterator[Vector]:
    """The parental PIN counts for one key group: here not for that of the key PLAIN."""
    m = replace(PLAIN_STKM, rating=held_back(site))
    expected = answer_of("pin needed", site.wire)
    text = "the parental PIN was given for another service"
    yield Vector(text, ("Parental",), mode("STKM", site.stkm(m).build()), *expected)


def unprotected(site: Site) -> Iterator[Vector]:
    """Content to be protected after reception, without a secure channel, on a card that demands one."""
    found = PROTECTION[site.wire.name]
    for protection in found.always:
        for key, rating in ((FREE, None), (FREE, held_back(site)), (PLAIN, None)):
            m = StkmData(key, SEK, 6, 101, True, rating)
            text = f"key {key[1].hex()}{key[2].hex()}{', rating beyond the level' if rating else ''}"
            yield needs_channel(site, m, protection, text)
    for protection in (*found.always, found.in_playback):
        yield needs_channel(site, StkmData(FREE, SEK, 6, 50, True), protection, "for play-back")


def needs_channel(site: Site, m: StkmData, protection: int, text: str) -> Vector:
    """Return an STKM that needs a secure channel."""
    extension = bcast_wire.stkm_extension(m, site.wire, protection=protection)
    whole = mode("STKM", site.stkm(m, extension).build())
    comment = f"protection after reception {protection}, {text}"
    return Vector(comment, ("Channel",), whole, status=PROTECTION[site.wire.name].refused)


def let_out(site: Site) -> Iterator[Vector]:
    """What needs no channel: content that is not protected, and a TEK bound to a terminal."""
    found = PROTECTION[site.wire.name]
    for protection, binding in ((found.never, None), (found.in_playback, None), (found.always[0], 7)):
        extension = bcast_wire.stkm_extension(NEXT_STKM, site.wire, protection=protection, binding=binding)
        bound = ", bound" if binding else ""
        comment = f"an STKM in order, protection after reception {protection}{bound}"
        yield replace(accepted_stkm(site, NEXT_STKM, extension), comment=comment)


def in_clear(site: Site) -> Iterator[Vector]:
    """No TEK leaves a card with that policy in clear, whatever the STKM."""
    for m, name in ((NEXT_STKM, "with extension"), (replace(NEXT_STKM, extended=False), "without extension"),
                    (PLAIN_STKM, "of a plain MBMS key"), (replace(NEXT_STKM, key=OTHER_SEK), "under another SEK"),
                    (replace(NEXT_STKM, ts=MOST), "outside its validity")):  # fmt: skip
        whole = mode("STKM", site.stkm(m).build())
        yield Vector(f"STKM {name} in clear", ("Channel",), whole, SECURE_CHANNEL_REQUIRED)
    bound = bcast_wire.stkm_extension(NEXT_STKM, site.wire, binding=7)
    whole = mode("STKM", site.stkm(NEXT_STKM, bound).build())
    yield Vector("STKM with terminal binding in clear", ("Channel",), whole, SECURE_CHANNEL_REQUIRED)


def pretended_binding(site: Site) -> Iterator[Vector]:
    """A card that lets bound TEKs out in clear, an STKM that only says it is bound."""
    bound = bcast_wire.stkm_extension(NEXT_STKM, site.wire, binding=7)
    forged = site.stkm(NEXT_STKM, bound).build()[:-20] + site.stkm(NEXT_STKM).build()[-20:]
    yield Vector("binding written into an STKM that has none", ("Channel",), mode("STKM", forged), WRONG_MAC)
    whole = mode("STKM", site.stkm(NEXT_STKM).build())
    yield Vector("STKM without binding in clear", ("Channel",), whole, SECURE_CHANNEL_REQUIRED)


def no_room(site: Site) -> Iterator[Vector]:
    """One policy record more than a key can have."""
    expected = answer_of("full", site.wire)
    for policy in ("live_ppt_key", "live_ppv_user", "playback_ppt_key", "playback_ppv_user"):
        m = LtkmData(FREE, SEK, 10, 1000, LAST_LTKM + 1, policy, cost=1)
        yield Vector(f"a sixth policy: {policy}", ("Room",), mode("LTKM", site.ltkm(m).build()), *expected)
    if site.wire.rules.validity_in_identity:
        m = LtkmData(FREE, SEK, 10, 999, LAST_LTKM + 1, "live_free")
        text = "a sixth policy: one that is there, with another validity"
        yield Vector(text, ("Room",), mode("LTKM", site.ltkm(m).build()), *expected)


def stale_smk(site: Site) -> Iterator[Vector]:
    """After a new SMK was taken up: LTKMs under the one used last, and for the new subscriber identity under it."""
    for kind, m in (("LTKM", NEXT_LTKM), ("plain LTKM", PLAIN_LTKM)):
        whole = mode("LTKM", site.ltkm(m).build())
        yield Vector(f"{kind} under the SMK of before", ("StaleSmk",), whole, STALE)
    renewed = replace(site, subscriber=LATER.b_tid)
    for kind, m in (("LTKM", NEXT_LTKM), ("plain LTKM", PLAIN_LTKM)):
        whole = mode("LTKM", renewed.ltkm(m).build())
        yield Vector(f"{kind} for the new B-TID under the SMK of before", ("Key",), whole, WRONG_MAC)
    strange = replace(renewed, smk=LATER.muk(b"another server"))
    whole = mode("LTKM", strange.ltkm(NEXT_LTKM).build())
    yield Vector("LTKM under the new SMK of another server", ("Key",), whole, WRONG_MAC)


def keys_of_before(site: Site) -> Iterator[Vector]:
    """STKMs under keys that came with the SMK of before: nothing in MTK generation asks for it."""
    for m, name in ((NEXT_STKM, "with policies"), (PLAIN_STKM, "of plain MBMS")):
        yield replace(accepted_stkm(site, m), comment=f"an STKM under a key {name} that came with the SMK of before")


def without_service(site: Site) -> Iterator[Vector]:
    """Service 75 off: the card cannot charge, so it must not take what has a price."""
    for m in (NEXT_LTKM, replace(NEXT_LTKM, policy="live_ppt_user", cost=1, tokens=2),
              replace(NEXT_LTKM, policy="playback_counted", counter=3)):  # fmt: skip
        whole = mode("LTKM", site.ltkm(m).build())
        yield Vector(f"LTKM with policy {m.policy}, service off", ("Service",), whole, NO_SERVICE)
    for pin, level in ((None, LEVEL), (b"4711\xff\xff\xff\xff", None)):
        whole = mode("LTKM", site.parental(LAST_LTKM + 1, pin, level).build())
        text = f"parental control message with {'a level' if level else 'a PINCODE'}, service off"
        yield Vector(text, ("Service",), whole, NO_SERVICE)
    whole = mode("STKM", site.stkm(NEXT_STKM).build())
    yield Vector("STKM of a key that could not come, service off", ("KeyId",), whole, UNKNOWN)


def service_lost(site: Site) -> Iterator[Vector]:
    """Service 75 off after keys with policies came: what must be paid for does not become free."""
    for key, ts in ((FREE, 101), (FREE, 50), (POOR, 1), (COUNTED, 1), (OLD, 9)):
        for extended in (False, True):
            whole = mode("STKM", site.stkm(StkmData(key, SEK, 6, ts, extended)).build())
            text = f"key {key[1].hex()}{key[2].hex()}, timestamp {ts}, with{'' if extended else 'out'} extension"
            yield Vector(f"STKM of a key with policies, service off: {text}", ("Service",), whole, NO_SERVICE)
    whole = mode("LTKM", site.ltkm(NEXT_LTKM).build())
    yield Vector("LTKM with a policy, service off", ("Service",), whole, NO_SERVICE)
