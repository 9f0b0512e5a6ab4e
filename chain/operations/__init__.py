"""The operators' part: deployment, start-up, and the operations page of the admin."""
