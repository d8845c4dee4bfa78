"""`bcast-uicc doctor`: what this machine lacks, and the command that fixes it."""

from __future__ import annotations

import json

import click

from host_tools.cli.exits import ENVIRONMENT
from host_tools.sessions.health import Diagnosis, Finding, Health, diagnose

_COLOURS = {Health.OK: "green", Health.MISSING: "red", Health.OPTIONAL: "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Find what this machine lacks, and print the fix.

    Looks only: nothing is started, dialled or changed. Exit status 0 when everything needed is there, otherwise 3.
    """
    found = diagnose()
    if as_json:
        click.echo(json.dumps([_as_dict(finding) for finding in found.findings], indent=2))
    else:
        _print_table(found)
    if not found.healthy:
        ctx.exit(ENVIRONMENT)


def _as_dict(finding: Finding) -> dict[str, str]:
    return {
        "name": finding.name,
        "health": finding.health.value,
        "detail": finding.detail,
        "fix": finding.fix,
    }


def _print_table(found: Diagnosis) -> None:
    findings = found.findings
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        health = click.style(f"{finding.health.value:<8}", fg=_COLOURS[finding.health])
        click.echo(f"{health}  {finding.name:<{width}}  {finding.detail}")
        if finding.fix:
            click.echo(f"{'':8}  {'':{width}}  fix: {finding.fix}")
    missing = sum(finding.health is Health.MISSING for finding in findings)
    click.echo(f"{missing} missing." if missing else "Everything needed is there.")
