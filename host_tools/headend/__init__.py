"""The head-end: the network side of the Smartcard Profile.

Four servers, each with its own books:

* The **BSF** (`bsf`) bootstraps `subscribers`: challenge, RES, and then a Ks with its B-TID, one for each subscriber.
* The **BSM** (`bsm`) has SEKs and rights. It gets the SMK of a subscriber from GBA (`bsm.mbms_naf`) or from the
  registration key of a CSIM (`bsm.rk_home`), and brings SEKs to cards in LTKMs.
* The **BSD/A** (`bsda`) has TEKs and media. It plans with the names of SEKs (`service_keys.KeyTerm`) and sends STKMs.
* The **shop** sells LTKMs, and grants the right to what it sold.

An STKM needs a TEK, which the BSD/A makes, and a SEK, which the BSM has. So one of them tells the other: `sealing` has
the order, the port of whoever makes STKMs, and the MIKEY of the Smartcard Profile behind it.

What is kept stands behind ports: `subscribers.ports.Subscribers`, `bsf.bootstrappings.Bootstrappings`, `bsm.ports` with
`KeyStore` and `Rights`. In memory every table has a bound for one subscriber and one for all (`bounded`).

`scenario` is one maker of all this: every key from a seed, everything in memory, and a driver that plays the time. No
server knows a scenario. Time and randomness come in from outside, so the same scenario gives the same bytes.
"""
