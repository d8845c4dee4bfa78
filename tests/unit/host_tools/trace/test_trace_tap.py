"""The tap between something that speaks like vpcd and something that answers like a card."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from host_tools.links.base import LinkError
from host_tools.trace.events import CardEvent
from host_tools.trace.tap import Conversation, Tap
from host_tools.trace.tracer import Tracer
from tests.unit.host_tools.trace.fakes import Collector, exchanges


def frame(text: str) -> bytes:
    body = bytes.fromhex(text)
    return len(body).to_bytes(2, "big") + body


def receive(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = line.recv(size - len(data))
        assert part, "the line ended early"
        data += part
    return data


def call(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


@contextlib.contextmanager
def running(recorder: Tracer, vpcd_port: int) -> Iterator[Tap]:
    tap = Tap(0, vpcd_port, recorder)
    thread = threading.Thread(target=tap.run)
    thread.start()
    try:
        yield tap
    finally:
        tap.stop()
        thread.join(10)
        tap.close()
        assert not thread.is_alive()


def test_bytes_pass_unchanged_and_are_understood() -> None:
    collector = Collector()
    with socket.create_server(("127.0.0.1", 0)) as vpcd:
        vpcd.settimeout(10)
        recorder = Tracer("vpcd", [collector])
        with running(recorder, vpcd.getsockname()[1]) as tap, call(tap.port) as card:
            reader, _ = vpcd.accept()
            with reader:
                reader.settimeout(10)
                reader.sendall(frame("01") + frame("04"))
                assert receive(card, 6) == frame("01") + frame("04")
                card.sendall(frame("3B80"))
                assert receive(reader, 4) == frame("3B80")
                for command, answer in (("0020000108" + "31" * 8, "63C2"), ("00B0820002", "AABB9000")):
                    reader.sendall(frame(command))
                    assert receive(card, len(frame(command))) == frame(command)
                    card.sendall(frame(answer)[:3])
                    card.sendall(frame(answer)[3:])
                    assert receive(reader, len(frame(answer))) == frame(answer)
                reader.sendall(frame("00A40004023F00"))
                receive(card, 9)
    first, *rest = collector.events
    assert isinstance(first, CardEvent)
    assert (first.what, first.atr) == ("power on", b"\x3b\x80")
    assert len(rest) == 3
    verified, read, unanswered = exchanges(collector)
    assert (verified.sw, verified.hidden_command) == (0x63C2, ((5, 13),))
    assert "31" * 8 not in verified.command.hex()
    assert read.data == b"\xaa\xbb"
    assert unanswered.error == "the card did not answer"


def test_repeated_questions_for_the_atr_are_no_news() -> None:
    collector = Collector()
    conversation = Conversation(Tracer("vpcd", [collector]))
    for _ in range(3):
        conversation.reader_sent(frame("04"))
        conversation.card_sent(frame("3B80"))
    conversation.reader_sent(frame("02") + frame("04"))
    conversation.card_sent(frame("3B81"))
    conversation.reader_sent(frame("00"))
    events = [(event.what, event.atr.hex()) for event in collector.events if isinstance(event, CardEvent)]
    assert events == [("power on", "3b80"), ("reset", "3b81"), ("power off", "")]


def test_frames_come_in_any_portions() -> None:
    collector = Collector()
    conversation = Conversation(Tracer("vpcd", [collector]))
    for command, answer in (("00B0820002", "AABB9000"), ("00A40004023F00", "6A82")):
        for byte in frame(command):
            conversation.reader_sent(bytes((byte,)))
        for byte in frame(answer):
            conversation.card_sent(bytes((byte,)))
    # An empty answer, which our own bridge never gives, is one that was not given.
    conversation.reader_sent(frame("00B0820002"))
    conversation.card_sent(frame(""))
    assert [event.sw for event in exchanges(collector)] == [0x9000, 0x6A82, None]


def test_a_missing_vpcd_and_a_taken_port_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LinkError, match=f"cannot listen on port {port}"):
            Tap(port, 1, Tracer("x", []))
    tap = Tap(0, port, Tracer("x", []))
    with socket.create_connection(("127.0.0.1", tap.port)), pytest.raises(LinkError, match="is pcscd running"):
        tap.run()
    tap.close()
