"""Which digests the events name, those of the archive so far included."""

from itertools import islice

from django.db import migrations, models

AT_ONCE = 400
FIELDS = ("content", "description", "secret", "envelopes", "reason", "name")
NOTHING = "0x" + "0" * 64


def fill(apps, schema_editor):
    event_digest = apps.get_model("chain", "EventDigest")
    events = apps.get_model("chain", "Event").objects.values_list("args", flat=True).iterator()
    digests = (
        args[name]
        for args in events
        for name in FIELDS
        if isinstance(args.get(name), str) and len(args[name]) == len(NOTHING) and args[name] != NOTHING
    )
    for some in iter(lambda: list(islice(digests, AT_ONCE)), []):
        rows = [event_digest(digest=digest) for digest in set(some)]
        event_digest.objects.bulk_create(rows, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [
        ("chain", "0006_acknowledged_findings"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventDigest",
            fields=[
                ("digest", models.CharField(max_length=66, primary_key=True, serialize=False)),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
