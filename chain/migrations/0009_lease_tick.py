from django.db import migrations, models


class Migration(migrations.Migration):
    """The lease of a relayer key by the shared clock."""

    dependencies = [("chain", "0008_acts_of_a_day")]

    operations = [
        migrations.AddField(
            model_name="sender",
            name="lease_tick",
            field=models.BigIntegerField(
                help_text="Shared clock: the lease's end, or when it was last given back.", null=True
            ),
        ),
    ]
