"""What an operator of a head-end sees and does: a picture of it at a moment, what happens, and acts.

Nothing here knows of pages. No value that leaves holds a key.
"""
