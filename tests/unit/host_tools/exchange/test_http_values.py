"""Requests and answers as octets, the transports, the tables of procedures and codes, names in headers, XML."""

from __future__ import annotations

import pytest

from card.errors import DecodeError, EncodeError
from host_tools.exchange import names
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import LARGEST_BODY, HttpRequest, HttpResponse, media_type, reason_of
from host_tools.exchange.messages.fields import to_date_time
from host_tools.exchange.procedures import (
    ACCOUNT,
    KEY_MANAGEMENT,
    MSK_REQUEST,
    PRICING,
    PROCEDURES,
    REGISTRATION,
    Proof,
    Target,
)
from host_tools.exchange.status import STATUS_ROWS, Reaction, is_used, item_text, parse_item, reaction_to
from host_tools.exchange.transport import Datagram, Endpoint, InProcessDatagrams, InProcessTransport, Peer
from host_tools.exchange.xml_text import DEEPEST, LARGEST_DOCUMENT, Node, parse_document, write_document

PEER = Peer("127.0.0.1")


class TestHttp:
    def test_the_octets_of_a_request(self) -> None:
        request = REGISTRATION.build("bsm.example.org", b"<x/>", (("User-Agent", "a"),), "/base/")
        assert request.encode() == (
            b"POST /base/keymanagement?requesttype=register HTTP/1.1\r\nHost: bsm.example.org\r\n"
            b"Accept: application/mbms-register-response+xml\r\nContent-Type: application/mbms-register+xml\r\n"
            b"User-Agent: a\r\nContent-Length: 4\r\n\r\n<x/>"
        )
        assert HttpRequest.decode(request.encode()) == request

    def test_an_answer(self) -> None:
        answer = HttpResponse(403, (("Server", "BCAST NAF Server"),), b"send_BCAST_Client_ID", "Not acceptable")
        assert answer.encode().startswith(b"HTTP/1.1 403 Not acceptable\r\n")
        assert HttpResponse.decode(answer.encode()) == answer
        assert HttpResponse.decode(b"HTTP/1.1 299\r\n\r\n").status == 299

    def test_headers_in_either_case_and_without_the_space(self) -> None:
        request = HttpRequest.decode(b"GET / HTTP/1.1\r\nuser-AGENT:BCAST_Client_ID=YQ==\r\nX: \t1 \r\nx:2\r\n\r\n")
        assert request.one("User-Agent") == "BCAST_Client_ID=YQ=="
        assert request.all("X") == ("1", "2")
        assert request.one("Y") is None
        with pytest.raises(DecodeError, match="2 times"):
            request.one("X")

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"GET / HTTP/1.1\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"G\x00T / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            b"GET / HTTP/1.1\r\nAb\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\nx",
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 65 + b"\r\n",
            b"GET / HTTP/1.1\r\na: " + b"x" * 16_384 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n" + bytes(LARGEST_BODY + 1),
        ],
    )
    def test_what_is_no_request(self, raw: bytes) -> None:
        with pytest.raises(DecodeError):
            HttpRequest.decode(raw)

    @pytest.mark.parametrize("raw", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 2000\r\n\r\n", b"HTTP/1.1 xyz\r\n\r\n"])
    def test_what_is_no_answer(self, raw: bytes) -> None:
        with pytest.raises(DecodeError):
            HttpResponse.decode(raw)

    @pytest.mark.parametrize(
        "message",
        [
            HttpRequest("GET", "/a b"),
            HttpRequest("G T", "/"),
            HttpRequest("GET", "/", (("A", "b\r\nC: d"),)),
            HttpRequest("GET", "/", (("A:", "b"),)),
            HttpRequest("GET", "/", (("A", "\u20ac"),)),
            HttpResponse(200, reason="a\r\nb"),
        ],
    )
    def test_what_cannot_be_written(self, message: HttpRequest | HttpResponse) -> None:
        with pytest.raises(EncodeError):
            message.encode()

    def test_the_repr_shows_no_header_and_no_body(self) -> None:
        assert "secret" not in repr(HttpRequest("GET", "/", (("Authorization", "secret"),), b"secret"))

    def test_small_things(self) -> None:
        assert media_type(" Text/XML ; charset=utf-8") == "text/xml"
        assert media_type(None) == ""
        assert (reason_of(403), reason_of(299)) == ("Forbidden", "Unknown")


class Broken:
    """A server whose answer cannot be carried."""

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        return HttpResponse(200, body=bytes(LARGEST_BODY + 1))


def test_the_transport_reports_what_it_cannot_carry() -> None:
    with pytest.raises(TransportError):
        InProcessTransport(Broken(), PEER).exchange(HttpRequest("GET", "/"))


class Echo:
    """Sends everything back."""

    def received(self, datagram: Datagram) -> tuple[Datagram, ...]:
        return (Datagram(datagram.destination, datagram.source, datagram.payload),)


class TestDatagrams:
    HERE, THERE = Endpoint("127.0.0.2", 1), Endpoint("127.0.0.3", 2)

    def test_to_and_fro(self) -> None:
        net = InProcessDatagrams({Endpoint("127.0.0.3", 0): Echo()})
        net.send(Datagram(self.HERE, self.THERE, b"a"))
        assert [datagram.destination for datagram in net.deliver()] == [self.THERE, self.HERE]
        assert net.lost == 1
        assert net.deliver() == ()

    def test_two_that_answer_each_other(self) -> None:
        net = InProcessDatagrams({self.HERE: Echo(), self.THERE: Echo()})
        net.send(Datagram(self.HERE, self.THERE, b"a"))
        with pytest.raises(TransportError, match="no end"):
            net.deliver()


class TestProcedures:
    def test_the_request_lines_of_mbms(self) -> None:
        """TS 33.246 clause G.2."""
        assert [(row.method, row.target) for row in KEY_MANAGEMENT] == [
            ("POST", "/keymanagement?requesttype=register"),
            ("POST", "/keymanagement?requesttype=deregister"),
            ("POST", "/keymanagement?requesttype=msk-request"),
        ]

    def test_pricing_and_account_are_not_under_the_digest_alone(self) -> None:
        under = {row for row in PROCEDURES if row.proof is Proof.SRK_OR_TLS}
        assert under == {PRICING, ACCOUNT}

    def test_what_is_ours_says_so(self) -> None:
        ours = {row.tail for row in PROCEDURES if row.ref.provisional}
        back_end = {"tek-offers", "key-grants", "sek-rolls", "seks", "stkms", "ltkms", "registration-materials"}
        assert ours == {"/guide/", "/sprov", "/stkm/", "/tbk"} | {f"/backend/v1/{name}" for name in back_end}

    def test_names_are_unique(self) -> None:
        assert len({row.name for row in PROCEDURES}) == len(PROCEDURES)

    def test_the_type_of_an_answer(self) -> None:
        typed = HttpResponse(200, (("Content-Type", "Application/MBMS-msk+xml;charset=utf-8"),), b"x")
        assert MSK_REQUEST.require_answer(typed) == b"x"
        with pytest.raises(DecodeError, match="is of type"):
            REGISTRATION.require_answer(typed)
        with pytest.raises(DecodeError, match="unknown"):
            REGISTRATION.require_answer(HttpResponse(200))

    def test_targets(self) -> None:
        target = Target.parse("http://bsm.example.org/x/keymanagement?a=b&requesttype=register")
        assert (target.host, target.path) == ("bsm.example.org", "/x/keymanagement")
        assert target.ends_with(REGISTRATION)
        assert target.query == "a=b&requesttype=register"
        assert Target.parse("http://h").path == "/"

    @pytest.mark.parametrize("text", ["", "x", "ftp://x/", "/" + "x" * 2048])
    def test_targets_that_are_none(self, text: str) -> None:
        with pytest.raises(DecodeError):
            Target.parse(text)


class TestCodes:
    def test_the_rows(self) -> None:
        """TS 33.246 clause G.2.4: these are used, and 406 to 417, 500 and 502 are not."""
        assert {row.status for row in STATUS_ROWS} == {200, 400, 401, 403, 404, 405, 501, 503, 504, 505}
        assert not any(is_used(status) for status in (402, *range(406, 418), 500, 502))
        assert [reaction_to(status) for status in (204, 401, 503, 500)] == [
            Reaction.READ_ITEMS,
            Reaction.AUTHENTICATE,
            Reaction.WAIT,
            Reaction.REPORT,
        ]

    @pytest.mark.parametrize(("text", "code"), [("200 OK", 200), ("403", 403), (" 503 later", 503), ("200OK", 200)])
    def test_the_first_three_digits_count(self, text: str, code: int) -> None:
        assert parse_item(text) == code

    def test_they_are_written_with_their_reason(self) -> None:
        assert item_text(403) == "403 Forbidden"


class TestNames:
    @pytest.mark.parametrize(
        ("agent", "knows"),
        [
            ("MBMSAgent; Release-6 3gpp-gba", True),
            ("3gpp-gba", True),
            ("x 3gpp-gba/1", True),
            ("BCAST_Client_ID=YQ==", True),
            ("3gpp-gba-uicc", False),
            ("3gpp-gba-tmpi 3gpp-gba-digest", False),
            ("", False),
        ],
    )
    def test_who_knows_gba(self, agent: str, knows: bool) -> None:
        assert names.knows_gba(agent) is knows

    def test_the_client_id(self) -> None:
        agent = names.client_id_agent(b"bcast-terminal-0001")
        assert agent == "BCAST_Client_ID=YmNhc3QtdGVybWluYWwtMDAwMQ=="
        assert names.find_client_id(f"3gpp-gba {agent} x") == b"bcast-terminal-0001"
        assert names.find_client_id("x") is None

    @pytest.mark.parametrize("text", ["A", "A" * 100])
    def test_client_ids_that_are_none(self, text: str) -> None:
        with pytest.raises(DecodeError):
            names.find_client_id(f"BCAST_Client_ID={text}")


class TestXml:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<a>",
            b"<b/>",
            b"<a/><a/>",
            b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
            b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
            b"<a>&x;</a>",
            b'<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>',
            b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>',
            b"<a>\xff</a>",
            b"<a>\0</a>",
            b"<a>&#0;</a>",
            b"<a xmlns:x='u' x:b='1' xmlns:y='u' y:b='2'/>",
            b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1),
            b"<a>" * 5000 + b"</a>" * 5000,
            b"<a>" + b" " * LARGEST_DOCUMENT + b"</a>",
            "\ud800".encode("utf-16", "surrogatepass"),
            b"<a xmlns:x=''><x:b/></a>",
        ],
    )
    def test_refused(self, body: bytes) -> None:
        with pytest.raises(DecodeError):
            parse_document(body, "a")

    @pytest.mark.parametrize(
        "body",
        [
            "<a>é</a>".encode(),
            b"\xef\xbb\xbf" + "<a>é</a>".encode(),
            '<?xml version="1.0" encoding="utf-8"?><a>é</a>'.encode(),
            '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16"),
            b'<?xml version="1.0"  encoding = \'us-ascii\' standalone="yes"?>\n<!-- x --><a>&#233;<?p q?></a>',
        ],
    )
    def test_read(self, body: bytes) -> None:
        assert parse_document(body, "A").text == "é"

    def test_as_deep_as_may_be(self) -> None:
        assert parse_document(b"<a>" * DEEPEST + b"</a>" * DEEPEST, "a").name == "a"

    def test_comments_do_not_cut_a_text(self) -> None:
        assert parse_document(b"<a> 1<!-- x -->2 </a>", "a").text == "12"

    def test_text_and_attributes_do_not_show(self) -> None:
        assert "secret" not in repr(parse_document(b"<a b='secret'>secret</a>", "a"))

    def test_children(self) -> None:
        root = parse_document(b"<a x:q='1' xmlns:x='u'><B/><x:c/><x:c/></a>", "a")
        assert (root.one("b").name, len(root.all("c")), root.attribute("q")) == ("B", 2, "1")
        for wrong in (lambda: root.one("c"), lambda: root.one("d"), lambda: root.attribute("r")):
            with pytest.raises(DecodeError):
                wrong()

    def test_written(self) -> None:
        root = Node("a", "urn:x", (Node("b", "urn:x", text="<&"),), attributes={"c": '"'})
        assert write_document(root) == (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="urn:x" c="&quot;"><b>&lt;&amp;</b></a>'
        )


@pytest.mark.parametrize("text", ["", "2030", "2030-01-02", "2030-01-02T03:04", "2030-02-30T00:00:00Z", "x" * 50])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(DecodeError):
        to_date_time(text)
