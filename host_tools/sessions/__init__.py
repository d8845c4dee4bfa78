"""Use cases: what a person, a program, a web page or a test may ask for, from opening a card to a whole demo.

Nothing in here parses a command line, prints, or knows an exit status. What happens on the way leaves as an event
(`events.Event`) through the port `events.Events`; what ends the work is an exception: a `SessionError`, or an error of
the part that failed, as that part raises it.
"""
