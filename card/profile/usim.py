"""The USIM part of a card profile: the subscriber, the keys, the algorithm and its SQN scheme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Self

from card.codec.group_call import VoiceCall, VoiceService
from card.crypto.milenage import derive_opc
from card.crypto.secret import Secret
from card.crypto.tuak import derive_topc
from card.errors import ProfileError
from card.profile.fields import ListOf, Table, hex_bytes, parse_hex, secret_hex
from card.profile.loader import Fault
from card.spec.aids import USIM_AID
from card.spec.services import OPERATOR_PLMN_LIST, PLMN_NETWORK_NAME
from card.tables.kinds import Kind, choice, integer, matching, parsed

SQN_BITS = 48
GROUP_KEYS_AT_MOST = 2
_HIGHEST_SQN = (1 << SQN_BITS) - 1

# provisional: a complete AID in the usual style; its country and provider codes are the issuer's to choose.
DEFAULT_AID = USIM_AID + bytes.fromhex("FFFFFFFF8907090000")

# The characters on which ASCII and the GSM default alphabet agree (TS 23.038 clause 6.2.1).
_SPN_TEXT = r"""[A-Za-z0-9 !"#%&'()*+,\-./:;<=>?]{1,16}"""


class Algorithm(Enum):
    """The authentication algorithm f1 to f5 of the card."""

    MILENAGE = "milenage"
    TUAK = "tuak"
    XOR = "xor"


@dataclass(frozen=True, slots=True)
class Plmn:
    """A mobile network: MCC of three digits, MNC of two or three. Written "MCC-MNC"."""

    mcc: str
    mnc: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the network that text such as "001-01" names. Raises `ValueError`."""
        mcc, _, mnc = text.partition("-")
        sound = mcc.isdecimal() and mnc.isdecimal() and text.isascii()
        if not sound or len(mcc) != 3 or len(mnc) not in (2, 3):
            raise ValueError("not MCC-MNC")
        return cls(mcc, mnc)

    def __str__(self) -> str:
        return f"{self.mcc}-{self.mnc}"


def _parse_usim_aid(text: str) -> bytes:
    aid = parse_hex(text)
    if not aid.startswith(USIM_AID) or len(aid) > 16:
        raise ValueError("not a USIM AID")
    return aid


def derive_impi(imsi: str, home: Plmn) -> str:
    """Return the private identity of a subscriber without an ISIM, from the IMSI (TS 23.003 clause 13.3)."""
    return f"{imsi}@ims.mnc{home.mnc:0>3}.mcc{home.mcc}.3gppnetwork.org"


def _parse_access_class(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value == 10 or not 0 <= value <= 15:
        raise ValueError("not an access class")
    return value


IMSI = matching(r"[0-9]{6,15}", "text of 6 to 15 decimal digits")
MNC_LENGTH = integer(2, 3, "2 or 3, the digits of the MNC inside the IMSI")
KEY = secret_hex(16)
SUBSCRIBER_KEY = secret_hex(16, 32)
TUAK_CONSTANT = secret_hex(32)
GROUP_IDENTIFIER = hex_bytes(1, 20)
AID = parsed("hex digits for 7 to 16 bytes beginning A0000000871002", _parse_usim_aid)
LABEL = matching(r"[ -~]{1,32}", "1 to 32 ASCII characters")
IMPI = matching(r"[!-?A-~]{1,127}@[!-?A-~]{1,127}", "text of the form user@realm")
MSISDN = matching(r"\+?[0-9]{1,20}", "text of 1 to 20 decimal digits, with + in front if international")
SPN = matching(_SPN_TEXT, """1 to 16 letters, digits, spaces or !"#%&'()*+,-./:;<=>?""")
ACCESS_CLASSES = ListOf(Kind("an integer from 0 to 15, not 10", _parse_access_class), 15)
EMERGENCY_CODES = ListOf(matching(r"[0-9]{3,6}", "text of 3 to 6 decimal digits"), 16)
LANGUAGES = ListOf(matching(r"[a-z]{2}", "two small letters, as in ISO 639-1"), 16)
PLMNS = ListOf(parsed('"MCC-MNC", such as "001-01"', Plmn.parse), 64)
SERVICES = ListOf(integer(1, 256), 256)


class GbaRes(Enum):
    """How the card answers a GBA_U bootstrapping."""

    FLIPPED = "flipped"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class GbaProfile:
    """Whether RES of GBA_U has its last bit flipped (TS 33.220 clause 5.3.2), or not, as on cards before that rule."""

    res: Annotated[GbaRes, choice(GbaRes)] = GbaRes.FLIPPED


