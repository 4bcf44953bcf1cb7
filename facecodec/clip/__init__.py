"""A clip: where the face is in every frame of a video, and what hides it."""
