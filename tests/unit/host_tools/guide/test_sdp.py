"""Session descriptions: there and back, the example of the sheet, what is passed over, what is refused."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from card.errors import DecodeError, EncodeError
from host_tools.guide.names import KmsType
from host_tools.guide.sdp import KeyStream, MediaStream, Profile, SessionDescription
from host_tools.guide.sdp_reading import LARGEST_SDP, decode_sdp

MEDIUM = MediaStream("audio", "239.1.1.1", 5004, 0, "PCMU/8000", Profile.SAVP, (1,), 2, 16, "mode=test")
KEYS = KeyStream("239.1.1.1", 2269, 1, KmsType.GBA_U, "somebody")
WHOLE = SessionDescription("Tone", (MEDIUM,), (KEYS,), 3, 4, "198.51.100.1", 16, "198.51.100.1")
EXAMPLE = b"""v=0
o=- 1 1 IN IP4 198.51.100.1
s=Programme
t=0 0
a=bcastversion:1.0
c=IN IP4 232.1.2.3/16
m=data 49230 UDP vnd.oma.bcast.stkm
a=fmtp:vnd.oma.bcast.stkm StreamID=1; kmstype=oma-bcast-gba_u-mbms; somethingelse=2
m=audio 5004 RTP/AVP 97
a=rtpmap:97 mpeg4-generic/48000/2
a=stkmstream:1
m=application 4000 FLUTE/UDP 0
"""


def test_there_and_back() -> None:
    assert decode_sdp(WHOLE.encode()) == WHOLE


def test_ipv6_there_and_back() -> None:
    medium, keys = replace(MEDIUM, address="ff1e::1"), replace(KEYS, address="ff1e::1")
    session = replace(WHOLE, media=(medium,), key_streams=(keys,), source=None, ttl=1)
    assert decode_sdp(session.encode()) == session
    assert medium.flow_id == "ff1e::1/5004"


def test_the_octets_are_these() -> None:
    medium = replace(MEDIUM, authentication=None, roll_over_rate=None, parameters="")
    plain = SessionDescription("Tone", (medium,), (replace(KEYS, service_provider=""),))
    assert plain.encode().decode().split("\r\n") == [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=Tone",
        "t=0 0",
        "a=bcastversion:1.0",
        "m=audio 5004 RTP/SAVP 0",
        "c=IN IP4 239.1.1.1/1",
        "a=rtpmap:0 PCMU/8000",
        "a=stkmstream:1",
        "m=data 2269 UDP vnd.oma.bcast.stkm",
        "c=IN IP4 239.1.1.1/1",
        "a=fmtp:vnd.oma.bcast.stkm streamid=1; kmstype=oma-bcast-gba_u-mbms",
        "",
    ]


def test_another_writer_is_understood() -> None:
    found = decode_sdp(EXAMPLE)
    (medium,) = found.media
    assert (medium.address, medium.port, medium.payload_type) == ("232.1.2.3", 5004, 97)
    assert (found.ttl, found.name) == (16, "Programme")
    assert [keys.port for keys in found.keys_of(medium)] == [49230]
    assert found.keys_of(replace(medium, key_streams=())) == found.key_streams
    assert found.keys_of(replace(medium, key_streams=(9,))) == ()


def test_an_attribute_of_the_session_is_for_all_media() -> None:
    text = EXAMPLE.replace(b"a=stkmstream:1\n", b"").replace(b"a=bcastversion", b"a=stkmstream:1\na=bcastversion")
    assert decode_sdp(text).media[0].key_streams == (1,)


def test_unknown_key_management_and_a_refused_stream() -> None:
    text = EXAMPLE.replace(b"oma-bcast-gba_u-mbms", b"of-tomorrow").replace(b"audio 5004", b"audio 0")
    found = decode_sdp(text)
    assert found.media == ()
    assert found.key_streams[0].kms_type == "of-tomorrow"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"v=0\n", b"", "v=0"),
        (b"c=IN IP4 232.1.2.3/16\n", b"", "no address"),
        (b"232.1.2.3", b"host.example", "no IP address"),
        (b"5004", b"65536", "65535"),
        (b"RTP/AVP 97", b"RTP/AVP 128", "payload type"),
        (b"StreamID=1", b"x=1", "streamid"),
        (b"a=stkmstream:1", b"a=stkmstream:-1", "stkmstream"),
        (b"a=stkmstream:1", b"a=stkmstream:" + "\N{ARABIC-INDIC DIGIT ONE}".encode(), "stkmstream"),
        (b"s=Programme", b"Programme", "equals sign"),
        (b"s=Programme", b"s=\xff", "UTF-8"),
        (
            b"m=application 4000 FLUTE/UDP 0",
            b"m=data 1 UDP vnd.oma.bcast.stkm\na=fmtp:vnd.oma.bcast.stkm streamid=1",
            "two key streams",
        ),
        (b"m=application 4000 FLUTE/UDP 0", b"m=x 1 RTP/AVP 0\n" * 40, "more than 32"),
        (b"s=Programme", b"a=x\n" * 600, "lines"),
        (b"s=Programme", b"s=" + b"x" * LARGEST_SDP, "octets"),
    ],
)
def test_what_is_no_session_description(before: bytes, after: bytes, words: str) -> None:
    assert before in EXAMPLE
    with pytest.raises(DecodeError, match=words):
        decode_sdp(EXAMPLE.replace(before, after))


@pytest.mark.parametrize(
    "wrong",
    [
        replace(WHOLE, name="two\r\nlines"),
        replace(WHOLE, media=(replace(MEDIUM, port=0),)),
        replace(WHOLE, media=(replace(MEDIUM, address="here"),)),
        replace(WHOLE, media=(replace(MEDIUM, kind="au dio"),)),
        replace(WHOLE, key_streams=(replace(KEYS, stream_id=-1),)),
    ],
)
def test_what_cannot_be_written(wrong: SessionDescription) -> None:
    with pytest.raises(EncodeError):
        wrong.encode()


def test_broken_ones_never_end_in_anything_else() -> None:
    chance, whole, refused = random.Random(14), WHOLE.encode() + EXAMPLE[4:], 0
    for _ in range(2000):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        del broken[chance.randrange(len(broken)) :]
        try:
            decode_sdp(bytes(broken))
        except DecodeError:
            refused += 1
    assert 500 < refused < 2000
