from django.db import migrations, models


class Migration(migrations.Migration):
    """When tasks ran last, and since when acts wait, by the shared clock: for /readyz."""

    dependencies = [("chain", "0013_cursor_ticks")]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("task", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("tick", models.BigIntegerField(help_text="Shared clock: when it last came to its end.")),
            ],
        ),
        migrations.AddField(
            model_name="act",
            name="waiting_tick",
            field=models.BigIntegerField(help_text="Shared clock: since when it waits.", null=True),
        ),
    ]
