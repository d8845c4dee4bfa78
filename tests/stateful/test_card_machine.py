"""Selection, PIN and file contents in lock step with a model that knows nothing of the card's code."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from card.personalisation.personalise import personalise
from card.store.memory import MemoryStore
from tests.support import profiles
from tests.support.profiles import PIN1, PUK1, card_profile
from tests.support.testcard import SELECT_USIM, TestCard, pin_bytes

MF, ADF, DF = "MF", "ADF", "DF"
FIDS = {
    profiles.OPEN_TRANSPARENT: MF,
    profiles.OPEN_LINEAR: MF,
    profiles.OPEN_CYCLIC: MF,
    profiles.GUARDED: ADF,
    profiles.NESTED_EF: DF,
}
SFIS = {27: profiles.OPEN_TRANSPARENT, 22: profiles.OPEN_LINEAR, 28: profiles.OPEN_CYCLIC}
PUK_WRONG = "00000000"
CODES = st.sampled_from([PIN1, "4321", "9999"])


@dataclass
class Model:
    """What a card with the test profile should remember; records are counted from 1."""

    transparent: bytearray = field(default_factory=lambda: bytearray(range(16)))
    guarded: bytearray = field(default_factory=lambda: bytearray(range(1, 9)))
    linear: list[bytes] = field(default_factory=lambda: [b"\xa1" * 3, b"\xa2" * 3, b"\xa3" * 3])
    cyclic: list[bytes] = field(default_factory=lambda: [b"\0\0\3", b"\0\0\2", b"\0\0\1"])
    pin: str = PIN1
    tries: int = 3
    puk_tries: int = 10
    enabled: bool = True
    verified: bool = False
    directory: str = MF
    application: bool = False
    file: int = 0
    pointer: int = 0

    def forget(self) -> None:
        """Lose what is volatile."""
        self.verified, self.directory, self.application, self.file, self.pointer = False, MF, False, 0, 0

    def enter(self, directory: str) -> None:
        self.directory, self.file, self.pointer = directory, 0, 0

    def open(self, file: int) -> None:
        self.file, self.pointer = file, 0

    @property
    def records(self) -> list[bytes] | None:
        return {profiles.OPEN_LINEAR: self.linear, profiles.OPEN_CYCLIC: self.cyclic}.get(self.file)

    @property
    def content(self) -> bytearray | None:
        nested = bytearray(b"\xca\xfe") if self.file == profiles.NESTED_EF else None
        return {profiles.OPEN_TRANSPARENT: self.transparent, profiles.GUARDED: self.guarded}.get(self.file, nested)

    @property
    def may_read(self) -> bool:
        pin_holds = not self.enabled or (self.verified and self.tries > 0)
        return self.file != profiles.GUARDED or pin_holds

    @property
    def may_write(self) -> bool:
        return self.file in (profiles.OPEN_TRANSPARENT, profiles.OPEN_LINEAR, profiles.OPEN_CYCLIC)

    def compare(self, code: str) -> str | None:
        """Spend a try; return the status word of a refusal, or None when the code is right."""
        if self.tries == 0:
            return "6983"
        if code != self.pin:
            self.tries -= 1
            return f"63C{self.tries:X}"
        self.tries, self.verified = 3, True
        return None

    def step(self, mode: int, number: int) -> int | str:
        """Return the record number that P2 and P1 mean, or the status word of a refusal."""
        records = self.records
        assert records is not None
        count = len(records)
        if mode == 4:
            wanted = number or self.pointer
        elif mode == 2:
            wanted = self.pointer + 1
        else:
            wanted = self.pointer - 1 if self.pointer else count
        if mode != 4 and self.file == profiles.OPEN_CYCLIC:
            wanted = {0: count, count + 1: 1}.get(wanted, wanted)
        return wanted if 1 <= wanted <= count else "6A83"


class CardMachine(RuleBasedStateMachine):
    @initialize()
    def personalise(self) -> None:
        store = MemoryStore()
        personalise(card_profile(), store)
        self.card, self.model = TestCard(store), Model()

    def expect(self, sw: str, *parts: str | bytes) -> str:
        answer = self.card.send(*parts)
        assert answer.sw == sw, f"{parts}: {answer.sw} instead of {sw}"
        return answer.data

    # --- power and selection

    @rule(how=st.sampled_from(["reset", "power"]))
    def lose_volatile_state(self, how: str) -> None:
        if how == "reset":
            self.card.card.reset()
        else:
            self.card = self.card.reopened()
        self.model.forget()

    @rule()
    def select_mf(self) -> None:
        self.expect("9000", "00A4000C023F00")
        self.model.enter(MF)

    @rule()
    def select_application(self) -> None:
        self.expect("9000", SELECT_USIM)
        self.model.enter(ADF)
        self.model.application = True

    @rule()
    def select_current_application(self) -> None:
        self.expect("9000" if self.model.application else "6A82", "00A4000C027FFF")
        if self.model.application:
            self.model.enter(ADF)

    @rule()
    def select_nested_df(self) -> None:
        reachable = self.model.directory in (ADF, DF)
        self.expect("9000" if reachable else "6A82", f"00A4000C02{profiles.NESTED_DF:04X}")
        if reachable:
            self.model.enter(DF)

    @rule()
    def select_parent(self) -> None:
        self.expect("9000", "00A4030C")
        self.model.enter({MF: MF, ADF: MF, DF: ADF}[self.model.directory])

    @rule(fid=st.sampled_from(list(FIDS)))
    def select_file(self, fid: int) -> None:
        reachable = FIDS[fid] == self.model.directory
        self.expect("9000" if reachable else "6A82", f"00A4000C02{fid:04X}")
        if reachable:
            self.model.open(fid)

    # --- the PIN

    @rule(code=CODES)
    def verify(self, code: str) -> None:
        sw = "6984" if not self.model.enabled else self.model.compare(code) or "9000"
        self.expect(sw, "0020000108", pin_bytes(code))

    @rule()
    def ask_for_the_tries(self) -> None:
        counter = f"63C{self.model.tries:X}" if self.model.tries else "6983"
        self.expect(counter if self.model.enabled else "6984", "00200001")

    @rule(old=CODES, new=CODES)
    def change(self, old: str, new: str) -> None:
        sw = "6984" if not self.model.enabled else self.model.compare(old) or "9000"
        self.expect(sw, "0024000110", pin_bytes(old), pin_bytes(new))
        if sw == "9000":
            self.model.pin = new

    @rule(code=CODES, enable=st.booleans())
    def enable_or_disable(self, code: str, enable: bool) -> None:
        sw = "6984" if self.model.enabled == enable else self.model.compare(code) or "9000"
        self.expect(sw, f"00{'28' if enable else '26'}000108", pin_bytes(code))
        if sw == "9000":
            self.model.enabled = enable

    @rule(puk=st.sampled_from([PUK1, PUK1, PUK_WRONG]), new=CODES)
    def unblock(self, puk: str, new: str) -> None:
        model = self.model
        if model.puk_tries == 0:
            sw = "6983"
        elif puk == PUK1:
            model.pin, model.tries, model.puk_tries, model.enabled, model.verified = new, 3, 10, True, True
            sw = "9000"
        else:
            model.puk_tries -= 1
            sw = f"63C{model.puk_tries:X}"
        self.expect(sw, "002C000110", pin_bytes(puk), pin_bytes(new))

    # --- contents

    @rule(offset=st.integers(0, 17), le=st.integers(0, 20))
    def read_binary(self, offset: int, le: int) -> None:
        data = ""
        content = self.model.content
        if not self.model.file:
            sw = "6986"
        elif content is None:
            sw = "6981"
        elif not self.model.may_read:
            sw = "6982"
        elif offset >= len(content):
            sw = "6B00"
        elif le > len(content) - offset:
            sw = f"6C{len(content) - offset:02X}"
        else:
            sw, data = "9000", bytes(content[offset : offset + (le or 256)]).hex().upper()
        assert self.expect(sw, f"00B000{offset:02X}{le:02X}") == data

    @rule(offset=st.integers(0, 17), data=st.binary(min_size=1, max_size=6))
    def update_binary(self, offset: int, data: bytes) -> None:
        content = self.model.content
        if not self.model.file:
            sw = "6986"
        elif content is None:
            sw = "6981"
        elif not self.model.may_write:
            sw = "6982"
        elif offset >= len(content):
            sw = "6B00"
        elif offset + len(data) > len(content):
            sw = "6700"
        else:
            sw = "9000"
            content[offset : offset + len(data)] = data
        self.expect(sw, f"00D600{offset:02X}", bytes((len(data),)), data)

    @rule(mode=st.sampled_from([2, 3, 4]), number=st.integers(0, 4), sfi=st.sampled_from([0, 0, 0, 22, 28]))
    def read_record(self, mode: int, number: int, sfi: int) -> None:
        number = number if mode == 4 else 0
        sfi = sfi if self.model.directory == MF else 0  # the application has files of its own with these SFIs
        sw, wanted, data = self.locate(mode, number, sfi)
        if sw == "9000":
            records = self.model.records
            assert records is not None
            data = records[wanted - 1].hex().upper()
            if mode != 4:
                self.model.pointer = wanted
        assert self.expect(sw, f"00B2{number:02X}{sfi << 3 | mode:02X}00") == data

    @rule(mode=st.sampled_from([2, 3, 4]), number=st.integers(0, 4), data=st.binary(min_size=3, max_size=3))
    def update_record(self, mode: int, number: int, data: bytes) -> None:
        number = number if mode == 4 else 0
        if self.model.file == profiles.OPEN_CYCLIC:
            sw, wanted = ("9000", 1) if mode == 3 else ("6981", 0)
        else:
            sw, wanted, _ = self.locate(mode, number, 0)
        if sw == "9000":
            self.write(wanted, data)
            if mode != 4:
                self.model.pointer = wanted
        self.expect(sw, f"00DC{number:02X}{mode:02X}03", data)

    def write(self, number: int, data: bytes) -> None:
        if self.model.file == profiles.OPEN_CYCLIC:
            self.model.cyclic = [data, *self.model.cyclic[:-1]]
        else:
            self.model.linear[number - 1] = data

    def locate(self, mode: int, number: int, sfi: int) -> tuple[str, int, str]:
        """Return status word, record number and (empty) data; an SFI that is accepted opens its file."""
        model = self.model
        before = model.file, model.pointer
        if sfi:
            model.open(SFIS[sfi])
        if not model.file:
            return "6986", 0, ""
        if model.records is None:
            return "6981", 0, ""
        wanted = model.step(mode, number)
        if isinstance(wanted, str):
            model.file, model.pointer = before
            return wanted, 0, ""
        return "9000", wanted, ""

    # --- always

    @invariant()
    def the_selection_is_the_model_s(self) -> None:
        directory, file, application, pointer = self.card.volatile()[0][0]
        model = self.model
        assert directory == {MF: "3F00", ADF: "ADF.USIM", DF: f"ADF.USIM/{profiles.NESTED_DF:04X}"}[model.directory]
        assert (int(file.rpartition("/")[2] or "0", 16), application == "USIM") == (model.file, model.application)
        assert pointer == model.pointer


CardMachine.TestCase.settings = settings(settings(), stateful_step_count=40)
TestCardMachine = CardMachine.TestCase
