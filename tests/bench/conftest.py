"""Readers for measurements: the same private pcscd and client as the integration tests use."""

from __future__ import annotations

from tests.integration.conftest import client, private_pcscd

__all__ = ["client", "private_pcscd"]
