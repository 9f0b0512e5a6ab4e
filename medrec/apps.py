"""The project itself as an app: it brings static files and system checks."""

from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig as DjangoStaticFilesConfig


class MedRecConfig(AppConfig):
    """Wiring."""

    default = True  # of several in this file: without it Django takes none, and no check of ours runs
    name = "medrec"
    verbose_name = "MedRec"

    def ready(self) -> None:
        """Register the system checks."""
        from medrec import metrics, proxy_check  # noqa: F401  (importing registers them)


class StaticFilesConfig(DjangoStaticFilesConfig):
    """Leaves out what no page asks for: of pdf.js all but the reader, its scripting above all."""

    ignore_patterns = [
        *DjangoStaticFilesConfig.ignore_patterns,
        "bootstrap-grid*",
        "bootstrap-reboot*",
        "bootstrap-utilities*",
        "*.rtl.*",
        "bootstrap.esm*",
        "pdf*.mjs.map",
        "pdf.mjs",
        "pdf.worker.mjs",
        "pdf.renderer*.mjs",
        "pdf.sandbox*.mjs",
        "quickjs-eval.*",
        "*_nowasm_fallback.js",
        "*.d.mts",
    ]
