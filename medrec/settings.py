"""Every setting, read once from the environment. With nothing set the whole system runs on embedded parts.

docs/CONFIGURATION.md says what each one means.
"""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from kombu.entity import Queue
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from accounts.limits import LIMITS as DEFAULT_LIMITS
from chain.keys.secret_files import write_once
from records.media_types import DEFAULT_TYPES

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(env.str("VAR", str(BASE_DIR / "var"))).resolve()
VAR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """SECRET_KEY from the environment, else one made once and kept in var/."""
    if given := env.str("SECRET_KEY", ""):
        return str(given)
    kept = VAR / "secret_key"
    write_once(kept, secrets.token_urlsafe(64))
    return kept.read_text()


# --- Django -------------------------------------------------------------------------------------------------

SECRET_KEY = _secret_key()
DEBUG = env.bool("DEBUG", False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
PUBLIC_URL = env.str("PUBLIC_URL", "http://127.0.0.1:8000")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])

INSTALLED_APPS = [
    "chain.apps.PortalAdminConfig",  # django.contrib.admin, with the operations page
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "medrec.apps.StaticFilesConfig",  # django.contrib.staticfiles, without what no page uses
    "django.forms",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "medrec",
    "chain",
    "accounts",
    "records",
]

MIDDLEWARE = [
    "accounts.middleware.VaultCookieMiddleware",  # first: nothing after it sees the vault cookie
    "medrec.middleware.SecurityHeadersMiddleware",  # next: no answer goes out without them
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "medrec.middleware.RefusePlainApiMiddleware",
    "medrec.middleware.ProbesMiddleware",
    "medrec.middleware.DiskReserveMiddleware",
    "medrec.metrics.RequestMetricsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "medrec.middleware.PlainTextMiddleware",
    "medrec.middleware.IncompleteBodyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.sign_in.known_browsers.KnownBrowserMiddleware",
    "accounts.middleware.ActorMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "records.web.bound_forms.PageBindingMiddleware",  # after it: a form acts for whom its page showed
]

ROOT_URLCONF = "medrec.urls"
WSGI_APPLICATION = "medrec.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "records.web.context.portal",
            ],
            "builtins": ["accounts.templatetags.bound_forms"],  # `csrf_token` binds a form to its account
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR / 'medrec.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # a server that was restarted fails no request
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"]["ENGINE"] = "medrec.postgresql"  # with deadlines in the web processes
    # A server whose machine or network is gone is noticed within half a minute.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,  # seconds, as all but the last
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,  # milliseconds
    } | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Counts for rate limits, asked and written by every request: files, which wait for no disk and lock no table.
CACHES = {"default": env.cache("CACHE_URL", default=f"filecache://{VAR / 'cache'}?max_entries=10000")}
# A Redis that hangs must not hang a page: redis-py waits for ever unless it is told.
REDIS_PATIENCE: dict[str, object] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
# A cache never fails a call (medrec/caches.py).
if CACHES["default"]["BACKEND"] == "django.core.cache.backends.redis.RedisCache":
    CACHES["default"]["BACKEND"] = "medrec.caches.RedisCache"
    _once = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))  # its server was restarted
    CACHES["default"]["OPTIONS"] = (
        REDIS_PATIENCE | {"socket_timeout": 2, "retry": _once} | CACHES["default"].get("OPTIONS", {})
    )
elif CACHES["default"]["BACKEND"] == "django.core.cache.backends.filebased.FileBasedCache":
    CACHES["default"]["BACKEND"] = "medrec.caches.FileCache"

LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_I18N = False
FORMAT_MODULE_PATH = ["medrec.formats"]
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(VAR / "static")))
STATICFILES_DIRS = [
    BASE_DIR / "medrec" / "static_src",
    ("vendor/bootstrap", BASE_DIR / "node_modules/bootstrap/dist"),
    ("vendor/bootstrap-icons", BASE_DIR / "node_modules/bootstrap-icons/font"),
    ("vendor/htmx", BASE_DIR / "node_modules/htmx.org/dist"),
    *(
        (f"vendor/pdfjs/{part}", BASE_DIR / "node_modules/pdfjs-dist" / part)
        for part in ("build", "web", "cmaps", "standard_fonts", "wasm", "iccs")
    ),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Under their plain names too: pdf.js finds its modules, fonts and tables beside each other, by name.
WHITENOISE_KEEP_ONLY_HASHED_FILES = False
# Packed already, or small.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("png", "gif", "woff", "woff2", "bcmap", "pfb", "icc", "map", "svg")

# File bytes come as the raw body of a PUT; a multipart file is refused: plaintext never touches a disk.
FILE_UPLOAD_HANDLERS = ["medrec.uploads.RefuseFiles"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024  # a form with 10,000 ticked records, or with a FHIR file's text
DATA_UPLOAD_MAX_NUMBER_FIELDS = 11_000  # a selection holds 10,000 records

# --- Browser security ---------------------------------------------------------------------------------------

HTTPS = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", HTTPS)
# Probes come in plain HTTP by the machine's own address. Programs are told: their token went in clear.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$", "^proxy-check$", "^api/"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
BEHIND_PROXY = env.bool("BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# allauth's rate limits count by address: behind a proxy it is the last one in X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)
CSRF_FAILURE_VIEW = "accounts.web.kept_forms.refuse_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# With https, names that no other host of the domain can set a cookie under, as in accounts/cookies.py.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # no cookie of its own
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {  # of every answer that has no other
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],  # the reader of PDFs: the one page that lets itself be framed
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# --- Sign-in ------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "accounts.sign_in.passwords.GuessablePasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.allauth_adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_FORMS = {
    "login": "accounts.sign_in.forms.LoginForm",
    "signup": "accounts.forms.SignupForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
}
MFA_ADAPTER = "accounts.mfa_adapter.MFAAdapter"
MFA_FORMS = {
    "authenticate": "accounts.sign_in.forms.AuthenticateForm",
    "reauthenticate": "accounts.sign_in.forms.ReauthenticateForm",
}
MFA_TOTP_TOLERANCE = 1  # the codes of the steps before and after, for a clock that is half a minute off
MFA_TOTP_ISSUER = "MedRec"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]

EMAIL_CONFIG = env.email("EMAIL_URL", default="consolemail://")
if EMAIL_CONFIG["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend":
    EMAIL_CONFIG["EMAIL_BACKEND"] = "medrec.mail.TerminalEmailBackend"
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = env.float("EMAIL_TIMEOUT", 10.0)  # seconds that a mail server may be silent
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "MedRec <portal@localhost>")

# A vault closes after this many idle seconds, and after this many in all.
VAULT_IDLE_SECONDS = env.int("VAULT_IDLE_SECONDS", 30 * 60)
VAULT_MAX_SECONDS = env.int("VAULT_MAX_SECONDS", 12 * 60 * 60)

# --- API ----------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["records.api.parsing.PlainJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "records.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "records.api.errors.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["records.api.throttling.AccountThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": env.str("API_RATE", "600/min")},
    # Anonymous visitors are counted by address. Without this any header would make a new visitor.
    "NUM_PROXIES": int(BEHIND_PROXY),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MedRec API",
    "DESCRIPTION": "Patient-owned medical records: records, access requests, grants, access history. A token"
    " from the profile page goes into the header `Authorization: Bearer <token>`. What a call changes is"
    " signed and sent to the chain: its state is `waiting` until the chain confirms it. A call that fails"
    " answers with an `Error`. An address is 0x and 40 hex digits, as EIP-55 spells it.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_PATCH": False,  # a PATCH takes the whole description
    "ENUM_NAME_OVERRIDES": {
        "AccessRequestState": "records.api.schema.ACCESS_REQUEST_STATES",
        "ActState": "records.api.schema.ACT_STATES",
        "GrantState": "records.api.schema.GRANT_STATES",
        "Permissions": "records.api.serializers.base.PERMISSIONS",
        "Purpose": "records.kinds.PURPOSE_CHOICES",
        "Readability": "records.readability.Readability",
        "RecordKind": "records.kinds.KIND_CHOICES",
        "ScopeKind": "records.api.schema.SCOPE_KINDS",
    },
}

# --- Limits: how much one party may do to others ------------------------------------------------------------

LIMITS = {name: env.int(f"LIMIT_{name}", limit.most) for name, limit in DEFAULT_LIMITS.items()}

# --- Chain --------------------------------------------------------------------------------------------------