@dataclass(frozen=True, slots=True)
class SqnProfile:
    """How the card judges sequence numbers (TS 33.102 annex C): SQN = SEQ || IND, 48 bits together.

    `delta` is the widest jump and `age_limit` the greatest age (0: none), both in steps of SEQ. `initial_seq`
    is the SEQ that a new card has seen in every slot.
    """

    ind_bits: Annotated[int, integer(0, 10)] = 5
    delta: Annotated[int, integer(1, _HIGHEST_SQN)] = 1 << 28
    age_limit: Annotated[int, integer(0, _HIGHEST_SQN)] = 0
    initial_seq: Annotated[int, integer(0, _HIGHEST_SQN)] = 0

    def check(self) -> Iterator[Fault]:
        """Yield what does not fit together: a SEQ wider than the bits that IND leaves."""
        highest = (1 << SQN_BITS - self.ind_bits) - 1
        if self.initial_seq > highest:
            allowed = f"with ind_bits = {self.ind_bits}: 0 to {highest}"
            yield Fault(("initial_seq",), f"found {self.initial_seq}; allowed {allowed}")


@dataclass(frozen=True, slots=True)
class ServicesProfile:
    """Changes to the USIM service table: numbers as in TS 31.102 clause 4.2.8."""

    extra: Annotated[tuple[int, ...], SERVICES] = ()
    disabled: Annotated[tuple[int, ...], SERVICES] = ()

    def check(self) -> Iterator[Fault]:
        """Yield the services that are both switched on and off."""
        for number in sorted(set(self.extra) & set(self.disabled)):
            yield Fault(("disabled",), f"found {number}, which is in extra too; allowed: in one list only")


@dataclass(frozen=True, slots=True)
class PhonebookEntry:
    """A name and a number in the phone book (TS 31.102 clause 4.4.2.3)."""

    name: Annotated[str, matching(r"[A-Za-z0-9 .,'+-]{1,14}", "1 to 14 letters, digits, spaces or .,'+-")]
    number: Annotated[str, MSISDN]


@dataclass(frozen=True, slots=True)
class GroupKeyProfile:
    """A key V_Ki of a group that makes group calls or hears broadcast calls (TS 31.102 clauses 4.2.73 to 4.2.78).

    `key_id` is VK_Id, 1 or 2 (clause 7.1.2.2); `cipher` the algorithm A5/n of calls under the key, 0 for none.
    """

    service: Annotated[VoiceCall, choice(VoiceCall)]
    group: Annotated[str, matching("[0-9]{1,8}", "1 to 8 digits")]
    key_id: Annotated[int, integer(1, GROUP_KEYS_AT_MOST)]
    key: Annotated[Secret, KEY]
    cipher: Annotated[int, integer(0, 7)] = 1

    @property
    def voice_service(self) -> VoiceService:
        """Kind of call and number of the group."""
        return VoiceService(self.service, int(self.group))


