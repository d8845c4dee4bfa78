"""Reads scenario files, TOML, and says everything that is wrong with one."""

from __future__ import annotations

from pathlib import Path

from card.disk.kinds import SCENARIO
from card.disk.reading import read_text
from card.disk.shipped import shipped_names, shipped_text
from card.disk.toml import NotToml, parse_toml
from card.errors import UnusableFile
from host_tools.headend.errors import ScenarioError
from host_tools.headend.scenario.model import Event, Network, Scenario, SekRollover, ServiceSwitch, StkmBy, StkmPlan
from host_tools.headend.scenario.policies import read_deliveries, read_programmes, read_stkm_policy
from host_tools.headend.service_keys import LAST_MTK_ID
from host_tools.headend.services import Service
from host_tools.headend.toml_table import Problems, TomlTable

_MOST_SERVICES = 16
_MOST_EVENTS = 256
_LONGEST, _LONGEST_BROADCAST = 3600.0, 21600.0
_SHORTEST_PERIOD = 0.1  # an hour of these still fits the 16 bits of an MTK ID

_SEK_SIZES = (16, 24, 32)  # TS 33.246 clause 4.2: an MSK is at least as long as an MTK, an SRTP master key

_FQDN = r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+"
_PLMN = r"[0-9]{3}-[0-9]{2,3}"
_SERVICE_ID = r"[a-z0-9][a-z0-9._-]{0,31}"
_MULTICAST = r"(22[4-9]|23[0-9])(\.(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}"


