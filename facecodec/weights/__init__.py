"""Where models come from: catalogue, local store, safe importers."""
