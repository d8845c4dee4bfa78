"""What goes to a subscriber when, and again when nothing comes back (TS 33.246 clause 6.4.3)."""

from __future__ import annotations

import pytest

from card.codec.mikey import Identity, KeyInterval, MbmsKeyIds, MikeyMessage, Timestamp
from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.headend.bsm.books import Outstanding, Route
from host_tools.headend.bsm.ltkm_sender import FIRST_WAIT, MOST_TRIES, LtkmSender
from host_tools.headend.bsm.memory_books import MOST_ORDERS, MemoryOutbox
from host_tools.headend.bsm.orders import Order, OrderKind, OrderMint
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError, VerificationError
from tests.oracle.mikey import Ltkm
from tests.unit.host_tools.headend.networks import IMPI, small_network

ALWAYS = KeyInterval.between(0, 0xFFFF_FFFF, 4)
TOKENS = Order(OrderKind.WITHOUT_KEY, "one", validity=ALWAYS, extension=b"\x01\x00", credits=True)
KEY = Order.for_key("one")


class Desk:
    """A BSM, one subscriber, and a sender."""

    def __init__(self, *, remint: bool = True) -> None:
        self.network = small_network()
        self.bsm: Bsm = self.network.bsm
        self.b_tid = self.bootstrap()
        self.outbox = MemoryOutbox()
        self.sender = LtkmSender(self.bsm, OrderMint(self.bsm), self.outbox, remint=remint)
        self.now = 1000.0

    def bootstrap(self) -> str:
        return self.network.bsf.presume_answered(self.network.bsf.challenge(IMPI).rand).b_tid

    @property
    def route(self) -> Route:
        return Route("127.0.0.2", self.b_tid)

    def order(self, *orders: Order) -> None:
        self.sender.order(IMPI, self.route, orders, self.now)

    def register(self, *orders: Order, taken: tuple[tuple[str, int], ...] = ()) -> None:
        self.sender.begin(IMPI, self.route, orders, taken, self.now)

    def told(self, *taken: tuple[str, int]) -> None:
        self.sender.told(IMPI, self.route, taken, self.now)

    def seen(self) -> None:
        self.sender.seen(IMPI, self.route, self.now)

    def due(self) -> list[bytes]:
        """Return what goes out now."""
        return [ltkm for line in self.outbox.due(self.now, 10) for ltkm in self.sender.step(line, self.now)]

    def wait(self) -> list[bytes]:
        """Go on to when something is due, and return what goes out then; nothing when nothing is."""
        at = self.outbox.next_at()
        self.now = self.now if at is None else max(self.now, at)
        return self.due()

    def waiting(self) -> tuple[Outstanding, ...]:
        return self.outbox.outstanding_of(IMPI)

    def answer(self, ltkm: bytes) -> bytes:
        """Return the verification message of a card, made by the oracle."""
        key, message = self.bsm.current_key("one"), MikeyMessage.decode(ltkm)
        b_tid = message.all(Identity)[1].value
        return Ltkm(
            psk=self.bsm.smk(b_tid.decode()).reveal(),
            csb_id=key.csb_id,
            rand=key.rand,
            timestamp=counter_of(ltkm),
            id_i=self.bsm.fqdn,
            id_r=b_tid,
            key_domain_id=key.key_domain_id,
            msk_id=key.msk_id,
            msk=b"",
            lower=b"",
            upper=b"",
        ).build_verification()

    def answered(self, ltkm: bytes) -> None:
        self.sender.answered(self.answer(ltkm), self.now)


def counter_of(ltkm: bytes) -> int:
    return MikeyMessage.decode(ltkm).one(Timestamp).value


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.norm("62")
def test_the_next_one_is_minted_when_the_one_before_is_answered(desk: Desk) -> None:
    desk.order(KEY, KEY)
    (first,) = desk.due()
    assert desk.due() == []
    desk.answered(first)
    assert list(map(counter_of, desk.due())) == [2]
    assert desk.due() == []


def test_what_was_sent_under_an_earlier_b_tid_stays_where_there_is_no_room_to_order_it_again(desk: Desk) -> None:
    desk.order(KEY)
    (sent,) = desk.due()
    for _ in range(MOST_ORDERS):
        desk.outbox.add(IMPI, KEY)
    before, desk.b_tid = desk.b_tid, desk.bootstrap()
    with pytest.raises(HeadendError, match="wait for this terminal already"):
        desk.order(KEY)
    assert [(one.b_tid, one.ltkm) for one in desk.waiting()] == [(before, sent)]


@pytest.mark.norm("62")
def test_a_plain_msk_message_goes_again_with_the_next_t_and_waits_longer_each_time(desk: Desk) -> None:
    begun = desk.now
    desk.order(KEY)
    assert list(map(counter_of, desk.due())) == [1]
    at = list[float]()
    for tries in range(MOST_TRIES):
        assert list(map(counter_of, desk.wait())) == [2 + tries]
        at.append(desk.now - begun)
    assert at == [FIRST_WAIT * (2 ** (tries + 1) - 1) for tries in range(MOST_TRIES)]
    assert desk.sender.resent == MOST_TRIES
    assert len(desk.waiting()) == 1
    assert desk.wait() == []
    assert desk.waiting() == ()
    assert desk.outbox.next_at() is None


