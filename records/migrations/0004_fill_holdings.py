"""What was put before there was a list of it: contents of our own acts, and small ciphertexts in the store."""

from itertools import islice

from django.db import migrations

AT_ONCE = 500


def fill(apps, schema_editor):
    holding = apps.get_model("records", "Holding")
    acts = apps.get_model("chain", "Act").objects.filter(kind__in=("NewRecord", "ModifyRecord"))
    contents = (
        holding(
            digest=fields["content"], dag_pb=bool(fields["flags"] & 1), record=slot.removeprefix("record:")
        )
        for slot, fields in acts.order_by("created_at").values_list("slot", "fields").iterator()
    )
    stored = apps.get_model("records", "Blob").objects.filter(state="stored").values_list("digest", flat=True)
    small = (holding(digest=digest) for digest in stored.iterator())
    for rows in (contents, small):
        for some in iter(lambda: list(islice(rows, AT_ONCE)), []):  # noqa: B023
            holding.objects.bulk_create(some, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0003_holdings"),
        ("chain", "0004_pending_events"),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
