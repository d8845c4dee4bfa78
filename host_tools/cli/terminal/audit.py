"""`bcast-uicc terminal audit`: what the card tells about its keys, policies, purses and recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.explained import explained
from host_tools.cli.terminal.options import CardChoice, card_options, csim_option

if TYPE_CHECKING:
    from card.spec.bcast.tables import BcastTables
    from host_tools.sessions.look import Account
    from host_tools.terminal.audit import Content, KeyGroup, Policy, Quantities


@click.command()
@csim_option
@card_options
def audit(as_json: bool, **options: Any) -> None:
    """Show key groups, policies, purses and recordings, as the card reports them.

    A card without keys of OMA BCAST has nothing to report; keys that follow plain MBMS rules do not show here.
    """
    from host_tools.cli.terminal.report import print_json
    from host_tools.sessions.look import audit_card

    with explained(), CardChoice.of(options).connected() as middleware:
        found = audit_card(middleware)
    if as_json:
        print_json(
            {
                "key_groups": [_group_dict(group) for group in found.groups],
                "policies": [_policy_dict(policy, found.tables) for policy in found.policies],
                "recordings": [_content_dict(content, found.tables) for content in found.recordings],
            }
        )
        return
    _print_tables(found)


def _print_tables(found: Account) -> None:
    from host_tools.cli.terminal.report import print_columns

    if not found.groups:
        click.echo("The card reports no key of OMA BCAST.")
        return
    print_columns(
        "Key groups",
        ("domain", "group", "purses and counters"),
        [(group.key_domain_id.hex(), group.key_group.hex(), _words(group.quantities)) for group in found.groups],
    )
    print_columns("Policies", ("domain", "MSK ID", "SPE", "STKM timestamps", "paid from", "marks"), [
        (
            policy.key_domain_id.hex(),
            policy.msk_id.hex(),
            f"{policy.spe:X} {_spe_name(policy.spe, found.tables)}",
            f"{policy.first_ts} to {policy.last_ts}",
            _words(policy.quantities),
            ", ".join(sorted(policy.properties)),
        )
        for policy in found.policies
    ])  # fmt: skip
    if found.recordings:
        print_columns(
            "Recordings",
            ("content", "terminal", "policies"),
            [(_text(one.content_id), one.terminal_id.hex(), str(len(one.policies))) for one in found.recordings],
        )


def _words(quantities: Quantities) -> str:
    from host_tools.terminal.audit import quantity_words

    return ", ".join(f"{quantity_words(name)} {value}" for name, value in quantities.items())


def _spe_name(spe: int, tables: BcastTables) -> str:
    row = next((row for row in tables.spe if row.value == spe), None)
    return row.name if row else "unknown"


def _text(content_id: bytes) -> str:
    text = content_id.decode("utf-8", "replace")
    return text if text.isprintable() and "\ufffd" not in text else content_id.hex()


def _group_dict(group: KeyGroup) -> dict[str, object]:
    return {
        "key_domain": group.key_domain_id.hex(),
        "key_group": group.key_group.hex(),
        **dict(group.quantities.items()),
    }


def _policy_dict(policy: Policy, tables: BcastTables) -> dict[str, object]:
    return {
        "key_domain": policy.key_domain_id.hex(),
        "msk_id": policy.msk_id.hex(),
        "spe": policy.spe,
        "name": _spe_name(policy.spe, tables),
        "first_ts": policy.first_ts,
        "last_ts": policy.last_ts,
        "properties": sorted(policy.properties),
        **dict(policy.quantities.items()),
    }


def _content_dict(content: Content, tables: BcastTables) -> dict[str, object]:
    return {
        "content_id": content.content_id.hex(),
        "terminal_id": content.terminal_id.hex(),
        "policies": [_policy_dict(policy, tables) for policy in content.policies],
    }
