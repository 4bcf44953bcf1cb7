"""dlib: detection, landmarks, FFHQ alignment, identity embedding."""
