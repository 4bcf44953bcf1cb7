"""Editing: the motion of a stream as a table, and streams with changed motion; nothing is drawn."""
