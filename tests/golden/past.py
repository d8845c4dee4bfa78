"""What the saved cards have been through: one function for each variant of state, and the profile of its card.

Written so that it ran inside the sources of schema versions 1 and 2 too (`BEFORE`), whose messages were not yet as the
texts say: IDi was the whole NAF_ID, lower limits were inclusive, terminals were named at will, Ks_local was another
one. The oracle of those sources made the messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from card import CardProfile
from card.profile.sac import SharedSecret
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1
from tests.oracle.mikey import Ltkm
from tests.support import csim
from tests.support.bcast import KEY_DOMAIN, SEK, SMALL, BcastCard, tek
from tests.support.network import Bootstrap, bootstrap, deliver, derive_naf_keys, rand, stkm, vector
from tests.support.profiles import TEXT
from tests.support.sac import OTHER_PSK, PSK, sac_profile
from tests.support.sac_terminal import OracleTerminal
from tests.support.testcard import TestCard, pin_bytes, tlv
from tests.unit.card.commands.authenticate.test_local_key import derived, local_key_of, request, run

UA = bytes.fromhex("0100000001")
WAITS, DERIVED, IN_USE, DELETED, KNOWN_LATE = (
    f"{name}.example.org".encode() for name in ("waits", "derived", "in-use", "deleted", "known-late")
)
"""BM-SCs: one for which a newer NAF key waits, one whose NAF key was never used, one whose MUK is in use, one whose MUK
was deleted, and one for which nothing was derived yet."""
OTHER_NAF = b"other.example.org" + bytes.fromhex("0100000002")
OTHER_DOMAIN = bytes.fromhex("00F120")
RECORDING_TERMINAL, RECORDED_CONTENT = bytes(17), b"film"
PARENTAL_PIN, GRANTED = "2580", (1, 12)
_ROOM = TEXT.replace("msk_groups = 3", "msk_groups = 8").replace("muk_records = 2", "muk_records = 6")
_ROOM = _ROOM.replace("naf_keys = 2", "naf_keys = 6").replace("DISABLED", "").replace("INITIAL_SEQ", "0")
_ROOM = _ROOM.replace("AGE_LIMIT", "0")


def session(number: int) -> Bootstrap:
    """Return what the network knows of a bootstrapping."""
    made = vector(number, rand(number))
    return Bootstrap(made["f3"] + made["f4"], rand(number))


def msk(group: int, number: int) -> bytes:
    """Return an MSK ID."""
    return group.to_bytes(2, "big") + number.to_bytes(2, "big")


BEFORE = session(1).ltkm(1).id_i.endswith(UA)
"""True inside the sources of schema versions 1 and 2."""
TERMINAL = b"490154203237518" if BEFORE else bytes.fromhex("17084A09512430325781")
OTHER_TERMINAL, NAMED_TOO_LONG = b"terminal-2", b"a terminal with a longer name"


# --- keys of MBMS in every stage


def _mbms_profile() -> CardProfile:
    return CardProfile.parse(_ROOM, "golden card")


def hear(card: TestCard, message: Ltkm, mtk: int, ts: int) -> None:
    """Give an MTK message to the card, which must take it."""
    assert card.mbms(2, stkm(message, ts, mtk_id=mtk.to_bytes(2, "big")).build()).sw == "9000"


def _mbms(card: TestCard) -> None:
    card.ready()
    first = bootstrap(card, 1)
    for naf_id in (WAITS + UA, IN_USE + UA, DELETED + UA, OTHER_NAF):
        derive_naf_keys(card, naf_id)
    if BEFORE:  # any NAF passed for a BM-SC
        deliver(card, first.ltkm(9, OTHER_NAF, msk_id=msk(7, 1)))
    deliver(card, first.ltkm(8, DELETED + UA, msk_id=msk(6, 1)))
    muk = tlv(0xA0, tlv(0x80, first.b_tid) + tlv(0x82, first.ltkm(1, DELETED + UA).id_i))
    assert card.mbms(4, muk).sw == "9000"
    heard = first.ltkm(1, WAITS + UA, msk_id=msk(1, 1))
    deliver(card, heard)
    hear(card, heard, 5, 5)
    deliver(card, first.ltkm(2, WAITS + UA, msk_id=msk(1, 2)))
    deliver(card, first.ltkm(3, WAITS + UA, msk_id=msk(2, 1)))
    deliver(card, first.ltkm(4, WAITS + UA, msk_id=msk(2, 2)))
    deliver(card, first.ltkm(5, WAITS + UA, msk_id=msk(2, 2), lower=b"\0\2", upper=b"\0\1"))
    pushed_out = first.ltkm(1, IN_USE + UA, msk_id=msk(3, 1))
    deliver(card, pushed_out)
    hear(card, pushed_out, 50, 50)
    deliver(card, first.ltkm(2, IN_USE + UA, msk_id=msk(3, 2)))
    deliver(card, first.ltkm(3, IN_USE + UA, msk_id=msk(3, 3)))
    deliver(card, first.ltkm(4, IN_USE + UA, msk_id=msk(4, 1), **limits(5, 9)))
    # Its MTK IDs ran to 90; then it came again with a range that begins anew.
    renewed = first.ltkm(5, IN_USE + UA, msk_id=msk(4, 2), **limits(60, 90))
    deliver(card, renewed)
    hear(card, renewed, 90, 20)
    deliver(card, first.ltkm(6, IN_USE + UA, msk_id=msk(4, 2), **limits(1, 30)))
    deliver(card, first.ltkm(7, IN_USE + UA, key_domain_id=OTHER_DOMAIN, msk_id=msk(1, 1)))
    bootstrap(card, 2)
    derive_naf_keys(card, WAITS + UA)
    derive_naf_keys(card, DERIVED + UA)
    bootstrap(card, 3)


def limits(first: int, last: int) -> dict[str, bytes]:
    """Return limits that take the MTK IDs from `first` to `last`, as the messages of this version say it."""
    lower = first if BEFORE else first - 1
    return {"lower": lower.to_bytes(2, "big"), "upper": last.to_bytes(2, "big")}


# --- policies and credit of OMA BCAST


def _bcast_profile() -> CardProfile:
    small = SMALL % ("P1", "false", "")
    small = small.replace("history_keys = 3", "history_keys = 8").replace("purses = 3", "purses = 8")
    return CardProfile.parse(_ROOM + small, "golden card")


class Viewer:
    """A subscriber whose LTKMs come with rising counters."""

    def __init__(self, card: TestCard) -> None:
        self.it = BcastCard(card.ready(), bootstrap(card, 1), P1)
        derive_naf_keys(card)
        self.ltkms = 0

    def buy(self, group: int, number: int, policy: str, bounds: tuple[int, int] = (0, 99), **terms: int) -> None:
        """Deliver an LTKM, which must be accepted."""
        self.ltkms += 1
        m = LtkmData(key_id(group, number), SEK, *bounds, self.ltkms, policy, **terms)  # type: ignore[arg-type]
        sw, found = self.it.update(self.it.ltkm(m).build())
        assert (sw, found[0x80]) == ("9000", b"\0"), (policy, sw, found)

    def watch(self, group: int, number: int, *timestamps: int) -> None:
        """Give STKMs to the card, each with a TEK of its own, which must come."""
        for ts in timestamps:
            sw, found = self.it.generate(self.it.stkm(StkmData(key_id(group, number), SEK, ts, ts)).build())
            assert (sw, found.get(0x86)) == ("9000", tek(ts)), (group, number, ts, sw, found)


def key_id(group: int, number: int) -> tuple[bytes, bytes, bytes]:
    """Return Key Domain ID, Key Group part and Key Number part."""
    return KEY_DOMAIN, group.to_bytes(2, "big"), number.to_bytes(2, "big")


def _bcast(card: TestCard) -> None:
    viewer = Viewer(card)
    viewer.buy(1, 1, "live_ppt_key", cost=2, tokens=20)
    viewer.watch(1, 1, 1, 2)
    viewer.buy(1, 2, "live_ppv_user", cost=5, tokens=30)
    viewer.watch(1, 2, 1)
    viewer.buy(2, 1, "live_teks", counter=9)
    viewer.watch(2, 1, 1, 2, 3)
    viewer.buy(2, 2, "live_ppt_user", cost=1)
    viewer.watch(2, 2, 1)
    viewer.buy(3, 1, "playback_counted", counter=3)
    viewer.watch(3, 1, 10, 11)
    viewer.buy(3, 2, "playback_ppv_user", cost=5)
    viewer.watch(3, 2, 20)
    viewer.buy(3, 3, "playback_teks", counter=4)
    viewer.buy(3, 3, "playback_ppt_key", cost=1, tokens=7)
    viewer.buy(3, 3, "playback_ppt_user", cost=1)
    viewer.watch(3, 3, 30)
    viewer.buy(4, 1, "live_teks", counter=7, keep=True)
    viewer.buy(4, 1, "live_teks", (9, 1))
    viewer.buy(5, 1, "live_free")
    viewer.buy(5, 1, "playback_free", (20, 50))
    viewer.watch(5, 1, 40)
    viewer.buy(5, 2, "live_free")
    viewer.buy(5, 3, "live_free")


# --- recordings and parental control


def _recorded(card: TestCard) -> None:
    viewer = Viewer(card)
    viewer.buy(1, 1, "live_free")
    viewer.buy(1, 1, "playback_counted", counter=2)
    viewer.watch(1, 1, 10, 20, 30)
    interval = (10).to_bytes(4, "big") + (30).to_bytes(4, "big")
    sw, _ = viewer.it.operation(
        "record", terminal=RECORDING_TERMINAL, content=RECORDED_CONTENT, **viewer.it.key_fields(key_id(1, 1)),
        interval=interval,
    )  # fmt: skip
    assert sw == "9000"
    sw, _ = viewer.it.update(viewer.it.parental(viewer.ltkms + 1, PARENTAL_PIN, GRANTED).build())
    assert sw == "9000"
    assert card.send(f"002000{P1.pin:02X}08", pin_bytes("0000")).sw == "63C2"


# --- secure channels


def _channels_profile() -> CardProfile:
    named = [(TERMINAL, PSK), (OTHER_TERMINAL, OTHER_PSK)]
    if BEFORE:  # a Terminal_ID has at most 10 bytes
        named.append((NAMED_TOO_LONG, OTHER_PSK))
    secrets = tuple(SharedSecret(name.decode() if BEFORE else name, key) for name, key in named)  # type: ignore[arg-type]
    return sac_profile(psk=secrets)


def _channels(card: TestCard) -> None:
    card.ready()
    network = bootstrap(card, 1)
    derive_naf_keys(card)
    deliver(card, network.ltkm(1))
    key = replace(local_key_of(network), terminal_id=TERMINAL)
    assert run(card, request(key)) == derived(key)
    for secret, methods in ((key.key, 1), (PSK.reveal(), 2)):
        terminal = OracleTerminal(card, secret)
        terminal.start(terminal.connect(terminal.master(methods, TERMINAL)))


# --- a CSIM beside the USIM


def _csim_profile() -> CardProfile:
    return csim.csim_profile()


def _csim(card: TestCard) -> None:
    card.ready()
    network = bootstrap(card, 1)
    derive_naf_keys(card)
    message = network.ltkm(4)
    deliver(card, message)
    hear(card, message, 5, 5)
    card.ok(csim.SELECT_CSIM)
    assert card.verify(0x01, "1234").sw == "9000"
    message = csim.ltkm(6)
    deliver(card, message)
    hear(card, message, 7, 7)
    assert card.exchange(csim.update(1)).sw == "9000"


VARIANTS: Mapping[str, tuple[Callable[[], CardProfile], Callable[[TestCard], None]]] = {
    "mbms": (_mbms_profile, _mbms),
    "bcast": (_bcast_profile, _bcast),
    "recorded": (_bcast_profile, _recorded),
    "channels": (_channels_profile, _channels),
    "csim": (_csim_profile, _csim),
}
