"""What goes into the client, what is to be done, and what the user hears.

Events are what happened; commands are carried out in the order in which they come, and what comes of one is the next
event; news are for whoever watches. All are frozen and show no key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.transport import Datagram
from host_tools.terminal.client.journal import Item, KeptLtkm
from host_tools.terminal.client.states import State
from host_tools.terminal.http.session import UaIdentity
from host_tools.terminal.ltkm_receipt import LtkmReceipt

if TYPE_CHECKING:
    from host_tools.terminal.client.errands import Outcome, Trouble
    from host_tools.terminal.client.wishes import Wish

# --- events


@dataclass(frozen=True, slots=True)
class Started:
    """The terminal is on. `home`: it is in the network of its own provider.

    What an earlier run left undone is done first. With `stays` it registers for what is in force, else it does what it
    is told and no more.
    """

    home: bool = True
    stays: bool = True


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection to a network is there again."""

    home: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """The user, or a program for one, wants something. A `patient` wish is tried again for as long as it takes."""

    wish: Wish
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Identified:
    """The card says who the terminal is; `tmpi` is the name for the next bootstrapping, "" for none."""

    identity: UaIdentity
    tmpi: str = ""


@dataclass(frozen=True, slots=True)
class NotIdentified:
    """There is no identity. `lasting`: card or network refuse, and to try again would change nothing."""

    words: str
    trouble: Trouble
    lasting: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer came to the request that was sent last."""

    response: HttpResponse


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """None came."""

    words: str


@dataclass(frozen=True, slots=True)
class TimeUp:
    """A timer that was set is over."""

    timer: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A datagram came to a port of key messages."""

    datagram: Datagram


@dataclass(frozen=True, slots=True)
class ShortMessageArrived:
    """A short message came, as the TPDU of an SMS-DELIVER (TS 23.040 clause 9.2.2.1)."""

    tpdu: bytes


@dataclass(frozen=True, slots=True)
class GivenToCard:
    """The card answered to an LTKM that was to be given."""

    ltkm: KeptLtkm
    receipt: LtkmReceipt


@dataclass(frozen=True, slots=True)
class Settled:
    """EF_MUK was looked at: `taken` says whether the card took an LTKM before the process before ended."""

    ltkm: KeptLtkm
    taken: bool


@dataclass(frozen=True, slots=True)
class KeyUnknown:
    """The card has no key for an STKM that is on the air (TS 33.246 clause 6.3.2.2.1).

    `period` is the crypto period in seconds, as far as it has been heard: who asks again waits no longer than that at
    first. `announced` tells whether an announcement names the key's group for the service that is listened to, None
    where none names any.
    """

    name: MskName
    period: float = inf
    announced: bool | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """The user ends the terminal; with `deregister` it leaves all services in order."""

    deregister: bool


ClientEvent = (
    Started
    | Connected
    | Wanted
    | Identified
    | NotIdentified
    | Answered
    | NoAnswer
    | TimeUp
    | Arrived
    | ShortMessageArrived
    | GivenToCard
    | Settled
    | KeyUnknown
    | Leaving
)

# --- commands


@dataclass(frozen=True, slots=True)
class Identify:
    """Find out who the terminal is; with `renew` bootstrap, whatever the card has."""

    renew: bool


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request to the BSM."""

    request: HttpRequest


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Say `TimeUp` after so many seconds; one of the same name is replaced."""

    timer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DropTimer:
    """Forget a timer."""

    timer: str


@dataclass(frozen=True, slots=True)
class Save:
    """Write the journal before anything else is done."""


@dataclass(frozen=True, slots=True)
class GiveToCard:
    """Give an LTKM to the card."""

    ltkm: KeptLtkm


@dataclass(frozen=True, slots=True)
class Settle:
    """Look into EF_MUK whether the card took this LTKM."""

    ltkm: KeptLtkm


@dataclass(frozen=True, slots=True)
class SendBack:
    """Send a datagram."""

    datagram: Datagram


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell whoever watches."""

    news: News


Command = Identify | Send | SetTimer | DropTimer | Save | GiveToCard | Settle | SendBack | Tell

# --- news


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The client went from one state to another."""

    before: State
    after: State
    why: str


@dataclass(frozen=True, slots=True)
class ErrandDone:
    """An errand is over, well or not."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something is waited for, in seconds."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class LtkmHandled:
    """An LTKM was given to the card, or kept from it. `by_word`: the BSM will be told in the next registration."""

    receipt: LtkmReceipt
    name: MskName | None
    by_word: bool = False


@dataclass(frozen=True, slots=True)
class LtkmRepeated:
    """An LTKM came again and was answered from memory."""

    answered: bool


@dataclass(frozen=True, slots=True)
class MessageDropped:
    """A datagram or a short message is none that a terminal takes, or not now."""

    why: str


@dataclass(frozen=True, slots=True)
class TriggerTaken:
    """A trigger leads to a registration for these services."""

    trigger_id: str = field(repr=False)
    service_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemsOver:
    """These items are over and stand in no registration any more."""

    service_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StockTaken:
    """What orders in a web shop brought, and what they ended (serviceIDs)."""

    bought: tuple[Item, ...] = ()
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerPassedOver:
    """A server that an announcement names was not reached, so another one is tried."""

    server: str
    why: str


@dataclass(frozen=True, slots=True)
class KeysMissing:
    """No key came, though it was asked for; empty where nobody can say which."""

    names: tuple[MskName, ...]


News = (
    StateChanged
    | ErrandDone
    | Waiting
    | LtkmHandled
    | LtkmRepeated
    | MessageDropped
    | TriggerTaken
    | ItemsOver
    | StockTaken
    | ServerPassedOver
    | KeysMissing
)
