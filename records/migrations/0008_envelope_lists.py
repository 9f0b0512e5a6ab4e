"""A row for each context in which acts name a list; one recipient under two keys; which envelopes are verified.

The tables are made anew, since the digest was the lists' primary key. What was sealed here is known by the act
that went out with it: by the list's sender, naming the list.
"""

from itertools import islice

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

AT_ONCE = 200
FIELDS = ("envelopes", "reason", "secret")


def copy(apps, schema_editor):
    old_list, old_envelope, new_list, new_envelope = (
        apps.get_model("records", name)
        for name in ("EnvelopeList", "Envelope", "ContextList", "ContextEnvelope")
    )
    sent = sent_here(apps)
    rows = old_list.objects.order_by("created_at", "digest").iterator()
    for some in iter(lambda: list(islice(rows, AT_ONCE)), []):
        for row in some:
            context = {name: getattr(row, name) for name in ("purpose", "sender", "patient", "scope", "epoch")}
            fresh = new_list.objects.create(digest=row.digest, created_at=row.created_at, **context)
            verified = (row.sender, row.digest) in sent
            new_envelope.objects.bulk_create(
                new_envelope(
                    list=fresh,
                    recipient=one.recipient,
                    key_digest=one.key_digest,
                    digest=one.digest,
                    deleted_at=one.deleted_at,
                    verified=verified,
                )
                for one in old_envelope.objects.filter(list_id=row.digest).order_by("pk")
            )
    # PostgreSQL changes no table that has rows whose keys are still to be checked.
    schema_editor.connection.check_constraints()


def sent_here(apps):
    acts = apps.get_model("chain", "Act").objects.values_list("author", "fields").iterator()
    return {(author, fields[name]) for author, fields in acts for name in FIELDS if name in fields}


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0007_request_answers"),
        ("chain", "0007_event_digests"),
    ]

    operations = [
        migrations.CreateModel(
            name="ContextList",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=66)),
                ("purpose", models.PositiveSmallIntegerField(help_text="records.crypto.envelopes.Purpose.")),
                ("sender", models.CharField(max_length=42)),
                ("patient", models.CharField(max_length=42)),
                ("scope", models.CharField(max_length=66)),
                ("epoch", models.PositiveBigIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="ContextEnvelope",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recipient", models.CharField(max_length=42)),
                ("key_digest", models.CharField(max_length=66)),
                ("digest", models.CharField(max_length=66)),
                ("verified", models.BooleanField(default=False)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "list",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="context_envelopes",
                        to="records.contextlist",
                    ),
                ),
            ],
        ),
        migrations.RunPython(copy, migrations.RunPython.noop),
        migrations.DeleteModel("Envelope"),
        migrations.DeleteModel("EnvelopeList"),
        migrations.RenameModel("ContextList", "EnvelopeList"),
        migrations.RenameModel("ContextEnvelope", "Envelope"),
        migrations.AlterField(
            model_name="envelope",
            name="list",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="envelopes",
                to="records.envelopelist",
            ),
        ),
        migrations.AddIndex(
            model_name="envelopelist",
            index=models.Index(fields=["patient", "scope", "epoch"], name="envelope_list_scope"),
        ),
        migrations.AddIndex(
            model_name="envelope",
            index=models.Index(fields=["recipient", "list"], name="envelope_recipient"),
        ),
        migrations.AddIndex(
            model_name="envelope",
            index=models.Index(fields=["digest"], name="envelope_digest"),
        ),
        migrations.AddConstraint(
            model_name="envelopelist",
            constraint=models.UniqueConstraint(
                fields=("digest", "purpose", "sender", "patient", "scope", "epoch"), name="envelope_list_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="envelope",
            constraint=models.UniqueConstraint(fields=("list", "recipient", "key_digest"), name="envelope_once"),
        ),
    ]
