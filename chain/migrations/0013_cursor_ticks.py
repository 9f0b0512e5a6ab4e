from django.db import migrations, models


class Migration(migrations.Migration):
    """When the chain was read, by the shared clock, and what time it was on the chain."""

    dependencies = [("chain", "0012_chain_identity")]

    operations = [
        migrations.AddField(
            model_name="cursor",
            name="heard_tick",
            field=models.BigIntegerField(help_text="Shared clock: when the node last answered.", null=True),
        ),
        migrations.AddField(
            model_name="cursor",
            name="read_tick",
            field=models.BigIntegerField(
                help_text="Shared clock: when the last reading that came to its end began.", null=True
            ),
        ),
        migrations.AddField(
            model_name="cursor",
            name="behind_tick",
            field=models.BigIntegerField(help_text="Shared clock: the same as behind_since.", null=True),
        ),
        migrations.AddField(
            model_name="cursor",
            name="head_time",
            field=models.DateTimeField(help_text="What the newest block says of the time.", null=True),
        ),
        migrations.AddField(
            model_name="cursor",
            name="head_tick",
            field=models.BigIntegerField(
                help_text="Shared clock: when that block was new; empty where that is not known.", null=True
            ),
        ),
    ]
