"""What terminal and network can ask each other: one row each, with method, target, media types and who proves what.

A row whose `ref` is provisional is ours: its path and its XML stand in no text that was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from card.errors import DecodeError
from card.lean import lean_dataclass
from card.spec.refs import Confidence, Ref
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse, media_type

_SOURCED, _OURS = Confidence.SOURCED, Confidence.OURS
_LONGEST_TARGET = 2048


class Proof(Enum):
    """Who proves what to whom."""

    AKA = "the subscriber by RES, the BSF by AUTN and rspauth"
    SRK = "the subscriber by SRK, under its B-TID or NAI; the BSM by rspauth"
    SRK_OR_TLS = "both, by SRK or by certificates"
    TLS = "both by certificates"
    TRANSPORT_KEY = "both by a transport key that both have"
    NOBODY = "nobody proves anything"


@dataclass(frozen=True, slots=True)
class Procedure:
    """One request and its answer. `tail` is how the path ends; `also_answers` are media types read beside `answer`."""

    name: str
    method: str
    tail: str
    query: str
    request: str
    answer: str
    proof: Proof
    ref: Ref
    also_answers: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """Path and query of a server that has nothing in front of them."""
        return self.tail + (f"?{self.query}" if self.query else "")

    def build(self, host: str, body: bytes = b"", headers: Headers = (), base: str = "") -> HttpRequest:
        """Return the request to `host`; `base` is the path in front, as the URI in an announcement has it."""
        typed: Headers = (("Content-Type", self.request),) if self.request else ()
        own: Headers = (("Host", host), ("Accept", self.answer), *typed)
        return HttpRequest(self.method, base.rstrip("/") + self.target, (*own, *headers), body)

    def require_answer(self, response: HttpResponse) -> bytes:
        """Return the body of an answer. Raises `DecodeError` when it is of another media type."""
        found = media_type(response.one("Content-Type"))
        if found not in (self.answer, *self.also_answers):
            raise DecodeError(f"the answer to {self.name} is of type {found[:80] or 'unknown'}, not {self.answer}")
        return response.body


BOOTSTRAPPING = Procedure(
    "bootstrapping",
    "GET",
    "/",
    "",
    "",
    "application/vnd.3gpp.bsf+xml",
    Proof.AKA,
    Ref("TS 24.109", "4.2, annex C", _SOURCED),
)
_KEY_MANAGEMENT = "/keymanagement"
_REGISTER_ANSWER = "application/mbms-register-response+xml"
REGISTRATION = Procedure(
    "registration",
    "POST",
    _KEY_MANAGEMENT,
    "requesttype=register",
    "application/mbms-register+xml",
    _REGISTER_ANSWER,
    Proof.SRK,
    Ref("TS 33.246", "G.2.1", _SOURCED),
)
DEREGISTRATION = Procedure(
    "deregistration",
    "POST",
    _KEY_MANAGEMENT,
    "requesttype=deregister",
    "application/mbms-deregister+xml",
    _REGISTER_ANSWER,
    Proof.SRK,
    Ref("TS 33.246", "G.2.2", _SOURCED),
)
_MSK_TYPE = "application/mbms-msk+xml"
MSK_REQUEST = Procedure(
    "MSK request",
    "POST",
    _KEY_MANAGEMENT,
    "requesttype=msk-request",
    _MSK_TYPE,
    "application/mbms-msk-response+xml",
    Proof.SRK,
    Ref("TS 33.246", "G.2.3", _SOURCED),
    also_answers=(_MSK_TYPE,),  # the example of clause H.2
)
CLIENT_ID = Procedure(
    "client ID",
    "GET",
    "/",
    "",
    "",
    _REGISTER_ANSWER,
    Proof.SRK,
    Ref("OMA-TS-BCAST_SvcCntProtection", "6.9.2", _SOURCED),
)
"""Shows the BCAST_Client_ID that a BSM asked for; answered like the registration before it."""
_SPROV = "application/vnd.oma.bcast.sprov+xml"  # its name is registered, what is inside is ours
_SPROV_REF = Ref("OMA-TS-BCAST_Services", "5.1", _OURS)


def _provisioning(name: str, proof: Proof = Proof.SRK) -> Procedure:
    return Procedure(name, "POST", "/sprov", "", _SPROV, _SPROV, proof, _SPROV_REF)


SERVICE_REQUEST = _provisioning("service request")
SUBSCRIPTION_RENEWAL = _provisioning("subscription renewal")
UNSUBSCRIBE = _provisioning("unsubscribe request")
TOKEN_PURCHASE = _provisioning("token purchase")
PRICING = _provisioning("pricing information", Proof.SRK_OR_TLS)
ACCOUNT = _provisioning("account inquiry", Proof.SRK_OR_TLS)
ZN_JSON = Procedure(
    "keys for a NAF (JSON)",
    "POST",
    "/nbsp-gba/v1/bootstrapping-info-retrieval",
    "",
    "application/json",
    "application/json",
    Proof.TLS,
    Ref("TS 29.309", "Nbsp_GBA", _SOURCED),
)
ZN_SOAP = Procedure(
    "keys for a NAF (web service)",
    "POST",
    "/GBAService",
    "",
    "text/xml",
    "text/xml",
    Proof.TLS,
    Ref("TS 29.109", "5.3, annex D", _SOURCED),
)
TBK_REQUEST = Procedure(
    "terminal binding key",
    "GET",
    "/tbk",
    "",
    "",
    "application/octet-stream",
    Proof.TLS,
    Ref("OMA-TS-BCAST_SvcCntProtection", "TBK", _OURS),
)
_KEY_ESTABLISHMENT = "/keyestablishment"
_KEYS_ANSWER = "application/keyest-keyresponse+xml"
UICC_KEY_REQUEST = Procedure(
    "local key for a UICC",
    "POST",
    _KEY_ESTABLISHMENT,
    "requesttype=key-request-UICCkey",
    "application/keyest-UICCkeyrequest+xml",
    _KEYS_ANSWER,
    Proof.TLS,
    Ref("TS 33.110", "annexes C, E", _SOURCED),
    also_answers=("application/keyest-uicckeyresponse+xml",),  # the example of annex D
)
DEVICE_KEY_REQUEST = Procedure(
    "local key for a device",
    "POST",
    _KEY_ESTABLISHMENT,
    "requesttype=key-request-devicekey",
    "application/keyest-devicekeyrequest+xml",
    _KEYS_ANSWER,
    Proof.TLS,
    Ref("TS 33.259", "annex C", _SOURCED),
)

_BACK_END = "/backend/v1/"
_JSON = "application/json"
_BACK_END_REF = Ref("OMA-AD-BCAST", "5.4.5.3", _OURS)


def _back_end(name: str, tail: str) -> Procedure:
    return Procedure(name, "POST", _BACK_END + tail, "", _JSON, _JSON, Proof.TRANSPORT_KEY, _BACK_END_REF)


TEK_OFFER = _back_end("TEK offer", "tek-offers")
KEY_GRANT = _back_end("key grant", "key-grants")
SEK_ROLLS = _back_end("SEKs out of turn", "sek-rolls")
SEK_HANDOVER = _back_end("SEK hand-over", "seks")
STKM_HANDOVER = _back_end("STKM hand-over", "stkms")
LTKM_HANDOVER = _back_end("LTKM hand-over", "ltkms")
REGISTRATION_HANDOVER = _back_end("registration material", "registration-materials")
STKM_REQUEST = Procedure(
    "STKM over the interaction channel",
    "GET",
    "/stkm/",
    "",
    "",
    "application/vnd.oma.bcast.stkm",
    Proof.NOBODY,
    Ref("OMA-AD-BCAST", "5.4.4.2.1.3 (the media type is registered, the path is ours)", _OURS),
)
ANNOUNCEMENT = Procedure(
    "announcement",
    "GET",
    "/guide/",
    "",
    "",
    "application/mbms-user-service-description+xml",
    Proof.NOBODY,
    Ref("TS 26.346", "5.2.3.1.1 (fetched by HTTP; the path is ours)", _OURS),
)

KEY_MANAGEMENT = (REGISTRATION, DEREGISTRATION, MSK_REQUEST)
"""The three procedures of MBMS, which share a path (TS 33.246 clause G.2)."""

PROCEDURES = (
    BOOTSTRAPPING,
    *KEY_MANAGEMENT,
    CLIENT_ID,
    SERVICE_REQUEST,
    SUBSCRIPTION_RENEWAL,
    UNSUBSCRIBE,
    TOKEN_PURCHASE,
    PRICING,
    ACCOUNT,
    ZN_JSON,
    ZN_SOAP,
    TBK_REQUEST,
    UICC_KEY_REQUEST,
    DEVICE_KEY_REQUEST,
    ANNOUNCEMENT,
    TEK_OFFER,
    KEY_GRANT,
    SEK_ROLLS,
    SEK_HANDOVER,
    STKM_HANDOVER,
    LTKM_HANDOVER,
    REGISTRATION_HANDOVER,
    STKM_REQUEST,
)

TRIGGER_TYPE = "application/vnd.oma.bcast.smartcard-trigger+xml"
"""Media type of the Smartcard Profile trigger: registered, what is inside is ours."""
MIKEY_TYPE = "application/mikey"
"""Media type of a MIKEY message."""


@lean_dataclass(frozen=True, slots=True)
class Target:
    """Path and query of a request, and the host where the target is a whole URI."""

    path: str
    query: str
    host: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a request target. Raises `DecodeError` for one that is too long or neither a path nor a URI of HTTP."""
        if len(text) > _LONGEST_TARGET:
            raise DecodeError(f"the target has {len(text)} characters, more than {_LONGEST_TARGET}")
        scheme, separator, rest = text.partition("://")
        host = ""
        if separator and scheme.lower() in ("http", "https"):
            host, slash, path = rest.partition("/")
            text = slash + path or "/"
        if not text.startswith("/"):
            raise DecodeError("the target is neither a path nor a URI of HTTP")
        path, _, query = text.partition("?")
        return cls(path, query, host)

    def ends_with(self, procedure: Procedure) -> bool:
        """Tell whether the path is that of a procedure, whatever stands in front of it."""
        return self.path.endswith(procedure.tail)
