"""A BSD/A that goes on the air: the station of `bsda` on sockets, by the clock.

`queue` makes packets shortly before they are due and knows no clock; `transmitter` sends each at its moment of an
absolute schedule, so that nothing adds up; `outlets` says where packets go; `sources` are files, programs and other
people's RTP as frames; `lateness` counts how late packets are. The time of the broadcast is in milliseconds from its
begin; `speed` is how fast it goes by the clock of the computer.
"""