def test_after_the_last_try_the_next_key_follows(desk: Desk) -> None:
    desk.order(KEY, KEY)
    sent = desk.due()
    while desk.outbox.next_at() is not None:
        sent += desk.wait()
    assert list(map(counter_of, sent)) == list(range(1, 2 * MOST_TRIES + 3))


@pytest.mark.norm("62")
def test_an_ltkm_that_credits_goes_again_as_it_was_and_nothing_overtakes_it(desk: Desk) -> None:
    desk.order(TOKENS, Order.for_pull("one"))
    (ltkm,) = desk.due()
    assert [desk.wait() for _ in range(MOST_TRIES)] == [[ltkm]] * MOST_TRIES
    assert desk.wait() == []
    assert desk.outbox.next_at() is None
    # A further order starts the timer again, and nothing with a higher T goes out.
    desk.order(KEY)
    assert desk.due() == []
    assert desk.wait() == [ltkm]
    desk.answered(ltkm)
    # The pull, which waits for no answer, and the key behind it.
    assert list(map(counter_of, desk.due())) == [2, 3]


def test_the_next_registration_sends_what_credits_first_and_as_it_was(desk: Desk) -> None:
    desk.order(KEY, TOKENS, TOKENS)
    (key,) = desk.due()
    desk.answered(key)
    (ltkm,) = desk.due()
    desk.register(KEY)
    assert desk.due() == [ltkm]
    desk.answered(ltkm)
    # The other tokens were ordered before the key and are not forgotten.
    (second,) = desk.due()
    assert counter_of(second) == 3
    assert [order for _, order in desk.outbox.orders(IMPI)] == [KEY]


def test_what_a_terminal_says_it_took_is_believed(desk: Desk) -> None:
    desk.order(TOKENS)
    (ltkm,) = desk.due()
    desk.register(KEY, taken=((desk.b_tid, counter_of(ltkm)),))
    assert desk.sender.believed == 1
    (key,) = desk.due()
    assert counter_of(key) == 2
    assert not desk.waiting()[0].order.credits


@pytest.mark.parametrize("what", ["tokens", "a withdrawal"])
def test_what_was_given_up_goes_out_again_when_the_terminal_asks_for_anything(desk: Desk, what: str) -> None:
    desk.order(TOKENS if what == "tokens" else Order.for_withdrawal(desk.bsm.current_key("one")))
    first = desk.due()
    desk.seen()  # its time has not come
    assert desk.due() == []
    for _ in range(20):
        desk.wait()
    assert desk.outbox.next_at() is None
    desk.seen()
    again = desk.due()
    assert len(again) == 1
    assert (again == first) is (what == "tokens")
    desk.answered(again[0])
    assert desk.due() == []
    desk.seen()  # nothing is left
    assert desk.outbox.next_at() is None


class TestUnderANewSmk:
    """TS 33.246 clause 6.4.3: T begins anew. That of tokens is ours."""

    def test_what_was_ordered_and_what_was_sent_plain_goes_out_under_it(self, desk: Desk) -> None:
        desk.order(KEY, TOKENS)
        desk.due()
        desk.b_tid = desk.bootstrap()
        desk.order(KEY)
        (first,) = desk.due()
        assert counter_of(first) == 1
        assert desk.b_tid.encode() in first
        kinds = [order.kind for _, order in desk.outbox.orders(IMPI)]
        assert kinds == [OrderKind.WITHOUT_KEY, OrderKind.KEY]

    def test_tokens_in_doubt_hold_nothing_up_and_are_made_anew_at_the_registration(self, desk: Desk) -> None:
        desk.order(TOKENS)
        (old,) = desk.due()
        desk.b_tid = desk.bootstrap()
        desk.order(KEY)
        (key,) = desk.due()
        assert counter_of(key) == 1
        desk.answered(key)
        assert [one.ltkm for one in desk.waiting()] == [old]
        assert desk.outbox.figures().doubtful == 1
        desk.register(KEY)
        (anew,) = desk.due()
        assert anew != old
        assert desk.b_tid.encode() in anew
        assert (desk.sender.reminted, counter_of(anew)) == (1, 2)
        assert [one.order for one in desk.waiting()] == [TOKENS]

    def test_tokens_that_were_taken_are_not_given_twice(self, desk: Desk) -> None:
        desk.order(TOKENS)
        (old,) = desk.due()
        before, desk.b_tid = desk.b_tid, desk.bootstrap()
        desk.register(KEY, taken=((before, counter_of(old)),))
        assert (desk.sender.reminted, desk.sender.believed) == (0, 1)
        (key,) = desk.due()
        assert [one.ltkm for one in desk.waiting()] == [key]

    def test_a_terminal_with_nothing_to_register_for_says_in_another_request_what_it_took(self, desk: Desk) -> None:
        desk.order(TOKENS)
        (old,) = desk.due()
        before, desk.b_tid = desk.b_tid, desk.bootstrap()
        desk.told((before, counter_of(old)))
        assert (desk.sender.reminted, desk.sender.believed, desk.waiting(), desk.due()) == (0, 1, (), [])

    def test_what_it_did_not_take_comes_anew_with_another_request(self, desk: Desk) -> None:
        desk.order(TOKENS)
        desk.due()
        desk.b_tid = desk.bootstrap()
        desk.told()
        (anew,) = desk.due()
        assert desk.b_tid.encode() in anew
        assert (desk.sender.reminted, [one.order for one in desk.waiting()]) == (1, [TOKENS])
        desk.told()  # under the SMK of now it is not in doubt: it may still be on its way
        assert (desk.sender.reminted, [one.ltkm for one in desk.waiting()]) == (1, [anew])

    def test_an_answer_that_comes_late_settles_them(self, desk: Desk) -> None:
        desk.order(TOKENS)
        (old,) = desk.due()
        desk.b_tid = desk.bootstrap()
        desk.order(KEY)
        desk.answered(old)
        desk.register(KEY)
        assert desk.sender.reminted == 0
        assert [order.kind for _, order in desk.outbox.orders(IMPI)] == [OrderKind.KEY]

    def test_they_stay_in_doubt_where_terminals_are_not_trusted(self) -> None:
        desk = Desk(remint=False)
        desk.order(TOKENS)
        (old,) = desk.due()
        desk.b_tid = desk.bootstrap()
        desk.register(KEY)
        assert desk.sender.reminted == 0
        assert [one.ltkm for one in desk.waiting()] == [old]


