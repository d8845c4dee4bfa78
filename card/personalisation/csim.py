"""What the values of the profile's CSIM part become in the files under ADF_CSIM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from card.codec.ef import CODECS
from card.errors import ProfileError
from card.profile.csim import CsimProfile
from card.profile.schema import CardProfile
from card.spec.files.csim import BCMCS, HOME_SPN, HRPD, SMS_STORAGE

_ACCESS_CLASSES = 10
_CHANGEABLE = b"\x00"  # EF_SPCS: the service programming code has its default value


def csim_services(profile: CardProfile) -> frozenset[int]:
    """Return the services of the CSIM, by the numbers of EF_CSIM_ST; none without a CSIM."""
    csim = profile.csim
    if csim is None:
        return frozenset()
    offered = {SMS_STORAGE, HRPD, BCMCS} | ({HOME_SPN} if csim.spn else set())
    return frozenset((offered | set(csim.services.extra)) - set(csim.services.disabled))


def completed(profile: CardProfile) -> CsimProfile:
    """Return the CSIM part with what it leaves open taken from the USIM. Raises `ProfileError`."""
    csim, usim = profile.csim, profile.usim
    if csim is None:
        raise ProfileError("csim: the profile has no CSIM")
    imsi = csim.imsi or usim.imsi
    if len(imsi) != 15:
        raise ProfileError("csim: imsi missing; allowed: text of 15 decimal digits, as that of the USIM is shorter")
    return replace(csim, imsi=imsi, languages=csim.languages or usim.languages)


def _coded(codec: str, value: object) -> bytes:
    return CODECS[codec].encode(value)


def _prl(profile: CardProfile) -> bytes:
    return _coded("prl id", completed(profile).prl_id)


def _mdn(profile: CardProfile) -> list[bytes]:
    number = completed(profile).mdn
    return [_coded("mdn", number)] if number else []


CSIM_CONTENTS: Mapping[str, Callable[[CardProfile], bytes | Sequence[bytes]]] = {
    "EF_IMSI_M": lambda p: _coded("imsi_m", completed(p).imsi),
    "EF_CDMAHOME": lambda p: [_coded("cdma home", system) for system in completed(p).home],
    "EF_ACCOLC": lambda p: bytes((int(completed(p).imsi[-1]) % _ACCESS_CLASSES,)),
    "EF_PRL": _prl,
    "EF_EPRL": _prl,
    "EF_RUIMID": lambda p: _coded("ruim id", completed(p).ruim_id),
    "EF_CSIM_ST": lambda p: _coded("services", csim_services(p)).ljust(6, b"\0"),
    "EF_SPC": lambda p: _coded("spc", completed(p).spc),
    "EF_SPCS": lambda _: _CHANGEABLE,
    "EF_LI": lambda p: _coded("csim languages", completed(p).languages),
    "EF_SPN": lambda p: _coded("csim spn", completed(p).spn or ""),
    "EF_MDN": _mdn,
    "EF_HRPDUPP": lambda p: _coded("hrpd nai", completed(p).nai),
}

# Number of a service in EF_CST of an R-UIM, by the number of the same service in EF_CSIM_ST (C.S0023-D clause 3.4).
_RUIM_SERVICES = {
    2: 3, 3: 11, 4: 18, SMS_STORAGE: 4, 7: 12, HRPD: 5, HOME_SPN: 17, 14: 20, 15: 38, 16: 30, BCMCS: 39, 22: 43,
}  # fmt: skip
_CHV_DISABLE = 1


def _ruim_services(profile: CardProfile) -> set[int]:
    offered = csim_services(profile)
    return {_CHV_DISABLE} | {ruim for csim, ruim in _RUIM_SERVICES.items() if csim in offered}


RUIM_CONTENTS: Mapping[str, Callable[[CardProfile], bytes | Sequence[bytes]]] = {
    "EF_CST": lambda p: _coded("sim services", _ruim_services(p)).ljust(10, b"\0"),
}
