"""Fits of a generator to pictures: inversion, tuning, tracking, correction and retargeting.

Optimisation alone: nothing here opens a file, knows a clip or writes a stream.
"""
