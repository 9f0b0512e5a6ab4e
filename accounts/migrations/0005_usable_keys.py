"""Whether anything can be sealed to each published key."""

from django.db import migrations, models

from accounts.crypto.sealing import is_usable_key


def judge(apps, schema_editor):
    keys = apps.get_model("accounts", "PublishedKey").objects
    for pk, key in keys.values_list("pk", "key").iterator():
        if not is_usable_key(bytes(key)):
            keys.filter(pk=pk).update(usable=False)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_visible_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="publishedkey",
            name="usable",
            field=models.BooleanField(
                default=True, help_text="Whether anything can be sealed to it: the contract takes any bytes."
            ),
        ),
        migrations.RunPython(judge, migrations.RunPython.noop),
    ]