def find_scenario(name_or_path: str) -> Scenario:
    """Read the scenario file of this path or, when there is none (a folder is none), the shipped one of this name.

    Raises `ScenarioError`.
    """
    path = Path(name_or_path)
    is_name = name_or_path.isidentifier() and (path.is_dir() or not path.exists())
    return shipped_scenario(name_or_path) if is_name else load_scenario(path)


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises `ScenarioError`."""
    try:
        return parse_scenario(read_text(path, SCENARIO), str(path))
    except UnusableFile as error:
        raise ScenarioError(str(error)) from None


def shipped_scenario(name: str) -> Scenario:
    """Read a scenario that comes with the product. Raises `ScenarioError` when there is none of this name."""
    return parse_scenario(scenario_text(name), f"{name}.toml")


def scenario_text(name: str) -> str:
    """Return the text of a scenario that comes with the product. Raises `ScenarioError`."""
    text = shipped_text("host_tools.headend", "scenarios", f"{name}.toml") if name.isidentifier() else None
    if text is None:
        known = ", ".join(shipped_names("host_tools.headend", "scenarios", suffix=".toml"))
        raise ScenarioError(f"{name}: no such file, nor a scenario that ships: {known}")
    return text


def parse_scenario(text: str, name: str) -> Scenario:
    """Read a scenario from TOML text; `name` is the file in error messages. Raises `ScenarioError`."""
    try:
        data = parse_toml(text)
    except NotToml as error:
        raise ScenarioError(f"{name}:{error.line}: {error.reason}") from None
    problems = Problems()
    scenario = _scenario(TomlTable(data, "", problems))
    if not problems:
        _check_plan(scenario, problems)
    if problems:
        raise ScenarioError(f"{name} is not a scenario that can be played:\n{problems.text(name, text)}")
    return scenario


def _scenario(root: TomlTable) -> Scenario:
    recording = root.table("recording")
    network, domain = _network(root.table("network"))
    services = tuple(_service(table, domain) for table in root.tables("service", _MOST_SERVICES))
    names = [service.id for service in services]
    view = recording.choice("view", ["all", *names], names[0] if names else "all")
    duration = root.seconds("duration", 0.1, _LONGEST_BROADCAST)
    ltkm = root.table("ltkm")
    scenario = Scenario(
        name=root.text("name", r"[^\x00-\x1f]{1,64}", "a text of 1 to 64 characters"),
        seed=root.text("seed", r"[^\x00-\x1f]{1,128}", "a text of 1 to 128 characters"),
        start=root.moment("start"),
        duration=duration,
        network=network,
        stkm=_stkm(root.table("stkm")),
        ltkm_lead=ltkm.seconds("lead", 0, _LONGEST, 2.0),
        services=services,
        view=None if view == "all" else view,
        events=_events(root, names, duration),
        programmes=read_programmes(root, names, duration),
        planned=read_deliveries(root, names, duration),
        stkm_by=StkmBy(root.choice("stkm_by", [by.value for by in StkmBy], StkmBy.BSM.value)),
    )
    for table in (recording, ltkm, root):
        table.finish()
    return scenario


def _network(table: TomlTable) -> tuple[Network, str]:
    """Return the names of the network and the key domain of services that do not name their own."""
    fqdn = "a domain name in lower case"
    bsf = table.text("bsf", _FQDN, fqdn, "bsf.mnc001.mcc001.pub.3gppnetwork.org")
    bsm = table.text("bsm", _FQDN, fqdn, "bmsc.mnc001.mcc001.pub.3gppnetwork.org")
    imsi = table.text("imsi", r"[0-9]{6,15}", "6 to 15 digits, as in the card profile")
    domain = table.text("key_domain", _PLMN, 'MCC and MNC such as "001-01"', "001-01")
    plain_res = table.flag("plain_res")
    table.finish()
    return Network(bsf, bsm, imsi, plain_res), domain


def _stkm(table: TomlTable) -> StkmPlan:
    plan = StkmPlan(
        crypto_period=table.seconds("crypto_period", _SHORTEST_PERIOD, _LONGEST),
        repeat=table.seconds("repeat", 0.02, _LONGEST, 1.0),
        lead=table.seconds("lead", 0, 60, 0.2),
        copies=table.whole("copies", 1, 10, 1),
        port=table.whole("port", 1, 65535, 2269),
    )
    table.finish()
    return plan


def _service(table: TomlTable, domain: str) -> Service:
    service = Service(
        id=table.text("id", _SERVICE_ID, "1 to 32 lower-case letters, digits, dots, hyphens"),
        key_domain=table.text("key_domain", _PLMN, 'MCC and MNC such as "001-01"', domain),
        key_group=table.whole("key_group", 1, 0xFFFF),
        address=table.text("address", _MULTICAST, "an IPv4 multicast address such as 239.1.1.1"),
        port=table.whole("port", 1, 65535, 5004),
        payload_type=table.whole("payload_type", 0, 0, 0),
        first_sequence=table.optional_whole("first_sequence", 0, 0xFFFF),
        bcast=read_stkm_policy(table),
        sek_size=_sek_size(table),
    )
    table.finish()
    return service


def _sek_size(table: TomlTable) -> int:
    size = table.whole("sek_size", _SEK_SIZES[0], _SEK_SIZES[-1], _SEK_SIZES[0])
    if size not in _SEK_SIZES:
        table.complain("sek_size", f"{size} is not allowed; 16, 24 and 32 bytes are")
    return size


def _events(root: TomlTable, names: list[str], duration: int) -> tuple[Event, ...]:
    events: list[Event] = []
    for table in root.tables("event", _MOST_EVENTS):
        at = table.seconds("at", 0, duration / 1000)
        kind = table.choice("kind", ["sek-rollover", "switch"])
        service = table.choice("service", names)
        table.finish()
        events.append(SekRollover(at, service) if kind == "sek-rollover" else ServiceSwitch(at, service))
    return tuple(sorted(events, key=lambda event: event.at))


def _check_plan(scenario: Scenario, problems: Problems) -> None:
    """Note what each field allows but all of them together do not."""
    services = scenario.services
    if not services:
        problems.add("service", "at least one table [[service]] is wanted")
    for what, values in (
        ("id", [service.id for service in services]),
        # Not even in different key domains: the MKI in the media names the MSK ID without its domain.
        ("key_group", [service.key_group for service in services]),
        ("address and port", [(service.address, service.port) for service in services]),
    ):
        if len(set(values)) < len(values):
            problems.add(f"service.{what}", "two services have the same; each needs its own")
    if any(service.port == scenario.stkm.port for service in services):
        problems.add("service.port", f"port {scenario.stkm.port} carries the STKMs")
    if scenario.stkm.lead >= scenario.stkm.crypto_period:
        problems.add("stkm.lead", "must be shorter than stkm.crypto_period")
    if scenario.periods > LAST_MTK_ID:
        problems.add("stkm.crypto_period", f"{scenario.periods} periods are too many; there are {LAST_MTK_ID} MTK IDs")
    _check_rollovers(scenario, problems)
    for planned in scenario.planned:
        keys = 1 + sum(isinstance(event, SekRollover) and event.service == planned.service for event in scenario.events)
        if planned.key_number > keys:
            problems.add("delivery.key", f"{planned.service} has {keys} keys, not {planned.key_number}")


def _check_rollovers(scenario: Scenario, problems: Problems) -> None:
    seen: set[tuple[str, int]] = set()
    for event in scenario.events:
        if not isinstance(event, SekRollover):
            continue
        period = -(-event.at // scenario.stkm.crypto_period)
        if not 0 < period < scenario.periods:
            problems.add("event.at", f"no crypto period begins at {event.at / 1000:g} s or later for a new SEK")
        elif (event.service, period) in seen:
            problems.add("event.at", f"two SEK roll-overs of {event.service} fall on the same crypto period")
        seen.add((event.service, period))
