"""Folders of images made from scenes."""
