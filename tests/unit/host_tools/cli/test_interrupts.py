"""The ways a command is told to end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from host_tools.cli.interrupts import Ending, interruptible

SCRIPT = """
import signal, sys, time
from host_tools.cli.interrupts import interruptible
{before}
try:
    with interruptible():
        print("ready", flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    for _ in range(3):
        signal.raise_signal(signal.SIGINT)
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_ends_it_once_and_the_next_is_ignored(number: signal.Signals) -> None:
    assert _ended_by(number) == (0, "interrupted\n")


def test_nohup_outlives_the_terminal() -> None:
    process = _start("signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    try:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30)[0] == "interrupted\n"
    finally:
        process.kill()
        process.communicate()


def test_without_an_interrupt_everything_is_as_before() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with interruptible():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.fixture
def signals() -> Iterator[None]:
    """Put the handlers back: an interrupt switches them off for good, in this process and those it starts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_a_command_that_looks_ends_by_itself_and_a_second_signal_interrupts_it() -> None:
    ending = Ending()
    with interruptible(ending):
        assert not ending.is_asked()
        signal.raise_signal(signal.SIGTERM)
        assert ending.is_asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("signals")
def test_one_that_does_not_look_yet_is_interrupted_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible(Ending()):
        signal.raise_signal(signal.SIGINT)


def _start(before: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT.format(before=before)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _ended_by(number: signal.Signals) -> tuple[int, str]:
    process = _start()
    try:
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, output
