"""Real PostgreSQL and Redis servers for tests, and which of their databases belongs to whom.

`python -m tests.servers -- COMMAND` runs a command with both; DATABASE_URL, CELERY_BROKER_URL and CACHE_URL
tell the tests, as they tell the portal. Without them everything runs on the embedded parts.
"""
