"""What the profile's values become in the files: one entry for each file whose content is not the same on all cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from card.codec.ef import CODECS
from card.codec.group_call import VoiceCall, VoiceService, encode_groups
from card.codec.tlv import encode_tlv
from card.domain.authentication.group_calls import SERVICES as GROUP_CALL_SERVICES
from card.domain.pin import APPLICATION_PIN, LOCAL, UNIVERSAL_PIN
from card.domain.services import (
    DOWNLOAD_SMS_PP,
    GBA,
    GSM_ACCESS,
    GSM_SECURITY_CONTEXT,
    ISIM_GBA,
    LOCAL_KEY_ESTABLISHMENT,
    MBMS_SECURITY,
    OMA_BCAST,
    P_CSCF,
    P_CSCF_DISCOVERY,
)
from card.personalisation.csim import CSIM_CONTENTS, RUIM_CONTENTS, completed
from card.profile.isim import IsimProfile
from card.profile.pins import PinProfile
from card.profile.schema import CardProfile
from card.profile.usim import GROUP_KEYS_AT_MOST, Plmn
from card.spec.files.rows import EfRow
from card.spec.services import OPERATOR_PLMN_LIST, PLMN_NETWORK_NAME

# Services that are code of ours rather than a file. 33 is set on every USIM (TS 31.102 clause 4.2.8).
_BUILT_IN_SERVICES = frozenset({GSM_ACCESS, DOWNLOAD_SMS_PP, 33, GSM_SECURITY_CONTEXT, GBA, MBMS_SECURITY, OMA_BCAST})
# The six bits behind the flag of group 50 are 1 (TS 31.102 clause 4.2.74).
_GROUP_FLAGS_SIZE, _NO_GROUP = 7, 0xFC << 48
# Operation mode "normal", no features (TS 31.102 clause 4.2.18).
_AD_NORMAL = bytes(3)

Content = bytes | Sequence[bytes]
"""Content of a transparent file, or of the first records of a record file.

A file whose service is switched on without a value of the profile is there with nothing in it: free records, FF bytes.
"""


# Files that every card of ours has, and with them the services they belong to. Those of `_value_services` need a value.
_FILE_SERVICES = frozenset(
    {1, 2, 3, 8, 9, 10, 11, 12, 15, 16, 20, 34, 42, 43, 44, 47, 48, 49, 73, 74, 85, 122, 123, 126}
)


def usim_services(profile: CardProfile) -> frozenset[int]:
    """Return the services of the USIM: what the card's code and files offer, changed as the profile says."""
    offered = _BUILT_IN_SERVICES | _FILE_SERVICES | _value_services(profile)
    services = profile.usim.services
    found = (offered | set(services.extra)) - set(services.disabled)
    if PLMN_NETWORK_NAME not in found:
        found -= {OPERATOR_PLMN_LIST}
    return frozenset(found)


def _value_services(profile: CardProfile) -> frozenset[int]:
    """Return the services whose files would be empty without a value from the profile, where it gives one."""
    usim = profile.usim
    given = {
        17: usim.gid1, 18: usim.gid2, 19: usim.spn, 21: usim.msisdn,
        PLMN_NETWORK_NAME: usim.network_name, OPERATOR_PLMN_LIST: usim.network_name, 71: usim.ehplmn,
        **dict.fromkeys(GROUP_CALL_SERVICES[VoiceCall.VGCS], _groups(profile, VoiceCall.VGCS)),
        **dict.fromkeys(GROUP_CALL_SERVICES[VoiceCall.VBS], _groups(profile, VoiceCall.VBS)),
        LOCAL_KEY_ESTABLISHMENT: profile.sac and profile.sac.naf_key_centre,
    }  # fmt: skip
    return frozenset(service for service, value in given.items() if value)


def isim_services(profile: CardProfile) -> frozenset[int]:
    """Return the services of the ISIM, by the numbers of EF_IST; none without an ISIM."""
    if profile.isim is None:
        return frozenset()
    offered = {ISIM_GBA} | ({P_CSCF, P_CSCF_DISCOVERY} if profile.isim.pcscf else set())
    services = profile.isim.services
    return frozenset((offered | set(services.extra)) - set(services.disabled))


def has_file(row: EfRow, services: frozenset[int]) -> bool:
    """Tell whether a card with these services has the file."""
    return not row.service or not services.isdisjoint((row.service, *row.further_services))


def _coded(codec: str, value: object) -> bytes:
    return CODECS[codec].encode(value)


def _plmns(networks: Iterable[Plmn]) -> list[str]:
    return [str(network) for network in networks]


def _home_networks(profile: CardProfile) -> list[str]:
    return _plmns(profile.usim.hplmn or (profile.usim.home,))