CHAIN_RPC_URL = env.str("CHAIN_RPC_URL", f"http://127.0.0.1:{env.int('LOCALCHAIN_PORT', 8645)}")
CHAIN_CONTRACT_ADDRESS = env.str("CHAIN_CONTRACT_ADDRESS", "")
CHAIN_CONFIRMATIONS = env.int("CHAIN_CONFIRMATIONS", 2)
CHAIN_BLOCK_RANGE_MAX = env.int("CHAIN_BLOCK_RANGE_MAX", 2000)
CHAIN_BATCH_BYTES = env.int("CHAIN_BATCH_BYTES", 120_000)
CHAIN_BATCH_GAS = env.int("CHAIN_BATCH_GAS", 12_000_000)
CHAIN_BATCH_WAIT = env.float("CHAIN_BATCH_WAIT", 0.25)
CHAIN_MAX_FEE_GWEI = env.float("CHAIN_MAX_FEE_GWEI", 200.0)
CHAIN_STUCK_BLOCKS = env.int("CHAIN_STUCK_BLOCKS", 10)
# Keys as 0x-hex; where one is empty the file var/keys/<name>.key is read (`manage.py make_keys` makes them).
CHAIN_RELAYER_KEYS = env.list("CHAIN_RELAYER_KEYS", default=[])
CHAIN_ADMISSION_KEY = env.str("CHAIN_ADMISSION_KEY", "")
CHAIN_ANCHOR_KEY = env.str("CHAIN_ANCHOR_KEY", "")
CHAIN_ADMIN_KEY = env.str("CHAIN_ADMIN_KEY", "")
if find_spec("sha3") is not None:  # not built for every system
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")  # read when the first hash is made

# --- Records ------------------------------------------------------------------------------------------------

STORE_PATH = Path(env.str("STORE_PATH", str(VAR / "store")))
IPFS_API_URL = env.str("IPFS_API_URL", "")
IPFS_PIN_API_URLS = env.list("IPFS_PIN_API_URLS", default=[])
STORE_GRACE_DAYS = env.float("STORE_GRACE_DAYS", 7.0)
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", 5 * 1024**3)
UPLOAD_PART_BYTES = env.int("UPLOAD_PART_BYTES", 8 * 1024**2)
UPLOAD_STAGING_PATH = Path(env.str("UPLOAD_STAGING_PATH", str(VAR / "staging")))
UPLOAD_UNFINISHED_MAX_BYTES = env.int("UPLOAD_UNFINISHED_MAX_BYTES", 2 * UPLOAD_MAX_BYTES)
UPLOAD_TYPES = env.list("UPLOAD_TYPES", default=DEFAULT_TYPES)
CLAMD_URL = env.str("CLAMD_URL", "")
CLAMD_TIMEOUT = env.float("CLAMD_TIMEOUT", 60.0)
DISK_RESERVE_BYTES = env.int("DISK_RESERVE_BYTES", 64 * 1024**2)
ANCHOR_MINUTES = env.int("ANCHOR_MINUTES", 60)
NONCE_MAX_BYTES = env.int("NONCE_MAX_BYTES", 64)

# --- Celery -------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
# Mail has a queue of its own. A worker that is not told otherwise takes from both: no mail is forgotten.
CELERY_TASK_QUEUES = (Queue("celery"), Queue("mail"))
CELERY_TASK_ROUTES = {"accounts.tasks.send_mails": {"queue": "mail"}}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False  # the mails of `consolemail://` come as they are, not as warnings
if CELERY_BROKER_URL.startswith("filesystem:"):
    _queue = VAR / "queue"
    for _folder in ("messages", "processed", "control"):
        (_queue / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "processed_folder": str(_queue / "processed"),
        "control_folder": str(_queue / "control"),
        "store_processed": False,
        "polling_interval": 0.2,
    }
elif CELERY_BROKER_URL.startswith(("redis:", "rediss:")):
    CELERY_BROKER_TRANSPORT_OPTIONS = REDIS_PATIENCE
# No message names a time (`expires`, `countdown`): clocks differ. What waits already is not sent again.
CELERY_BEAT_SCHEDULER = "medrec.scheduler:SteadyScheduler"
CELERY_BEAT_SCHEDULE = {
    "relay": {"task": "chain.tasks.relay", "schedule": 1.0},
    "sync": {"task": "chain.tasks.sync", "schedule": 1.0},
    "sweep-records": {"task": "records.tasks.sweep", "schedule": 60.0},
    "settle-after-restore": {"task": "records.tasks.settle_after_restore", "schedule": 2.0},
    "replicate": {"task": "records.tasks.replicate", "schedule": 60.0},
    "fetch-files": {"task": "records.tasks.fetch_files", "schedule": 60.0},
    "send-mails": {"task": "accounts.tasks.send_mails", "schedule": 10.0},
    "sweep-accounts": {"task": "accounts.tasks.sweep", "schedule": 60.0},
}

# --- Watching: /metrics answers to `Authorization: Bearer <token>`; not at all while there is no token ------

METRICS_TOKEN = env.str("METRICS_TOKEN", "")
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(VAR / "metrics"))  # read when the library is imported

# --- Logging: what happened and ids, never medical words ----------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"links": {"()": "medrec.logs.HideLinkSecrets"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["links"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
}
