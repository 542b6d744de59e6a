"""Folders of photographs: names of files, then layout, scan, the sealed test part, and pixels."""
