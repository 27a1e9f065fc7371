"""Tables laid out for people: which columns, how many digits, and the sentences above and below.

`cells` holds what they share; each other module lays out the frames of its namesake in `iwae.reporting`.
"""
