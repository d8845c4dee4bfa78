"""The life of a key, from the LTKM that brings it to the last trace of it.

Stored. An LTKM stands under an SMK, which `key_root.py` finds: a MUK from GBA_U on a USIM, a TK from RK on a CSIM. A
MUK is taken up before the MAC is looked at and stays whatever follows (TS 31.102 clause 7.1.1.6). `ltkm.py` verifies
and opens the message; then the MSK is a record of its own in `mbms.py`, newest in its key group, and EF_MSK shows its
identifier and counter when somebody reads the file. A policy of OMA BCAST that comes with it stands beside it, in
`domain/bcast/spe.py`, under the same name.

Counter. The T of the last MTK message is noted under the MSK ID (`freshness.py`). Another key with that ID goes on with
it under the MBMS rules, and begins with a counter of its own under those of OMA BCAST. Under an MSK without policies a
message passes once, in rising order, with an MTK ID inside the limits. Under one with policies a T above the counter
is live, any other play-back.

Credit. A policy is paid from a counter of its own or from a purse of its key group or key domain; an STKM whose TEK
leaves debits it in the same transaction. What was paid once is marked as paid in the record.

Pushed out. EF_MSK holds two MSKs of a group (TS 31.102 clause 4.2.80); a third pushes the oldest out. Plain MBMS
forgets it. OMA BCAST is asked first (`Dependents`).

Kept for play-back. A key that can be played back, that a recording needs, or that holds credit nobody spent lives on
without a place in EF_MSK (`NOT_SHOWN`); so does a key that never was for live use. Their number is limited: when it is
reached, the oldest that nothing depends on gives way, then one whose live credit is over, and where all are needed the
new key is refused and nothing changes.

Forgotten. An MSK goes by MSK deletion (TS 31.102 clause 7.1.1.9), with its last policy, or when it gives way. Its
policies go with it; of a TEK counter with the keep-credit flag the rest goes to the key group. Its counter stays for a
while under a fingerprint of the key: when the same key comes back it goes on where it stood, so that no old message is
new again. A deleted MUK is remembered in the same way.
"""
