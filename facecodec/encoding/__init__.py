"""Encode: a clip to a person, their motion, and a stream of both."""