def applications(profile: CardProfile) -> dict[str, bytes]:
    """Return name and AID of every application, in the order of EF_DIR; a CSIM may come before the USIM."""
    found = {"USIM": profile.usim.aid}
    if profile.csim is not None:
        csim = {"CSIM": profile.csim.aid}
        found = csim | found if profile.csim.first else found | csim
    if profile.isim is not None:
        found["ISIM"] = profile.isim.aid
    return found


def _directory_entries(profile: CardProfile) -> list[bytes]:
    """Return an entry for each application, in the order of `applications`."""
    parts = {"USIM": profile.usim, "CSIM": profile.csim, "ISIM": profile.isim}
    found = [parts[name] for name in applications(profile)]
    return [_coded("application", (part.aid, part.label)) for part in found if part is not None]


def _groups(profile: CardProfile, call: VoiceCall) -> list[str]:
    """Return the groups with a key for this kind of call, in the profile's order."""
    numbers = (key.voice_service.group for key in profile.usim.group_keys if key.service is call)
    return [str(number) for number in dict.fromkeys(numbers)]


def _activated(groups: Sequence[str]) -> bytes:
    """Return EF_VGCSS or EF_VBSS with every group active; bit 1 of byte 1 is the first (TS 31.102 clause 4.2.74)."""
    return (_NO_GROUP | ((1 << len(groups)) - 1)).to_bytes(_GROUP_FLAGS_SIZE, "little")


def _group_ciphers(profile: CardProfile, call: VoiceCall) -> bytes:
    """Return EF_VGCSCA or EF_VBSCA: the algorithms of the two keys of each group (TS 31.102 clause 4.2.77)."""
    ciphers = {(key.voice_service, key.key_id): key.cipher for key in profile.usim.group_keys}
    places = [
        (VoiceService(call, int(group)), key_id)
        for group in _groups(profile, call)
        for key_id in range(1, GROUP_KEYS_AT_MOST + 1)
    ]
    return bytes(ciphers.get(place, 0xFF) for place in places)


def application_pins(profile: CardProfile) -> dict[str, int]:
    """Return the key reference of each application's PIN: 01 for all, or each its own and 01 that of the USIM."""
    others = [name for name in applications(profile) if name != "USIM"]
    own = profile.is_multi_verification
    return {"USIM": APPLICATION_PIN} | {
        name: APPLICATION_PIN + position if own else APPLICATION_PIN for position, name in enumerate(others, 1)
    }


def pins_of(profile: CardProfile, application: str) -> dict[int, PinProfile]:
    """Return the PINs that count in an application, by key reference; its own where it has them."""
    own = {"CSIM": profile.csim, "ISIM": profile.isim}.get(application)
    found = profile.pins.pins_by_reference()
    if own is None or own.pin1 is None:
        return found
    reference = application_pins(profile)[application]
    mine = {reference: own.pin1, reference | LOCAL: own.pin2}
    return {number: pin for number, pin in mine.items() if pin is not None} | {UNIVERSAL_PIN: found[UNIVERSAL_PIN]}


UICC_CONTENTS: Mapping[str, Callable[[CardProfile], Content]] = {
    "EF_DIR": _directory_entries,
    "EF_ICCID": lambda p: _coded("iccid", p.iccid),
    "EF_PL": lambda p: _coded("languages", p.usim.languages[:5]),
}

USIM_CONTENTS: Mapping[str, Callable[[CardProfile], Content]] = {
    "EF_LI": lambda p: _coded("languages", p.usim.languages),
    "EF_IMSI": lambda p: _coded("imsi", p.usim.imsi),
    "EF_UST": lambda p: _coded("services", usim_services(p)).ljust(17, b"\0"),
    "EF_SPN": lambda p: _coded("spn", p.usim.spn or ""),
    "EF_ACC": lambda p: _coded("access classes", p.usim.access_classes),
    "EF_FPLMN": lambda p: _coded("plmns", _plmns(p.usim.fplmn)),
    "EF_AD": lambda p: _AD_NORMAL + bytes((p.usim.mnc_length,)),
    "EF_ECC": lambda p: [_coded("emergency code", code) for code in p.usim.ecc],
    "EF_HPLMNwAcT": lambda p: _coded("plmns with access technology", _home_networks(p)),
    "EF_MSISDN": lambda p: [b"\xff" * 14 + _coded("msisdn", p.usim.msisdn)] if p.usim.msisdn else [],
    "EF_EHPLMN": lambda p: _coded("plmns", _plmns(p.usim.ehplmn)),
    "EF_PLMNwAcT": lambda p: _coded("plmns with access technology", _plmns(p.usim.user_plmns)),
    "EF_OPLMNwAcT": lambda p: _coded("plmns with access technology", _plmns(p.usim.operator_plmns)),
    "EF_NAFKCA": lambda p: [encode_tlv(0x80, p.sac.naf_key_centre.encode())] if p.sac and p.sac.naf_key_centre else [],
    "EF_VGCS": lambda p: encode_groups(_groups(p, VoiceCall.VGCS)),
    "EF_VGCSS": lambda p: _activated(_groups(p, VoiceCall.VGCS)),
    "EF_VBS": lambda p: encode_groups(_groups(p, VoiceCall.VBS)),
    "EF_VBSS": lambda p: _activated(_groups(p, VoiceCall.VBS)),
    "EF_VGCSCA": lambda p: _group_ciphers(p, VoiceCall.VGCS),
    "EF_VBSCA": lambda p: _group_ciphers(p, VoiceCall.VBS),
    "EF_GID1": lambda p: p.usim.gid1 or b"",
    "EF_GID2": lambda p: p.usim.gid2 or b"",
    "EF_SMSP": lambda p: [b"\xff" * 14 + _coded("sms parameters", p.usim.smsc)] if p.usim.smsc else [],
    "EF_MBDN": lambda p: [_coded("dialling number", ("Voicemail", p.usim.voicemail))] if p.usim.voicemail else [],
    "EF_MBI": lambda p: [bytes((1 if p.usim.voicemail else 0, 0, 0, 0))],
    "EF_PNN": lambda p: [_coded("network name", p.usim.network_name)] if p.usim.network_name else [],
    "EF_OPL": lambda p: [_coded("operator names", (str(p.usim.home), 1))] if p.usim.network_name else [],
}

