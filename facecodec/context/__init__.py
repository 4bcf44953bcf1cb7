"""The context: everything of the source's frame but the face, coded by a conventional codec."""
