"""A small scenario and a network for it, shared by the tests of the head-end."""

from __future__ import annotations

from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.reading import parse_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.subscriber import Subscriber

IMSI = "001010123456789"
IMPI = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
# MILENAGE test set 1 of TS 35.207.
K = Secret(bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"))
OPC = Secret(bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf"))

SMALL = """
name = "small"
seed = "a seed"
start = 2026-11-21T12:00:00Z
duration = 2.0
network.imsi = "001010123456789"
stkm = { crypto_period = 0.5, repeat = 0.2, lead = 0.1, copies = 2 }
ltkm.lead = 0.3
recording.view = "one"

[[service]]
id = "one"
key_group = 1
address = "239.1.1.1"

[[service]]
id = "two"
key_domain = "262-02"
key_group = 2
port = 5006
address = "239.1.1.2"
first_sequence = 65530

[[event]]
at = 1.0
kind = "sek-rollover"
service = "one"

[[event]]
at = 1.2
kind = "switch"
service = "two"
"""


def small_scenario(**replaced: str) -> Scenario:
    """Return the small scenario; `old=new` pairs are replaced in its text first."""
    text = SMALL
    for old, new in replaced.items():
        text = text.replace(old, new)
    return parse_scenario(text, "small.toml")


def subscriber() -> Subscriber:
    """Return the subscriber of the small scenario as the network knows it at first."""
    return Subscriber.milenage(IMSI, IMPI, K, OPC)


def small_network() -> UsimNetwork:
    """Return a fresh network of the small scenario."""
    return UsimNetwork(small_scenario(), subscriber(), tables=P1)