_PHONEBOOK_CONTENTS: Mapping[str, Callable[[CardProfile], Content]] = {
    "EF_ADN": lambda p: [_coded("dialling number", (entry.name, entry.number)) for entry in p.usim.phonebook],
}


def _isim(profile: CardProfile) -> IsimProfile:
    """Return the ISIM part with what it leaves open taken from the USIM (TS 23.003 clauses 13.2 to 13.4)."""
    usim, isim = profile.usim, profile.isim or IsimProfile()
    domain = isim.domain or usim.impi.partition("@")[2]
    impi = isim.impi or usim.impi
    return replace(isim, impi=impi, domain=domain, impu=isim.impu or (f"sip:{impi}",))


ISIM_CONTENTS: Mapping[str, Callable[[CardProfile], Content]] = {
    "EF_IMPI": lambda p: _coded("text object", _isim(p).impi),
    "EF_DOMAIN": lambda p: _coded("text object", _isim(p).domain),
    "EF_IMPU": lambda p: [_coded("text object", identity) for identity in _isim(p).impu],
    "EF_IST": lambda p: _coded("services", isim_services(p)).ljust(3, b"\0"),
    "EF_P-CSCF": lambda p: [_coded("server address", server) for server in _isim(p).pcscf],
}

# Number of a service in the SIM service table, by the number of the same service of the USIM.
_SIM_SERVICES = {
    1: 2, 2: 3, 10: 4, 21: 9, 3: 11, 12: 12, 15: 14, 17: 15, 18: 16, 19: 17, 28: 26, 16: 30, 11: 35,
    20: 43, 42: 44, 43: 45,
}  # fmt: skip
# Services of a SIM that no USIM service stands for: CHV1 can be disabled, EXT1, LND, GPRS.
_SIM_ALWAYS = frozenset({1, 10, 13, 38})


def _sim_services(profile: CardProfile) -> frozenset[int]:
    offered = usim_services(profile)
    return _SIM_ALWAYS | {sim for usim, sim in _SIM_SERVICES.items() if usim in offered}


_GSM_CONTENTS: Mapping[str, Callable[[CardProfile], Content]] = {
    "EF_SST": lambda p: _coded("sim services", _sim_services(p)).ljust(15, b"\0"),
    "EF_PLMNsel": lambda p: _coded("plmns", _plmns(p.usim.user_plmns[:8])),
    "EF_ECC": lambda p: _coded("emergency numbers", p.usim.ecc[:5]),
}

CONTENTS: Mapping[str, Mapping[str, Callable[[CardProfile], Content]]] = {
    "3F00": UICC_CONTENTS,
    "3F00/7F20": _GSM_CONTENTS,
    "ADF.USIM": USIM_CONTENTS,
    "ADF.USIM/5F3A": _PHONEBOOK_CONTENTS,
    "ADF.ISIM": ISIM_CONTENTS,
    "ADF.CSIM": CSIM_CONTENTS,
    "3F00/7F25": RUIM_CONTENTS,
}
"""Contents by the path of the directory and the name of the file."""

RECORD_COUNTS: Mapping[str, Callable[[CardProfile], int]] = {
    "EF_MSK": lambda p: p.mbms.msk_groups,
    "EF_MUK": lambda p: p.mbms.muk_records,
    "EF_GBANL": lambda p: p.mbms.naf_keys,
    "EF_BAKPARA": lambda p: completed(p).flows,
    "EF_UpBAKPARA": lambda p: completed(p).flows,
}
