"""The .fcv format in pure integers and bytes; SPEC.md's twin. Knows no torch."""
