"""Where a service is found: what a head-end announces and a terminal reads before it hears anything.

A terminal learns three things of a service: where its streams are (an SDP), who has its keys and what they are called
(a security description, TS 26.346 clause 11.3), and by which name it registers. There are two ways to all three:

- **by the MBMS user service description** (`usd`): it names the user service and points to SDP and security
  description. The terminal registers under the serviceID (OMA BCAST, change request on SPCP, table 2).
- **by a session description** (`fragments`): the Access fragment of a Service Guide holds the SDP, its RightsIssuerURI
  names the security description beside it, and purchase fragments name what can be bought. The terminal sends a service
  request (table 3).

`entry` goes either way and ends with the same `ServiceEntry`. It asks a `Library` for what a document points to, so
nothing here opens a file or a socket. `announce` writes all documents of a service from plain values.

The SDP says nothing of protection (TS 26.346 clause 8.3) but for the line of the key stream, which is OMA BCAST's.
Which flows are protected, and under keys of which group, stands in the security description by address and port.

Documents come from anybody. Sizes, numbers of lines and of elements are bounded; what is not understood is passed over
where the texts allow extensions, and refused with a `DecodeError` where a needed value is missing or malformed.
"""
