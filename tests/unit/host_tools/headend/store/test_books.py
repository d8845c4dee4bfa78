"""The books of the BSM: the same in memory, in SQLite and in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.books import (
    MOST_REQUESTS,
    REQUEST_LIFE,
    REQUESTS_FOR_GOOD,
    Answered,
    Books,
    Letter,
    Line,
    Outstanding,
    Registered,
    Route,
)
from host_tools.headend.bsm.memory_books import (
    MOST_LETTERS,
    MOST_ORDERS,
    OUTSTANDING_OF_A_SUBSCRIBER,
    RECORDS_OF_A_KIND,
)
from host_tools.headend.bsm.orders import Order
from host_tools.headend.errors import HeadendError

ME, YOU = "me@home", "you@home"
ROUTE = Route("127.0.0.2", "b-tid@bsf", 5000)
ONE, TWO, THREE = Order.for_key("one"), Order.for_key("two"), Order.for_pull("three")


def waiting(books: Books, identity: str = ME) -> list[Order]:
    return [order for _, order in books.outbox.orders(identity)]


def test_a_registration_is_of_one_subscriber_and_replaces_the_one_before(books: Books) -> None:
    first = Registered(("urn:a", "urn:b"), ROUTE, 12.5)
    assert books.registrations.find(ME) is None
    books.registrations.put(ME, first)
    assert books.registrations.find(ME) == first
    second = replace(first, service_ids=("urn:c",), route=replace(ROUTE, port=None))
    books.registrations.put(ME, second)
    assert (books.registrations.find(ME), books.registrations.find(YOU)) == (second, None)
    books.registrations.drop(ME)
    books.registrations.drop(ME)
    assert books.registrations.find(ME) is None


def test_registrations_are_walked_by_pages_whatever_comes_and_goes(books: Books) -> None:
    made = {f"id {number}@home": Registered(("urn:a",), ROUTE, float(number)) for number in range(5)}
    for name in reversed(made):
        books.registrations.put(name, made[name])
    assert books.registrations.page("", 2) == tuple(made.items())[:2]
    books.registrations.drop("id 1@home")
    assert books.registrations.page("id 1@home", 2) == tuple(made.items())[2:4]
    assert books.registrations.page("id 3@home", 9) == tuple(made.items())[4:]
    assert books.registrations.page("id 4@home", 9) == ()


def test_orders_wait_in_their_order_and_some_go_ahead(books: Books) -> None:
    outbox = books.outbox
    assert outbox.first(ME) is None
    outbox.add(ME, ONE)
    outbox.add(ME, TWO)
    outbox.add(ME, THREE, ahead=True)
    outbox.add(YOU, ONE)
    assert waiting(books) == [THREE, ONE, TWO]
    first = outbox.first(ME)
    assert first == outbox.orders(ME)[0]
    assert first is not None
    outbox.drop(ME, first[0])
    assert (waiting(books), waiting(books, YOU)) == ([ONE, TWO], [ONE])


def test_too_many_orders_are_refused_and_none_is_dropped(books: Books) -> None:
    for _ in range(MOST_ORDERS):
        books.outbox.add(ME, ONE)
    with pytest.raises(HeadendError, match=f"{MOST_ORDERS} LTKMs wait"):
        books.outbox.add(ME, TWO)
    books.outbox.add(YOU, TWO)
    assert books.outbox.figures().orders == MOST_ORDERS + 1


def test_lines_are_due_by_their_time(books: Books) -> None:
    outbox = books.outbox
    assert (outbox.next_at(), outbox.due(1e9, 10)) == (None, ())
    for number, at in enumerate([30.0, 10.0, None, 20.0]):
        outbox.put_line(Line(f"id {number}", ROUTE, at))
    assert outbox.next_at() == 10.0
    assert outbox.due(9.9, 10) == ()
    assert [line.identity for line in outbox.due(20.0, 10)] == ["id 1", "id 3"]
    assert [line.identity for line in outbox.due(99.0, 1)] == ["id 1"]
    outbox.put_line(Line("id 1", ROUTE, None, 3))
    assert outbox.next_at() == 20.0
    assert outbox.line("id 1") == Line("id 1", ROUTE, None, 3)
    outbox.put_line(Line("id 1", ROUTE, 5.0, 0))
    outbox.put_line(Line("id 3", ROUTE, 40.0))
    assert [line.identity for line in outbox.due(99.0, 10)] == ["id 1", "id 0", "id 3"]


def test_there_is_one_outstanding_under_each_b_tid_and_a_bound_for_each_subscriber(books: Books) -> None:
    outbox = books.outbox
    made = [Outstanding(ME, f"{number}@bsf", ONE, bytes((number,))) for number in range(OUTSTANDING_OF_A_SUBSCRIBER)]
    for one in made:
        outbox.keep(one)
    again = replace(made[0], ltkm=b"anew")
    outbox.keep(again)
    assert outbox.outstanding("0@bsf") == again
    assert set(outbox.outstanding_of(ME)) == {again, *made[1:]}
    outbox.keep(Outstanding(YOU, "other@bsf", TWO, b""))
    outbox.put_line(Line(ME, replace(ROUTE, b_tid="0@bsf"), None))
    outbox.put_line(Line(YOU, replace(ROUTE, b_tid="other@bsf"), None))
    figures = outbox.figures()
    assert (figures.outstanding, figures.doubtful) == (OUTSTANDING_OF_A_SUBSCRIBER + 1, OUTSTANDING_OF_A_SUBSCRIBER - 1)
    outbox.keep(Outstanding(ME, "more@bsf", ONE, b""))
    assert len(outbox.outstanding_of(ME)) == OUTSTANDING_OF_A_SUBSCRIBER
    assert outbox.outstanding("more@bsf") is not None
    outbox.settle("more@bsf")
    assert outbox.outstanding("more@bsf") is None


def test_an_answered_request_is_kept_for_its_life_and_the_newest_for_good(books: Books) -> None:
    requests = books.requests
    answered = Answered(b"print", b"<answer/>", 1000.0)
    assert requests.find(ME, "r") is None
    requests.keep(ME, "r", answered)
    assert requests.find(ME, "r") == answered
    assert requests.find(YOU, "r") is None
    for number in range(REQUESTS_FOR_GOOD):
        requests.keep(ME, f"r{number}", answered)
    requests.make_room(ME, 999.0 + REQUEST_LIFE)
    assert requests.find(ME, "r") == answered
    requests.make_room(YOU, 1000.0 + REQUEST_LIFE)
    assert requests.find(ME, "r") == answered
    requests.make_room(ME, 1000.0 + REQUEST_LIFE)
    assert requests.find(ME, "r") is None
    requests.make_room(ME, 1000.0 * REQUEST_LIFE)
    assert all(requests.find(ME, f"r{number}") for number in range(REQUESTS_FOR_GOOD))


def test_where_none_may_be_forgotten_a_further_request_is_refused_until_some_are_over(books: Books) -> None:
    requests = books.requests
    for number in range(MOST_REQUESTS):
        requests.make_room(ME, float(number))
        requests.keep(ME, f"r{number}", Answered(b"print", b"<answer/>", float(number)))
    with pytest.raises(HeadendError, match="within a day"):
        requests.make_room(ME, REQUEST_LIFE - 1)
    requests.make_room(YOU, REQUEST_LIFE - 1)
    requests.make_room(ME, REQUEST_LIFE)
    assert (requests.find(ME, "r0"), requests.find(ME, "r1")) == (None, Answered(b"print", b"<answer/>", 1.0))


def test_records_are_of_a_kind_a_subscriber_and_a_name(books: Books) -> None:
    records = books.records
    records.put("a", ME, "x", b"1")
    records.put("a", ME, "y", b"2")
    records.put("b", ME, "x", b"3")
    records.put("a", ME, "x", b"4")
    assert records.of("a", ME) == {"x": b"4", "y": b"2"}
    assert (records.find("b", ME, "x"), records.find("a", YOU, "x")) == (b"3", None)
    records.drop("a", ME, "x")
    records.drop("a", ME, "x")
    assert records.of("a", ME) == {"y": b"2"}
    for number in range(RECORDS_OF_A_KIND - 1):
        records.put("a", ME, f"n{number}", b"")
    with pytest.raises(HeadendError, match="records of a kind"):
        records.put("a", ME, "more", b"")
    records.put("a", ME, "y", b"changed")
    assert records.find("a", ME, "y") == b"changed"


def test_letters_go_once_and_again_where_nobody_says_that_they_have_gone(books: Books) -> None:
    letters, place = books.letters, Endpoint("127.0.0.3", 4359)
    assert letters.due(10.0, 20.0, 5) == ()
    for payload in (b"<a", b"<b", b"<c"):
        letters.add(place, payload, 10.0)
    assert letters.due(9.9, 20.0, 5) == ()
    first = letters.due(10.0, 20.0, 2)
    assert [(one.place, one.payload) for one in first] == [(place, b"<a"), (place, b"<b")]
    assert [one.payload for one in letters.due(10.0, 20.0, 5)] == [b"<c"]
    assert letters.due(19.9, 30.0, 5) == ()
    letters.drop([first[0].number])
    letters.drop([])
    assert [one.payload for one in letters.due(20.0, 30.0, 5)] == [b"<b", b"<c"]
    assert "<b" not in repr(first[1])


def test_the_oldest_letters_give_way(books: Books) -> None:
    letters, place = books.letters, Endpoint("127.0.0.3", 4359)
    for number in range(MOST_LETTERS + 2):
        letters.add(place, str(number).encode(), 1.0)
    found: list[Letter] = list(letters.due(1.0, 2.0, MOST_LETTERS + 2))
    assert [one.payload for one in found] == [str(number).encode() for number in range(2, MOST_LETTERS + 2)]
