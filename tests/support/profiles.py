"""A card profile for tests that does not change with the demo profiles: MILENAGE test set 1, all PINs, small files."""

from __future__ import annotations

from card import CardProfile

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
IMSI = "001010123456789"
AID = bytes.fromhex("A0000000871002FFFFFFFF8907090000")
PIN1, PIN2, UNIVERSAL, ADM1 = "1234", "5678", "2468", "11223344"
PUK1, PUK2 = "12345678", "87654321"

# A 1-byte linear fixed, a cyclic and a transparent file that are open to all, for tests of reading and writing.
OPEN_TRANSPARENT, OPEN_LINEAR, OPEN_CYCLIC = 0x2F60, 0x2F61, 0x2F62
GUARDED = 0x6F70  # read PIN1, update PIN2
NESTED_DF, NESTED_EF = 0x5F10, 0x4F01  # under ADF.USIM

TEXT = f"""
name = "Test card"
iccid = "8900101000000000019"

[pins]
pin1 = {{ value = "{PIN1}", tries = 3, puk = "{PUK1}", puk_tries = 10 }}
pin2 = {{ value = "{PIN2}", tries = 3, puk = "{PUK2}", puk_tries = 10 }}
universal = {{ value = "{UNIVERSAL}", tries = 3, enabled = false }}
adm1 = {{ value = "{ADM1}", tries = 10 }}

[usim]
imsi = "{IMSI}"
mnc_length = 2
aid = "{AID.hex()}"
label = "USIM"
k = "{K.hex()}"
opc = "{OPC.hex()}"

[usim.services]
disabled = [DISABLED]

[usim.sqn]
initial_seq = INITIAL_SEQ
age_limit = AGE_LIMIT

[mbms]
msk_groups = 3
muk_records = 2
naf_keys = 2

[[files]]
path = "MF/{OPEN_TRANSPARENT:04X}"
structure = "transparent"
hex = "000102030405060708090A0B0C0D0E0F"
sfi = 27
access = {{ read = "ALW", update = "ALW" }}

[[files]]
path = "MF/{OPEN_LINEAR:04X}"
structure = "linear-fixed"
records = ["A1A1A1", "A2A2A2", "A3A3A3"]
sfi = 22
access = {{ read = "ALW", update = "ALW" }}

[[files]]
path = "MF/{OPEN_CYCLIC:04X}"
structure = "cyclic"
records = ["000003", "000002", "000001"]
sfi = 28
access = {{ read = "ALW", update = "ALW" }}

[[files]]
path = "ADF.USIM/{GUARDED:04X}"
structure = "transparent"
hex = "0102030405060708"
access = {{ read = "PIN1", update = "PIN2" }}

[[files]]
path = "ADF.USIM/{NESTED_DF:04X}/{NESTED_EF:04X}"
structure = "transparent"
hex = "CAFE"
access = {{ read = "ALW", update = "NEV" }}
"""


def card_profile(
    *, disabled: tuple[int, ...] = (), initial_seq: int = 0, age_limit: int = 0, k: bytes = K, opc: bytes = OPC
) -> CardProfile:
    """Return the profile; `disabled` are service numbers, `initial_seq` the SEQ a new card has seen in every slot."""
    text = TEXT.replace("DISABLED", ", ".join(map(str, disabled)))
    text = text.replace("INITIAL_SEQ", str(initial_seq)).replace("AGE_LIMIT", str(age_limit))
    text = text.replace(K.hex(), k.hex()).replace(OPC.hex(), opc.hex())
    return CardProfile.parse(text, "test profile")
