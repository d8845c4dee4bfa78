"""No key and no PIN appears in a trace, an error or the repr of anything the card is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from card import CardProfile
from card.commands import dispatch
from card.commands.errors import status_for
from card.domain.application import StoredApplication
from card.domain.authentication.gba import StoredBootstrap, StoredNafKey
from card.domain.keys.mbms import StoredMsk, StoredMuk
from card.domain.pin import StoredPin
from card.errors import CardError
from card.personalisation.personalise import personalise
from card.state.stored import StoredTable
from card.store.memory import MemoryStore
from card.trace import ApduExchanged
from tests.support import profiles
from tests.support.network import (
    MSK_UPDATE,
    MTK_GENERATION,
    Bootstrap,
    bootstrap,
    deliver,
    derive_naf_keys,
    rand,
    stkm,
    vector,
)
from tests.support.ports import CollectingTrace
from tests.support.testcard import SELECT_USIM, TestCard, lv, pin_bytes

# Codes of eight digits that cannot appear by chance.
CODES = {
    profiles.PIN1: "97531864",
    profiles.PIN2: "86420975",
    profiles.UNIVERSAL: "75319642",
    profiles.ADM1: "64208531",
    profiles.PUK1: "53197420",
    profiles.PUK2: "42086319",
}
NEW_PIN, WRONG_PIN = "31975208", "20864197"
TABLES: dict[str, type[Any]] = {
    "app/": StoredApplication,
    "pin/": StoredPin,
    "gba/USIM/": StoredBootstrap,
    "naf/USIM/": StoredNafKey,
    "muk/USIM/": StoredMuk,
    "msk/USIM/": StoredMsk,
}


def profile() -> CardProfile:
    text = profiles.TEXT.replace("DISABLED", "").replace("INITIAL_SEQ", "0").replace("AGE_LIMIT", "0")
    for old, new in CODES.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return CardProfile.parse(text)


class Session:
    """A session through everything that handles a secret, with all that it shows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: list[CardError] = []
        self.trace = CollectingTrace()

        def keep(error: CardError, refinements: Mapping[type[CardError], int]) -> int | None:
            self.errors.append(error)
            return status_for(error, refinements)

        monkeypatch.setattr(dispatch, "status_for", keep)
        store = MemoryStore()
        personalise(profile(), store)
        self.card = TestCard(store, self.trace)
        self.shown: list[str] = []
        self.bootstrap = self.run()

    def run(self) -> Bootstrap:
        card = self.card
        card.ok(SELECT_USIM)
        for code in (WRONG_PIN, CODES[profiles.PIN1]):
            card.verify(0x01, code)
        card.send("2020000108", pin_bytes(CODES[profiles.PIN1]))  # a class mistyped
        card.send("0021000108", pin_bytes(CODES[profiles.PIN1]))  # an instruction mistyped
        card.send("0020000107", pin_bytes(CODES[profiles.PIN1])[:7])
        card.send("0024000110", pin_bytes(CODES[profiles.PIN1]), pin_bytes(NEW_PIN))
        card.send("002C000110", pin_bytes(WRONG_PIN), pin_bytes(NEW_PIN))
        card.send("002C000110", pin_bytes(CODES[profiles.PUK1]), pin_bytes(NEW_PIN))
        card.verify(0x0A, CODES[profiles.ADM1])
        self.look()
        card.ok("0088008122", lv(rand(1), vector(1, rand(1))["autn"]))
        card.send("0088008122", lv(rand(2), vector(2, rand(2))["autn"]))
        self.look()  # RES, CK and IK are waiting for GET RESPONSE
        session = bootstrap(card, 3)
        derive_naf_keys(card)
        message = session.ltkm(verify=True)
        deliver(card, session.ltkm(1))
        card.mbms(MSK_UPDATE, session.ltkm(1).build())
        card.mbms(MSK_UPDATE, session.ltkm(2, msk=bytes(15)).build())
        card.mbms(MSK_UPDATE, session.ltkm(2, psk=bytes(32)).build())
        card.mbms(MTK_GENERATION, stkm(message, 1).build())
        card.mbms(MTK_GENERATION, stkm(message, 1).build())
        card.mbms(MTK_GENERATION, stkm(message, 2, tek=bytes(15)).build())
        traffic = b"\x53\x61\x02" + stkm(message, 3).build()
        assert card.send("0089808563", traffic).sw == "62F3"
        self.look()  # the TEK is waiting to be fetched
        card.send("0089A00010")
        self.look()
        return session

    def look(self) -> None:
        """Note the repr of everything the card is made of, as it stands."""
        context = self.card.card._context
        application = context.applications["USIM"]
        parts = [
            self.card.card, context, context.session, context.nv, context.pins, context.files, context.applications,
            application, application.aka, application.gba, application.mbms, application.key_root, self.card.store,
            *context.session.channels.values(),
        ]  # fmt: skip
        self.shown += [f"{part!r} {part!s}" for part in parts]
        for prefix, kind in TABLES.items():
            table: StoredTable[Any] = StoredTable(context.nv, prefix, kind)
            self.shown += [f"{record!r} {record!s}" for _, record in table.items()]

    def everything(self) -> Iterator[str]:
        yield from self.shown
        for event in self.trace.events:
            yield f"{event!r} {event!s}"
        for error in self.errors:
            yield f"{error!r} {error!s} {error.args!r}"


def secrets_of(session: Session) -> dict[str, bytes]:
    vectors = [vector(seq, rand(seq), seq % 32) for seq in (1, 2, 3)]
    keys = {f"{name}{number}": made[name] for number, made in enumerate(vectors, 1) for name in ("f2", "f3", "f4")}
    codes = {f"code {code}": code.encode() for code in (*CODES.values(), NEW_PIN, WRONG_PIN)}
    return {
        **keys,
        **codes,
        "K": profiles.K,
        "OPc": profiles.OPC,
        "MUK": session.bootstrap.muk(),
        "Ks_ext_NAF": session.bootstrap.ks_ext_naf(),
        "MSK": bytes(range(0xA0, 0xB0)),
        "TEK": bytes(range(0xB0, 0xC0)),
        "salt": bytes(range(0xC0, 0xCE)),
    }


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    return Session(monkeypatch)


def test_nothing_shows_a_secret(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    shown = list(session.everything())
    shown += capfd.readouterr()
    found = []
    for name, secret in secrets_of(session).items():
        forms = {secret.hex(), secret.hex().upper(), repr(secret)[2:-1], secret.hex(" "), repr(list(secret))[1:-1]}
        found += [f"{name} in {text[:80]}" for text in shown for form in forms if form in text]
    assert found == []


def test_the_session_did_what_it_should(session: Session) -> None:
    """Without this, an empty session would show no secret either."""
    assert len(session.errors) >= 4
    events = [event for event in session.trace.events if isinstance(event, ApduExchanged)]
    assert len(events) > 25
    names = {event.name for event in events if event.command_data is None or event.response_data is None}
    assert {"VERIFY PIN", "CHANGE PIN", "UNBLOCK PIN", "AUTHENTICATE (odd)", "GET RESPONSE"} <= names
    assert "AUTHENTICATE" in {event.name for event in events}  # its answers waited for GET RESPONSE
    assert "unknown command" in names
    assert any("StoredMsk" in text for text in session.shown)


def test_an_event_is_one_line_that_tells_what_happened(session: Session) -> None:
    lines = [str(event) for event in session.trace.events]
    assert all("\n" not in line for line in lines)
    assert "-- power on" in lines[0]
    assert any(line.startswith("00200001 VERIFY PIN [8] (secret) -> 63C2: verification failed") for line in lines)
