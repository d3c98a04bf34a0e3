"""Folders of images rendered from scenes, and estimates of image files in bulk."""
