"""The web server: gunicorn's threads and parser, and in front of them a loop that waits for slow clients."""
