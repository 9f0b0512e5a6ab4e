from django.db import migrations, models


class Migration(migrations.Migration):
    """Until when an act is put off, by the shared clock."""

    dependencies = [("chain", "0015_lost_acts")]

    operations = [
        migrations.AddField(
            model_name="act",
            name="retry_tick",
            field=models.BigIntegerField(help_text="Shared clock: until when it is put off.", null=True),
        ),
    ]
