"""What the profile's values become in the files: one entry for each file whose content is not the same on all cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from card.codec.ef import CODECS
from card.domain.services import GBA, GSM_ACCESS, GSM_SECURITY_CONTEXT, MBMS_SECURITY
from card.profile.schema import CardProfile
from card.profile.usim import Plmn
from card.spec.files import EfRow
from card.spec.files_usim import USIM_FILES

# Services that are code of ours rather than a file. 33 is set on every USIM (TS 31.102 clause 4.2.8).
_BUILT_IN_SERVICES = frozenset({GSM_ACCESS, 33, GSM_SECURITY_CONTEXT, GBA, MBMS_SECURITY})
# Operation mode "normal", no features (TS 31.102 clause 4.2.18).
_AD_NORMAL = bytes(3)

Content = bytes | Sequence[bytes]
"""Content of a transparent file, or of the first records of a record file."""


def usim_services(profile: CardProfile) -> frozenset[int]:
    """Return the services of the USIM: what the card's code and files offer, changed as the profile says."""
    wanted = _optional_files(profile)
    offered = _BUILT_IN_SERVICES | {row.service for row in USIM_FILES if row.service in wanted}
    services = profile.usim.services
    return frozenset((offered | set(services.extra)) - set(services.disabled))


def _optional_files(profile: CardProfile) -> frozenset[int]:
    """Return the services whose files have something to hold."""
    usim = profile.usim
    given = {19: usim.spn, 20: True, 21: usim.msisdn, 42: True, 43: True, 71: usim.ehplmn, 68: True, 69: True}
    return frozenset(service for service, value in given.items() if value)


def has_file(row: EfRow, services: frozenset[int]) -> bool:
    """Tell whether a card with these services has the file."""
    return not row.service or row.service in services


def _coded(codec: str, value: object) -> bytes:
    return CODECS[codec].encode(value)


def _plmns(networks: Iterable[Plmn]) -> list[str]:
    return [str(network) for network in networks]


def _home_networks(profile: CardProfile) -> list[str]:
    return _plmns(profile.usim.hplmn or (profile.usim.home,))


UICC_CONTENTS: Mapping[str, Callable[[CardProfile], Content]] = {
    "EF_DIR": lambda p: [_coded("application", (p.usim.aid, p.usim.label))],
    "EF_ICCID": lambda p: _coded("iccid", p.iccid),
    "EF_PL": lambda p: _coded("languages", p.usim.languages[:5]),
}

USIM_CONTENTS: Mapping[str, Callable[[CardProfile], Content]] = {
    "EF_LI": lambda p: _coded("languages", p.usim.languages),
    "EF_IMSI": lambda p: _coded("imsi", p.usim.imsi),
    "EF_UST": lambda p: _coded("services", usim_services(p)).ljust(17, b"\0"),
    "EF_SPN": lambda p: _coded("spn", p.usim.spn),
    "EF_ACC": lambda p: _coded("access classes", p.usim.access_classes),
    "EF_FPLMN": lambda p: _coded("plmns", _plmns(p.usim.fplmn)),
    "EF_AD": lambda p: _AD_NORMAL + bytes((p.usim.mnc_length,)),
    "EF_ECC": lambda p: [_coded("emergency code", code) for code in p.usim.ecc],
    "EF_HPLMNwAcT": lambda p: _coded("plmns with access technology", _home_networks(p)),
    "EF_MSISDN": lambda p: [b"\xff" * 14 + _coded("msisdn", p.usim.msisdn)],
    "EF_EHPLMN": lambda p: _coded("plmns", _plmns(p.usim.ehplmn)),
}

RECORD_COUNTS: Mapping[str, Callable[[CardProfile], int]] = {
    "EF_MSK": lambda p: p.mbms.msk_groups,
    "EF_MUK": lambda p: p.mbms.muk_records,
    "EF_GBANL": lambda p: p.mbms.naf_keys,
}
