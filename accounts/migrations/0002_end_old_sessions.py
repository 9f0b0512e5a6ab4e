"""Delete the sessions saved before rows were found by a digest: their keys and codes stand in the open."""

from django.db import migrations


def delete_sessions(apps, schema_editor):
    apps.get_model("sessions", "Session").objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0001_people"),
        ("sessions", "0001_initial"),
    ]

    operations = [migrations.RunPython(delete_sessions, migrations.RunPython.noop)]