@dataclass(frozen=True, slots=True)
class UsimProfile:
    """The USIM application and its subscriber.

    `impi` and `access_classes` follow from the IMSI where the profile does not give them, so they are never
    empty.
    """

    imsi: Annotated[str, IMSI]
    mnc_length: Annotated[int, MNC_LENGTH]
    k: Annotated[Secret, SUBSCRIBER_KEY]
    opc: Annotated[Secret | None, KEY] = None
    op: Annotated[Secret | None, KEY] = None
    topc: Annotated[Secret | None, TUAK_CONSTANT] = None
    top: Annotated[Secret | None, TUAK_CONSTANT] = None
    algorithm: Annotated[Algorithm, choice(Algorithm)] = Algorithm.MILENAGE
    amf: Annotated[bytes, hex_bytes(2, 2)] = b"\x80\x00"
    sqn: Annotated[SqnProfile, Table(SqnProfile)] = SqnProfile()
    gba: Annotated[GbaProfile, Table(GbaProfile)] = GbaProfile()
    aid: Annotated[bytes, AID] = DEFAULT_AID
    label: Annotated[str, LABEL] = "USIM"
    impi: Annotated[str, IMPI] = ""
    msisdn: Annotated[str | None, MSISDN] = None
    spn: Annotated[str | None, SPN] = None
    access_classes: Annotated[tuple[int, ...], ACCESS_CLASSES] = ()
    ecc: Annotated[tuple[str, ...], EMERGENCY_CODES] = ("112", "911")
    languages: Annotated[tuple[str, ...], LANGUAGES] = ("en",)
    hplmn: Annotated[tuple[Plmn, ...], PLMNS] = ()
    ehplmn: Annotated[tuple[Plmn, ...], PLMNS] = ()
    fplmn: Annotated[tuple[Plmn, ...], PLMNS] = ()
    user_plmns: Annotated[tuple[Plmn, ...], PLMNS] = ()
    operator_plmns: Annotated[tuple[Plmn, ...], PLMNS] = ()
    network_name: Annotated[str | None, SPN] = None
    smsc: Annotated[str | None, MSISDN] = None
    voicemail: Annotated[str | None, MSISDN] = None
    gid1: Annotated[bytes | None, GROUP_IDENTIFIER] = None
    gid2: Annotated[bytes | None, GROUP_IDENTIFIER] = None
    group_keys: Annotated[tuple[GroupKeyProfile, ...], ListOf(Table(GroupKeyProfile), 32)] = ()
    phonebook: Annotated[tuple[PhonebookEntry, ...], ListOf(Table(PhonebookEntry), 50)] = ()
    services: Annotated[ServicesProfile, Table(ServicesProfile)] = ServicesProfile()

    def __post_init__(self) -> None:
        # A frozen dataclass has no other way to fill a field from another one.
        if not self.impi:
            object.__setattr__(self, "impi", derive_impi(self.imsi, self.home))
        if not self.access_classes:
            object.__setattr__(self, "access_classes", (int(self.imsi[-1]),))

    @property
    def home(self) -> Plmn:
        """The network that the IMSI names."""
        return Plmn(self.imsi[:3], self.imsi[3 : 3 + self.mnc_length])

    def derive_opc(self) -> Secret:
        """Return OPc (16 bytes), computed from OP where the profile gives OP (TS 35.206 clause 4.1)."""
        if self.opc is not None:
            return self.opc
        if self.op is None:
            raise ProfileError("usim: neither op nor opc is given")
        return derive_opc(self.k, self.op)

    def derive_operator_constant(self) -> Secret:
        """Return OPc (16 bytes) for MILENAGE, TOPc (32 bytes) for TUAK, and nothing for XOR, which has none."""
        match self.algorithm:
            case Algorithm.MILENAGE:
                return self.derive_opc()
            case Algorithm.TUAK if self.topc is not None:
                return self.topc
            case Algorithm.TUAK if self.top is not None:
                return derive_topc(self.k, self.top)
            case Algorithm.XOR:
                return Secret(b"")
        raise ProfileError("usim: neither top nor topc is given")

    def check(self) -> Iterator[Fault]:
        """Yield what does not fit together: keys the algorithm has no use for, an IMSI without subscriber digits."""
        yield from self._check_constants()
        services = self.services
        has_name = (self.network_name or PLMN_NETWORK_NAME in services.extra) and (
            PLMN_NETWORK_NAME not in services.disabled
        )
        if OPERATOR_PLMN_LIST in services.extra and not has_name:
            text = f"found {OPERATOR_PLMN_LIST} without {PLMN_NETWORK_NAME}; allowed: both (TS 31.102 clause 4.2.8)"
            yield Fault(("services", "extra"), text)
        if len(self.k) != 16 and self.algorithm is not Algorithm.TUAK:
            yield Fault(("k",), f"of 32 bytes, which only tuak takes; allowed: {KEY.allowed}")
        seen: set[tuple[VoiceService, int]] = set()
        for position, group in enumerate(self.group_keys):
            if (group.voice_service, group.key_id) in seen:
                yield Fault(("group_keys", position, "key_id"), "found again; allowed: each key of a group once")
            seen.add((group.voice_service, group.key_id))
        if len(self.imsi) <= 3 + self.mnc_length:
            yield Fault(("imsi",), f"ends with the MNC; allowed: more than {3 + self.mnc_length} digits")

    def _check_constants(self) -> Iterator[Fault]:
        wanted = {Algorithm.MILENAGE: ("opc", "op"), Algorithm.TUAK: ("topc", "top"), Algorithm.XOR: ()}[self.algorithm]
        given = [name for name in ("opc", "op", "topc", "top") if getattr(self, name) is not None]
        if wanted and not set(wanted) & set(given):
            allowed = TUAK_CONSTANT if self.algorithm is Algorithm.TUAK else KEY
            yield Fault((wanted[0],), f"missing; allowed: {' or '.join(wanted)}, {allowed.allowed}")
        if set(wanted) and set(wanted) <= set(given):
            yield Fault((wanted[1],), f"found beside {wanted[0]}; allowed: one of the two")
        for name in sorted(set(given) - set(wanted)):
            yield Fault((name,), f"found with {self.algorithm.value}; allowed: not with this algorithm")
