"""Announcements over HTTP: the documents of all services, as they were made when the broadcast began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import ANNOUNCEMENT, Target
from host_tools.exchange.transport import Peer
from host_tools.guide.announce import Document
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.guarded import GuardedServer


class GuideServer(GuardedServer):
    """Answers GET for the documents of an announcement; the path of one is its name behind that of the procedure."""

    reference_point = "the announcement"

    def __init__(self, documents: Iterable[Document], homes: Mapping[str, str]) -> None:
        """Take the documents; the one without a name is what the bare path gives.

        Who asks from an address in `homes` gets the documents whose names begin as it says there, where there are such.
        """
        super().__init__()
        self._documents: Mapping[str, Document] = {document.name: document for document in documents}
        self._homes = dict(homes)

    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        name = Target.parse(request.target).path.partition(ANNOUNCEMENT.tail)[2]
        found = self._documents.get(self._homes.get(peer.address, "") + name) or self._documents.get(name)
        if found is None:
            return failure(HTTPStatus.NOT_FOUND)
        if request.method != ANNOUNCEMENT.method:
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", ANNOUNCEMENT.method),))
        return answer(HTTPStatus.OK, found.body, found.media_type)
