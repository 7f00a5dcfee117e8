"""The networks that the paper compares with: they see the whole image."""
