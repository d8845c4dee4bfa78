"""Planted keys are looked for in everything a card says of itself while it works by the BCAST rules."""

from __future__ import annotations

import traceback

from card.errors import CardError
from tests.oracle.bcast_model import POLICIES, LtkmData, StkmData
from tests.oracle.bcast_wire import P1
from tests.support.bcast import KEY_ID, SEK, BcastCard, tek
from tests.support.testcard import TestCard, pin_bytes


class Listener:
    """Keeps every trace event as it prints and as it is shown in a debugger."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def emit(self, event: object) -> None:
        self.said += [str(event), repr(event)]


def test_no_secret_in_trace_reply_repr_or_exception() -> None:
    it = BcastCard.new(P1)
    listener = Listener()
    it.card = TestCard(it.card.store, listener).ready()
    replies: list[str] = []
    for ts, policy in enumerate(POLICIES, 1):
        m = LtkmData(KEY_ID, SEK, 0, 99, ts, policy, cost=1, counter=2)
        answer = it.update(it.ltkm(m, verify=True, reporting=True, rating=(1, 2)).build())
        replies.append(repr(answer))
    pin = pin_bytes("90817263")
    replies.append(repr(it.update(it.parental(90, "90817263", (1, 1)).build())))
    for ts in (3, 4, 3, 4, 100):
        message = it.stkm(StkmData(KEY_ID, SEK, ts, ts, True, (1, ts)))
        sw, found = it.generate(message.build())
        replies.append(repr((sw, {tag: value for tag, value in found.items() if tag != 0x86})))
    for mode in ("audit", "recordings"):
        replies.append(repr(it.operation(mode)))
        replies.append(repr(it.operation(mode, **it.key_fields(KEY_ID[:2])) if mode == "audit" else ""))
    context = it.card.card._context
    application = context.applications["USIM"]
    bcast = application.bcast
    assert bcast is not None
    shown = [context.session, bcast, bcast.msks.msks(), list(bcast.policies.items()), application.mbms, context]
    said = "\n".join([*listener.said, *replies, *map(repr, shown), *map(repr, map(vars, [bcast, bcast.msks]))]).lower()
    secrets = {"SEK": SEK, "SMK": it.network.muk(), "Ks": it.network.ks, "PINCODE": pin, "TEK": tek(3)}
    for name, secret in secrets.items():
        assert secret.hex() not in said, name
        assert repr(secret)[2:-1].lower() not in said, name


def test_no_secret_in_the_words_of_an_error() -> None:
    it = BcastCard.new(P1)
    application = it.card.card._context.applications["USIM"]
    bcast = application.bcast
    assert bcast is not None
    m = it.ltkm(LtkmData(KEY_ID, SEK[:15], 0, 99, 1, "live_free")).build()
    from card.commands.bcast.parental import SessionGate
    from card.domain.messages.ltkm import process_ltkm

    gate = SessionGate(it.card.card._context, bcast.parental.pin_name)
    try:
        process_ltkm(m, application.key_root, bcast, gate, offered=True)
    except CardError as error:
        words = "".join(traceback.format_exception(error)) + repr(error)
        assert SEK[:15].hex() not in words.lower()
        return
    raise AssertionError("a key of 15 bytes was taken")
