"""Which lists of envelopes this portal has sealed, also where its database is older than they are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A column that is empty for the lists there are: their envelopes say it."""

    dependencies = [("records", "0011_held_blobs")]

    operations = [
        migrations.AddField(
            model_name="envelopelist",
            name="sealed_here",
            field=models.BooleanField(
                help_text="Whether this portal has sealed it; empty: known by its envelopes, or not asked.",
                null=True,
            ),
        ),
    ]
