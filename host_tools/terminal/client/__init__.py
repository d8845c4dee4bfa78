"""The BCAST client of a terminal: what it does when, without a socket, a card or a clock of its own.

Things that happen go in (`events`), what is to be done comes out (`commands`), in order; whoever owns card, sockets and
time carries it out and tells the outcome. Nothing here waits, so a run can be repeated from its seeds, and every
step can be tested.

**One errand at a time.** A wish of the user, a pull, a trigger or a missing key becomes an errand: one request to the
BSM that must be answered. Errands queue; the next one begins when the one before is over. So there is one bootstrapping
at most, one count of the nonce, and what comes back belongs to what was sent. The way of an errand is a table
(`states.TRANSITIONS`):

* IDLE and READY are the states without an errand; in READY the terminal is registered.
* A wish leads to BOOTSTRAP: the owner of the card is asked who the terminal is. It looks whether the card has a Ks that
  is fit and bootstraps (Ub) where it has none.
* With an identity the request goes out: REGISTER, REQUEST or DEREGISTER. The digest answers ahead where a nonce is
  known. A challenge is answered; a stale nonce twice. A 401 to credentials means that the BSM wants a new B-TID: back
  to BOOTSTRAP once.
* No answer: the same octets again, twice; what costs has a requestID, so it acts once.
* CLIENT_ID: the BSM wants the client ID before it registers; the GET that shows it is answered like the registration.
* What may work later waits in BACKING_OFF, as long as the server says, or 60 s and doubled up to an hour, with a seeded
  jitter. An errand of a person who waits is given up instead, and the person is told.

**Beside the errands** things happen at any time. An LTKM goes into the journal, to the card, and its answer into the
journal and back (`ltkms`); the same octets again are answered from the journal. A pull that the card found authentic
asks for its key at once; every other reason waits as the service announcement says. A key that does not come after a
request is asked for (`awaited`). A trigger may lead to a registration at the BSM that is known and to nothing else
(`triggers`), a short message to a pull (`short_messages`).

The numbers are in `waits`; those without a clause there are ours.
"""
