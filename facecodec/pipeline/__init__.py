"""The stages in order: encode, decode, puppet."""
