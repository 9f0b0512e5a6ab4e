"""The API's words: what each resource shows, and what each call takes. A module holds one resource."""
