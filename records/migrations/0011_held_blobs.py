"""What a grant hands over is held back until its act is on the chain: a state of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The state `held`."""

    dependencies = [("records", "0010_folder_lives")]

    operations = [
        migrations.RemoveConstraint(model_name="blob", name="blob_state_known"),
        migrations.AlterField(
            model_name="blob",
            name="state",
            field=models.CharField(
                choices=[
                    ("held", "Held"),
                    ("new", "New"),
                    ("stored", "Stored"),
                    ("deleting", "Deleting"),
                    ("deleted", "Deleted"),
                ],
                default="new",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="blob",
            constraint=models.CheckConstraint(
                condition=models.Q(state__in=["held", "new", "stored", "deleting", "deleted"]),
                name="blob_state_known",
            ),
        ),
    ]
