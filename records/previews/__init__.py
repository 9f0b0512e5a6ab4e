"""What a file looks like: its kind by its own bytes, text made readable, pictures decoded in a process apart.

Everything here works on untrusted bytes and knows no Django. Nothing is written to a disk.
"""
