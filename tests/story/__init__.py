"""The whole story, on the real system: in a browser, and over the API."""
