"""Batch: many clips, on the cores of one machine or on a cluster, each done once."""