def test_a_registration_drops_keys_that_wait_and_keeps_withdrawals(desk: Desk) -> None:
    withdrawal = Order.for_withdrawal(desk.bsm.current_key("two"))
    desk.order(KEY, withdrawal, Order.for_key("two"))
    desk.register(KEY)
    assert [order for _, order in desk.outbox.orders(IMPI)] == [withdrawal, KEY]
    # A key that is ordered again makes its withdrawal void.
    desk.register(Order.for_key("two"))
    assert [order for _, order in desk.outbox.orders(IMPI)] == [Order.for_key("two")]


def test_a_pull_waits_for_no_answer(desk: Desk) -> None:
    desk.order(Order.for_pull("one"), KEY)
    assert list(map(counter_of, desk.due())) == [1, 2]


def test_octets_go_out_as_they_are(desk: Desk) -> None:
    made = desk.bsm.pull("one", desk.b_tid)
    desk.order(Order(OrderKind.OCTETS, octets=made))
    assert desk.due() == [made]


def test_a_wrong_answer_changes_nothing(desk: Desk) -> None:
    with pytest.raises(DecodeError):
        desk.sender.answered(b"", desk.now)
    desk.order(KEY)
    (ltkm,) = desk.due()
    right = desk.answer(ltkm)
    with pytest.raises(VerificationError, match="MAC"):
        desk.sender.answered(right[:-1] + bytes((right[-1] ^ 1,)), desk.now)
    assert len(desk.waiting()) == 1
    desk.sender.answered(right, desk.now)
    with pytest.raises(VerificationError, match="no LTKM waits"):
        desk.sender.answered(right, desk.now)


def test_what_cannot_be_made_is_passed_over_unless_it_credits(desk: Desk) -> None:
    desk.order(Order.for_key("nothing"), KEY)
    assert list(map(counter_of, desk.due())) == [1]
    paid = Order(OrderKind.WITHOUT_KEY, "nothing", credits=True)
    desk.register(paid, KEY)
    assert list(map(counter_of, desk.due())) == [2]  # a key that is asked for does not wait behind it
    assert [order for _, order in desk.outbox.orders(IMPI)] == [paid]


def test_what_waits_has_a_bound_and_nothing_is_dropped(desk: Desk) -> None:
    desk.order(*[TOKENS] * MOST_ORDERS)
    with pytest.raises(HeadendError, match="1024 LTKMs wait"):
        desk.order(KEY)
    assert list(map(counter_of, desk.due())) == [1]
    desk.order(KEY)


def test_an_order_is_data() -> None:
    ids = MbmsKeyIds(bytes(3), bytes(4))
    full = Order(OrderKind.KEY, "one", ids, ALWAYS, b"\1\2", Secret(b"1234"), b"octets", credits=True)
    for order in (full, KEY, TOKENS, Order.for_pull("one")):
        assert Order.decode(order.encode()) == order
    assert "31323334" not in repr(full)
    for stored in (b"", b"{}", b"[]", KEY.encode().replace(b'"key"', b'"kex"', 1), b'{"kind":1}'):
        with pytest.raises(DecodeError):
            Order.decode(stored)
