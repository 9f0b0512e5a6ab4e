from django.db import migrations, models


class Migration(migrations.Migration):
    """When, after a restore, what had ended access was accepted again."""

    dependencies = [("chain", "0016_retry_tick")]

    operations = [
        migrations.AddField(
            model_name="incarnation",
            name="ends_accepted_at",
            field=models.DateTimeField(
                help_text="When lost acts that end access were accepted again: until then nobody reads.",
                null=True,
            ),
        ),
    ]
