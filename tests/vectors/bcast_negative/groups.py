"""The groups of vectors: each a state of the card and what is sent to it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.vectors.bcast_negative.contents import (
    NEXT_LTKM,
    NEXT_STKM,
    PLAIN_LTKM,
    PLAIN_STKM,
    accepted_ltkm,
    accepted_stkm,
    ltkm_contents,
    stkm_contents,
)
from tests.vectors.bcast_negative.messages import CSIM_P1, USIM_P1, USIM_X2, Site
from tests.vectors.bcast_negative.objects import (
    NO_INSTRUCTION,
    anything,
    blocks,
    commands,
    mbms_commands,
    needed_by_recordings,
    objects,
    operations,
)
from tests.vectors.bcast_negative.rules import (
    held,
    held_elsewhere,
    in_clear,
    keys_of_before,
    let_out,
    no_room,
    pretended_binding,
    service_lost,
    stale_smk,
    stkm_rules,
    unprotected,
    without_service,
)
from tests.vectors.bcast_negative.states import (
    RIGHTS,
    State,
    empty,
    full_key,
    pin_blocked,
    pin_given_elsewhere,
    ready,
    recorded,
    sent,
    service_lost_later,
    stocked,
    superseded,
    with_pin,
)
from tests.vectors.bcast_negative.syntax import syntax
from tests.vectors.bcast_negative.vector import CONDITIONS, NO_SERVICE, Vector

LTKM, STKM, OBJECT, OPERATION, BLOCK, ANY = (
    "BcastLtkmTest", "BcastStkmTest", "BcastObjectTest", "BcastOperationTest", "BcastBlockTest", "BcastCommandTest",
)  # fmt: skip
NOT_VERIFIED = "6982"
SAC = '[sac]\ntek = "{}"\npsk = [{{ terminal_id = "490154203237518", key = "' + "00" * 32 + '" }}]\n'


@dataclass(frozen=True)
class Group:
    """Vectors of one type for one state."""

    type: str
    state: State
    vectors: tuple[Vector, ...]


def group(kind: str, state: State, *parts: Iterable[Vector]) -> Group:
    """Return a group of everything that the parts yield."""
    return Group(kind, state, tuple(vector for part in parts for vector in part))


def groups() -> Iterator[Group]:
    """Yield all groups in their order."""
    yield from whole_usim(USIM_P1)
    yield from plain_form(USIM_P1)
    yield from other_site(USIM_X2)
    yield from other_site(CSIM_P1)
    for site in (USIM_P1, USIM_X2):
        yield from reasons(site)
    for site in (USIM_P1, CSIM_P1):
        yield from without_access(site)
    yield from switched_off(USIM_P1)


def normal(site: Site) -> list[Vector]:
    """Return an LTKM and an STKM that a stocked card takes."""
    return [accepted_ltkm(site), accepted_stkm(site)]


def whole_usim(site: Site) -> Iterator[Group]:
    """Everything that can be wrong with BCAST messages and commands."""
    state, (good_ltkm, good_stkm) = stocked(site), normal(site)
    good = site.ltkm(NEXT_LTKM)
    yield group(LTKM, state, [good_ltkm], syntax("LTKM", good, good_ltkm), ltkm_contents(site))
    good = site.stkm(NEXT_STKM)
    yield group(STKM, state, [good_stkm], syntax("STKM", good, good_stkm), stkm_contents(site), stkm_rules(site))
    yield group(OBJECT, state, objects(site))
    yield group(OPERATION, state, operations(site))
    yield group(BLOCK, state, blocks(site))


def plain_form(site: Site) -> Iterator[Group]:
    """The same messages without the OMA BCAST extension, for a plain MBMS key, on a card in the same state."""
    state = replace(stocked(site), name="keys with every kind of right; messages in the plain MBMS form")
    good_ltkm, good_stkm = accepted_ltkm(site, PLAIN_LTKM), accepted_stkm(site, PLAIN_STKM)
    ltkm, stkm = site.ltkm(NEXT_LTKM).build(), site.stkm(NEXT_STKM).build()
    yield group(LTKM, state, [good_ltkm], syntax("LTKM", site.ltkm(PLAIN_LTKM), good_ltkm, ltkm))
    yield group(STKM, state, [good_stkm], syntax("STKM", site.stkm(PLAIN_STKM), good_stkm, stkm))


def other_site(site: Site) -> Iterator[Group]:
    """What depends on the tables and on the root of the keys; the form of a message is checked alike everywhere."""
    state, (good_ltkm, good_stkm) = stocked(site), normal(site)
    yield group(LTKM, state, [good_ltkm], ltkm_contents(site))
    yield group(STKM, state, [good_stkm], stkm_contents(site), stkm_rules(site))
    yield group(OBJECT, state, objects(site))
    yield group(OPERATION, state, operations(site))


def reasons(site: Site) -> Iterator[Group]:
    """Refusals that need a state of their own."""
    stkm = [accepted_stkm(site, replace(NEXT_STKM, mtk=7, ts=103))]
    yield group(STKM, with_pin(site), stkm, held(site, "pin needed"))
    yield group(STKM, pin_blocked(site), stkm, held(site, "pin blocked"))
    yield group(STKM, pin_given_elsewhere(site), stkm, held_elsewhere(site))
    state = replace(stocked(site, "secure_channel = true"), name="a secure channel is demanded")
    yield group(STKM, state, let_out(site), unprotected(site))
    ltkms = [sent("LTKM", site.ltkm(m).build()) for m in RIGHTS]
    for policy, vectors in (("channel", in_clear(site)), ("channel-or-binding", pretended_binding(site))):
        state = empty(site, SAC.format(policy)).then(f"TEKs leave by the policy {policy}", *ltkms)
        yield group(STKM, state, [accepted_ltkm(site)], vectors)
    yield group(OBJECT, recorded(site), stkm, needed_by_recordings(site))
    known = accepted_ltkm(site, replace(NEXT_LTKM, upper=1000))
    yield group(LTKM, full_key(site), [known], no_room(site))
    yield group(ANY, superseded(site), keys_of_before(site), stale_smk(site))


def without_access(site: Site) -> Iterator[Group]:
    """A stocked card whose application is not selected, or whose PIN is not verified."""
    full, selection = stocked(site), ready(site)[:1]
    yield group(ANY, replace(full, name="PIN not verified", session=selection), anything(site, "Access", NOT_VERIFIED))
    nothing = replace(full, name="no application selected", session=())
    yield group(ANY, nothing, anything(site, "Access", CONDITIONS))


def switched_off(site: Site) -> Iterator[Group]:
    """Cards whose service table lacks what the commands need."""
    state = replace(empty(site, services_off="75"), name="service 75, OMA BCAST, off")
    refused = without_service(site), commands(site, "Service", NO_INSTRUCTION)
    yield group(ANY, state, [accepted_ltkm(site, PLAIN_LTKM)], *refused)
    state = replace(empty(site, services_off="69"), name="service 69, MBMS security, off")
    yield group(ANY, state, mbms_commands(site, "Service", NO_SERVICE))
    refused = service_lost(site), commands(site, "Service", NO_INSTRUCTION)
    yield group(ANY, service_lost_later(site), [accepted_stkm(site, PLAIN_STKM)], *refused)
