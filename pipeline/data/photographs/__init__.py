"""Folders of photographs: names of files, then layout, checks, the sealed test part, pixels, and their cache."""
