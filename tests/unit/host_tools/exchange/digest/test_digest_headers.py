"""The headers of HTTP Digest, in the forms that servers and clients really send."""

from __future__ import annotations

import pytest

from card.errors import DecodeError, EncodeError
from host_tools.exchange.digest.compute import Algorithm, Qop
from host_tools.exchange.digest.headers import AuthenticationInfo, Challenge, Credentials
from host_tools.exchange.digest.parameters import LONGEST_HEADER, parse_schemes, quote

GBA = "3GPP-bootstrapping@bmsc.example.org"
A1 = (
    'Digest username="I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org", '
    'realm="3GPP-bootstrapping@bmsc.mnc001.mcc001.pub.3gppnetwork.org", nonce="bGF0ZXN0LW5vbmNlLTAx", '
    'uri="/keymanagement?requesttype=register", response="f0deb8656c9786435aaa50548ba519d8", algorithm=MD5, '
    'qop=auth-int, nc=00000001, cnonce="c0ffee0123456789"'
)


class TestChallenge:
    @pytest.mark.parametrize(
        "text",
        [
            f'Digest realm="{GBA}", nonce="n", algorithm=MD5, qop="auth-int"',
            f'digest  qop=auth-int ,nonce = "n",, algorithm="md5" ,\trealm="{GBA}",',
            f'Digest nonce=n,realm="{GBA}",qop="auth-int, foo",unknown="a, \\"b\\" = c",algorithm=MD5',
        ],
    )
    def test_order_spacing_and_quotes_do_not_matter(self, text: str) -> None:
        assert Challenge.parse_all([text]) == (Challenge(GBA, "n"),)

    def test_several_challenges_in_one_header_and_in_several(self) -> None:
        first = 'Basic realm="x", Digest realm="a", nonce="1", qop="auth", Digest realm="b", nonce="2", qop="auth-int"'
        found = Challenge.parse_all([first, 'Negotiate, Digest realm="c", nonce="3"'])
        assert [(one.realm, one.nonce, one.qop) for one in found] == [
            ("a", "1", Qop.AUTH),
            ("b", "2", Qop.AUTH_INT),
            ("c", "3", None),
        ]

    def test_two_realms_in_one(self) -> None:
        (found,) = Challenge.parse_all(['Digest realm="a@x;b@x", nonce="1", qop="auth,auth-int"'])
        assert found.realms == ("a@x", "b@x")
        assert found.qop is Qop.AUTH_INT

    def test_what_cannot_be_answered_is_left_out(self) -> None:
        unknown = ['Digest realm="a", nonce="1", algorithm=SHA-512-256', 'Digest realm="a", nonce="1", qop="x"']
        assert Challenge.parse_all(unknown) == ()

    def test_one_that_nobody_can_answer_does_not_spoil_the_next(self) -> None:
        found = Challenge.parse_all(['Digest nonce="1"', 'Digest realm="x", Digest realm="a", nonce="2"'])
        assert [(one.realm, one.nonce) for one in found] == [("a", "2")]

    def test_it_is_written_as_it_is_read(self) -> None:
        challenge = Challenge('r"\\', "n", Algorithm.AKA_V1_MD5, (Qop.AUTH, Qop.AUTH_INT), "o", stale=True)
        assert Challenge.parse_all([challenge.header_value()]) == (challenge,)

    @pytest.mark.parametrize("text", ["TRUE", "true"])
    def test_stale(self, text: str) -> None:
        (found,) = Challenge.parse_all([f'Digest realm="a", nonce="1", stale={text}'])
        assert found.stale

    @pytest.mark.parametrize(
        "text",
        [
            'Digest realm="a", realm="b", nonce="1"',
            'realm="a", nonce="1"',
            'Digest realm="a',
            'Digest realm="a" nonce="1"',
            'Digest realm="a"x, nonce="1"',
            'Digest realm="a\r\nX: y", nonce="1"',
            'Digest realm="\u20ac", nonce="1"',
            'Digest "a"',
            "Digest =",
            "Digest " + ", ".join(f"a{number}=1" for number in range(49)),
            "Digest a=" + "x" * LONGEST_HEADER,
        ],
    )
    def test_what_has_no_meaning_is_refused(self, text: str) -> None:
        with pytest.raises(DecodeError):
            Challenge.parse_all([text])

    def test_a_header_holds_no_line_ends(self) -> None:
        with pytest.raises(EncodeError):
            Challenge("a\r\nb", "n").header_value()


class TestCredentials:
    def test_the_header_of_the_vector_is_written_to_the_octet(self) -> None:
        assert Credentials.parse(A1).header_value() == A1

    def test_an_introduction(self) -> None:
        text = Credentials.introduction("me@x", "bsf.x", "/").header_value()
        assert text == 'Digest username="me@x", realm="bsf.x", nonce="", uri="/", response=""'
        found = Credentials.parse(text)
        assert found.is_introduction
        assert not Credentials.parse(A1).is_introduction

    def test_auts(self) -> None:
        sent = Credentials("u", "r", "n", "/", "x", Algorithm.AKA_V1_MD5, cnonce="c", auts=bytes(range(14)))
        assert Credentials.parse(sent.header_value()) == sent

    def test_a_response_is_not_shown(self) -> None:
        assert "f0deb865" not in repr(Credentials.parse(A1))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("Digest ", "Basic "),
            ("nc=00000001", "nc=00000000"),
            ("nc=00000001", "nc=000000001"),
            ("nc=00000001", "nc=-1"),
            ("nc=00000001, ", ""),
            (', cnonce="c0ffee0123456789"', ""),
            ("qop=auth-int", "qop=x"),
            ("algorithm=MD5", "algorithm=x"),
            ("username=", "user="),
            ("response=", "answer="),
            ("nc=", 'auts="AAAA", nc='),
            ("nc=", 'auts="%", nc='),
            ("Digest ", "Digest a=1, Digest "),
        ],
    )
    def test_a_malformed_header(self, old: str, new: str) -> None:
        with pytest.raises(DecodeError):
            Credentials.parse(A1.replace(old, new, 1))


class TestAuthenticationInfo:
    def test_round_trip(self) -> None:
        info = AuthenticationInfo("ab", Qop.AUTH_INT, "c", 2, "next")
        assert AuthenticationInfo.parse(info.header_value()) == info

    def test_unknown_and_missing_parts(self) -> None:
        found = AuthenticationInfo.parse('nonce="x", opaque="y" , qop="auth-int", nc=1')
        assert found == AuthenticationInfo(None, Qop.AUTH_INT, None, 1, None)

    @pytest.mark.parametrize("text", ["rspauth", 'rspauth="a", rspauth="b"', "nc=x", "qop=none"])
    def test_malformed(self, text: str) -> None:
        with pytest.raises(DecodeError):
            AuthenticationInfo.parse(text)


def test_schemes_and_names_in_either_case() -> None:
    (scheme,) = parse_schemes("DIGEST Realm=A")
    assert (scheme.name, dict(scheme.parameters)) == ("digest", {"realm": "A"})


def test_quoting() -> None:
    assert quote('a"b\\c') == '"a\\"b\\\\c"'
