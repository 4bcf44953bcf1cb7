"""Faces in pictures: landmarks and what they tell, aligned squares, occlusion, embeddings."""
