"""Clients that others wrote ask our BSM: aiohttp's digest with a body under auth-int, and curl."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp import DigestAuthMiddleware

from host_tools.exchange.messages.orders import ServiceAnswer, ServiceRequest
from host_tools.exchange.messages.provisioning import ProvisioningStatus, PurchaseItem
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.names import GBA_TOKEN
from host_tools.exchange.procedures import REGISTRATION, SERVICE_REQUEST, Procedure
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from tests.support.head_end import HeadEnd, fresh_card, head_end

ONE = SERVICE_PREFIX + "one"
_REGISTRATION = Registration((ONE,)).encode()


@pytest.fixture
def served() -> Iterator[HeadEnd]:
    with head_end() as found:
        yield found
        assert found.defects == 0


@pytest.fixture
def account(served: HeadEnd) -> tuple[str, str]:
    """B-TID and password of a card that bootstrapped."""
    card = fresh_card()
    b_tid = served.call(lambda: card.bootstrap(served.network.bsf).b_tid)
    srk = served.call(lambda: served.network.bsm.srk(b_tid))
    return b_tid, base64.b64encode(srk.reveal()).decode()


def url(served: HeadEnd, procedure: Procedure = REGISTRATION) -> str:
    end = served.running.network.bsm.endpoint
    return f"http://{end.address}:{end.port}{procedure.target}"


def post(
    served: HeadEnd,
    username: str,
    password: str,
    times: int = 1,
    procedure: Procedure = REGISTRATION,
    body: bytes = _REGISTRATION,
) -> list[tuple[int, bytes]]:
    """Ask with aiohttp's own digest and return status and body of each answer."""

    async def run() -> list[tuple[int, bytes]]:
        digest = DigestAuthMiddleware(login=username, password=password)
        headers = {"User-Agent": f"stranger {GBA_TOKEN}", "Content-Type": procedure.request or ""}
        found = []
        async with aiohttp.ClientSession(middlewares=(digest,), headers=headers) as session:
            for _ in range(times):
                async with session.post(url(served, procedure), data=body) as answer:
                    found.append((answer.status, await answer.read()))
        return found

    return asyncio.run(run())


def test_aiohttp_registers_with_the_body_under_the_digest(served: HeadEnd, account: tuple[str, str]) -> None:
    for status, body in post(served, *account, times=3):
        assert status == 200
        assert RegistrationAnswer.decode(body).codes == (ServiceCode(ONE, 200),)
    answered = served.call(lambda: dict(served.running.traffic["bsm"].answers))
    assert answered == {401: 1, 200: 3}  # from the second request on it authenticates at once
    registered = served.call(lambda: served.running.servers.keys.registration(served.network.subscriber.impi))
    assert registered is not None


def test_aiohttp_buys_with_the_body_under_the_digest(served: HeadEnd, account: tuple[str, str]) -> None:
    """Twice under one requestID: it is sold once, and both answers are the same octets."""
    item = next(item for item in served.running.servers.selling.sales.catalogue.items if not item.included)
    asked = ServiceRequest("aiohttp-1", (PurchaseItem(item.global_id, item.data_id),))
    answers = post(served, *account, times=2, procedure=SERVICE_REQUEST, body=asked.encode())
    assert [status for status, _ in answers] == [200, 200]
    assert answers[0] == answers[1]
    assert ServiceAnswer.decode(answers[0][1]).results[0].status is ProvisioningStatus.SUCCESS
    impi, ledger = served.network.subscriber.impi, served.running.servers.selling.sales.ledger
    assert served.call(lambda: len(ledger.charges(impi))) == 1


def test_aiohttp_with_a_wrong_password(served: HeadEnd, account: tuple[str, str]) -> None:
    ((status, _),) = post(served, account[0], "wrong")
    assert status == 401


def curl(served: HeadEnd, username: str, password: str) -> str:
    """Ask with GET, whose body is empty, and return the last head."""
    command = [
        "curl",
        "--silent",
        "--digest",
        "--user",
        f"{username}:{password}",
        "--dump-header",
        "-",
        "--max-time",
        "20",
    ]
    asked = [*command, "--output", "/dev/null", "--user-agent", f"curl {GBA_TOKEN}", url(served)]
    heads = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return heads.strip().split("\n\n")[-1]


def test_curl_is_admitted_and_told_that_a_get_is_not_for_this_path(served: HeadEnd, account: tuple[str, str]) -> None:
    head = curl(served, *account)
    assert head.startswith("HTTP/1.1 405 ")
    assert "rspauth=" in head  # which only a client gets whose digest was right


def test_curl_with_a_wrong_password(served: HeadEnd, account: tuple[str, str]) -> None:
    head = curl(served, account[0], "wrong")
    assert head.startswith("HTTP/1.1 401 ")
    assert "rspauth=" not in head
