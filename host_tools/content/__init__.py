"""Protected content: how what a TEK protects is opened, and where it comes from and goes to.

What opens content stands behind two ports by layer (`protection`): one for protected packets and the access units in
them, one for protected files. A *format* says how they are laid out as far as they do not say it themselves; it is
frozen, stands in the index of a recording, and makes *openers*. An opener takes traffic keys by the names that content
has for them (`add_key`) and opens units one by one (`open`): payloads come out, or it needs a key, has seen the unit
before, or failed and says why. It holds no unit back and counts nothing: that is the player's.

Formats are found through one registry (`registry.Protections`): by traffic_protection_protocol, which an STKM says
of the media it serves, by the name in the index of a recording, or by how a file begins. `known` has what this product
knows; who has a further protection makes a registry with it (`Protections.with_packets`) and hands that on.

- `srtp`: RTP packets, the protection of MBMS streaming
- `captures`: datagrams out of pcap and pcapng files, and into them
- `containers`: recordings, with their STKM track
- `sinks`: opened media in order, and the files they become

Nothing here knows where a key comes from.
"""
