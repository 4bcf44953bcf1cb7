"""Puppet: one person moved by another's motion."""
