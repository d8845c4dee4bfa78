"""Logical channels in lock step with a model: selection and record pointer apart, PIN and contents in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.platform_cards import COUNTER, RECORDS, platform_card
from tests.support.profiles import PIN1
from tests.support.testcard import TestCard, pin_bytes

APPLICATIONS = {"USIM": "A0000000871002", "ISIM": "A0000000871004"}
GUARDED = {"USIM": "6F07", "ISIM": "6F02"}  # readable with PIN1
CHANNELS = st.sampled_from([0, 1, 2, 3, 4, 19])


@dataclass
class Place:
    """What one channel remembers."""

    application: str = ""
    in_adf: bool = False
    file: str = ""
    pointer: int = 0


@dataclass
class Model:
    """What the card should remember."""

    places: dict[int, Place] = field(default_factory=lambda: {0: Place()})
    verified: bool = False
    extended: bool = False
    records: list[str] = field(default_factory=lambda: ["11223344", "22334455", "33AA3344", "44FFFFFF"])
    counter: list[int] = field(default_factory=lambda: [5, 4])


class ChannelsMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.card: TestCard = platform_card()
        self.model = Model()

    def send(self, channel: int, command: str, *more: str | bytes, etsi: bool = False) -> tuple[str, str]:
        """Send a command on a channel; the first byte of `command` is its instruction."""
        first = channel if channel < 4 else 0x40 | channel - 4
        answer = self.card.exchange(f"{first | (0x80 if etsi else 0):02X}", command, *more)
        return answer.data, answer.sw

    def place(self, channel: int) -> Place | None:
        """Return the channel's place; on a channel that is not open, prove that the card says so."""
        place = self.model.places.get(channel)
        if place is None:
            assert self.send(channel, "A4000C023F00") == ("", "6881")
        return place

    @rule()
    def reset(self) -> None:
        self.card.card.reset()
        self.model.places, self.model.verified, self.model.extended = {0: Place()}, False, False

    @rule()
    def announce_extended_channels(self) -> None:
        assert self.send(0, "AA000004A9028100", etsi=True)[1] == "9000"
        self.model.extended = True

    @rule(opener=CHANNELS)
    def open(self, opener: int) -> None:
        place = self.place(opener)
        if place is None:
            return
        free = [n for n in range(1, 20 if self.model.extended else 4) if n not in self.model.places]
        data, sw = self.send(opener, "70000001")
        if not free:
            assert (data, sw) == ("", "6A81")
            return
        assert (data, sw) == (f"{free[0]:02X}", "9000")
        inherits = opener != 0 and place.application
        self.model.places[free[0]] = Place(place.application, place.in_adf) if inherits else Place()

    @rule(opener=CHANNELS, number=st.sampled_from([4, 19]))
    def open_named(self, opener: int, number: int) -> None:
        place = self.place(opener)
        if place is None:
            return
        taken = number in self.model.places
        assert self.send(opener, f"7000{number:02X}")[1] == ("6881" if taken else "9000")
        if not taken:
            inherits = opener != 0 and place.application
            self.model.places[number] = Place(place.application, place.in_adf) if inherits else Place()

    @rule(on=CHANNELS, number=st.sampled_from([1, 2, 3, 4, 19]))
    def close(self, on: int, number: int) -> None:
        if self.place(on) is None:
            return
        known = self.model.places.pop(number, None) is not None
        assert self.send(on, f"7080{number:02X}")[1] == ("9000" if known else "6881")

    @rule(channel=CHANNELS, application=st.sampled_from(sorted(APPLICATIONS)))
    def select_application(self, channel: int, application: str) -> None:
        place = self.place(channel)
        if place is not None:
            assert self.send(channel, "A4040C07", APPLICATIONS[application])[1] == "9000"
            place.application, place.in_adf, place.file, place.pointer = application, True, "", 0

    @rule(channel=CHANNELS, file=st.sampled_from(["records", "counter"]))
    def select_under_the_mf(self, channel: int, file: str) -> None:
        place = self.place(channel)
        if place is not None:
            fid = {"records": RECORDS, "counter": COUNTER}[file]
            assert self.send(channel, f"A4080C02{fid:04X}")[1] == "9000"
            place.in_adf, place.file, place.pointer = False, file, 0

    @rule(channel=CHANNELS)
    def read_guarded(self, channel: int) -> None:
        place = self.place(channel)
        if place is None or not place.in_adf:
            return
        assert self.send(channel, "A4000C02", GUARDED[place.application])[1] == "9000"
        place.file = "guarded"
        data, sw = self.send(channel, "B0000001")
        assert sw == ("9000" if self.model.verified else "6982")
        assert bool(data) == self.model.verified

    @rule(channel=CHANNELS)
    def verify(self, channel: int) -> None:
        if self.place(channel) is not None:
            assert self.send(channel, "20000108", pin_bytes(PIN1))[1] == "9000"
            self.model.verified = True

    @rule(channel=CHANNELS)
    def read_next(self, channel: int) -> None:
        place = self.place(channel)
        if place is None or place.file not in ("records", "counter"):
            return
        wanted = place.pointer + 1
        if place.file == "counter":
            wanted = (wanted - 1) % 2 + 1
            expected = (f"{self.model.counter[wanted - 1]:06X}", "9000")
        else:
            expected = (self.model.records[wanted - 1], "9000") if wanted <= 4 else ("", "6A83")
        assert self.send(channel, "B2000200") == expected
        if expected[1] == "9000":
            place.pointer = wanted

    @rule(channel=CHANNELS, pattern=st.sampled_from(["3344", "44", "AA", "77"]), mode=st.sampled_from([4, 5]))
    def search(self, channel: int, pattern: str, mode: int) -> None:
        place = self.place(channel)
        if place is None or place.file != "records":
            return
        order = range(place.pointer, 5) if mode == 4 else range(place.pointer, 0, -1)
        found = [number for number in order if bytes.fromhex(pattern) in bytes.fromhex(self.model.records[number - 1])]
        answer = self.send(channel, f"A2000{mode}{len(pattern) // 2:02X}", pattern)
        if not place.pointer:
            assert answer == ("", "6A83"), "the current record, where there is none"
            return
        assert answer == ("".join(f"{number:02X}" for number in found), "9000" if found else "6282")
        if found:
            place.pointer = found[0]

    @rule(channel=CHANNELS, number=st.integers(1, 4), content=st.binary(min_size=4, max_size=4))
    def write_record(self, channel: int, number: int, content: bytes) -> None:
        place = self.place(channel)
        if place is not None and place.file == "records":
            assert self.send(channel, f"DC{number:02X}0404", content)[1] == "9000"
            self.model.records[number - 1] = content.hex().upper()

    @rule(channel=CHANNELS, amount=st.sampled_from([0, 1, 0xFFFFFF]))
    def increase(self, channel: int, amount: int) -> None:
        place = self.place(channel)
        if place is None or place.file != "counter":
            return
        total = self.model.counter[0] + amount
        data, sw = self.send(channel, f"32000003{amount:06X}", etsi=True)
        if not self.model.verified:
            assert (data, sw) == ("", "6982")
        elif total > 0xFFFFFF:
            assert (data, sw) == ("", "9850")
        else:
            assert (data, sw) == (f"{total:06X}{amount:06X}", "9000")
            self.model.counter, place.pointer = [total, self.model.counter[0]], 1

    @invariant()
    def every_open_channel_knows_its_application(self) -> None:
        for channel, place in self.model.places.items():
            expected = APPLICATIONS.get(place.application, "")
            data, sw = self.send(channel, "F2000100", etsi=True)
            assert sw == ("9000" if expected else "6A86")
            assert data[4 : 4 + len(expected)] == expected


TestChannelsMachine = ChannelsMachine.TestCase
