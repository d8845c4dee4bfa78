"""What happened while a programme played, for people to look at afterwards.

A `Chronicler` takes notes, whoever plays: a terminal, or somebody who reads the trace of one. It knows nothing of cards
and packets; it gets names, words, times. Its memory is bounded however long the programme is: media are counted in
slices of time that grow, and of the rest the newest notes of each kind give way to a count. `page` shows a chronicle
as HTML.
"""
