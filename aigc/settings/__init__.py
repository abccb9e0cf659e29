"""Settings of AIGC Studio, read from AIGC_* variables. `docs/settings.md` lists them all."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from aigc.lib.env import Environment, kept_secret
from aigc.settings.admin_look import UNFOLD as UNFOLD
from aigc.settings.celery import celery_settings
from aigc.settings.database import database
from aigc.settings.logs import configure_structlog, logging_config

env = Environment(os.environ)

# --- where and how
BASE_DIR = Path(__file__).resolve().parent.parent.parent
AIGC_ENV = env.choice("AIGC_ENV", ("dev", "prod", "test"), "dev")
IS_PROD = AIGC_ENV == "prod"
AIGC_DATA_DIR = Path(env.text("AIGC_DATA_DIR", str(BASE_DIR / "data"))).expanduser().resolve()
PORT = env.integer("PORT", 8000, at_least=1, at_most=65535)
AIGC_BASE_URL = env.text("AIGC_BASE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
base_url = urlsplit(AIGC_BASE_URL)
if base_url.scheme not in {"http", "https"} or not base_url.hostname:
    env.fault(
        f"AIGC_BASE_URL is {AIGC_BASE_URL!r}; write the address that people type, "
        "such as https://studio.example.org."
    )
DEBUG = env.flag("AIGC_DEBUG", default=False)
if DEBUG and IS_PROD:
    env.fault("AIGC_DEBUG is on with AIGC_ENV=prod; debug pages show secrets, so turn one of them off.")

SECRET_KEY = env.secret("AIGC_SECRET_KEY")
if IS_PROD and len(SECRET_KEY) < 40:
    env.fault(
        "AIGC_SECRET_KEY (or AIGC_SECRET_KEY_FILE) is missing or shorter than 40 characters "
        "and AIGC_ENV is prod; make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )
if not SECRET_KEY:
    SECRET_KEY = "placeholder" if IS_PROD else kept_secret(AIGC_DATA_DIR / "secret.key")

LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
if AIGC_ENV == "test":
    LOCAL_HOSTS.append("testserver")
ALLOWED_HOSTS = env.words("AIGC_ALLOWED_HOSTS", [base_url.hostname or "", *LOCAL_HOSTS])
CSRF_TRUSTED_ORIGINS = [
    f"{base_url.scheme}://{base_url.netloc}",
    *env.words("AIGC_TRUSTED_ORIGINS"),
]
# How many proxies stand in front and add to X-Forwarded-For; 0 means that the header is a stranger's claim.
AIGC_PROXY_HOPS = env.integer("AIGC_PROXY_HOPS", 0, at_least=0, at_most=10)

# --- parts
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.accounts",
    "apps.audit",
    "apps.catalog",
    "apps.jobs",
    "apps.chat",
    "apps.image",
    "apps.voice",
]
# Each one runs on the event loop: a thread per middleware and request is what Django's own would cost.
MIDDLEWARE = [
    "aigc.lib.request_id.RequestIdMiddleware",
    "aigc.lib.security_headers.SecurityHeadersMiddleware",
    "aigc.lib.errors.AppErrorMiddleware",
    "aigc.lib.loop_middleware.SessionMiddleware",
    "aigc.lib.loop_middleware.LocaleMiddleware",
    "aigc.lib.loop_middleware.CommonMiddleware",
    "aigc.lib.loop_middleware.CsrfViewMiddleware",
    "aigc.lib.loop_middleware.AuthenticationMiddleware",
    "aigc.lib.loop_middleware.MessageMiddleware",
    "aigc.lib.views_in_pool.SyncViewsInPool",
]
ROOT_URLCONF = "aigc.urls"
ASGI_APPLICATION = "aigc.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "aigc" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- data
DATABASES = {"default": database(env, AIGC_DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AIGC_REDIS_URL = env.text("AIGC_REDIS_URL", "redis://127.0.0.1:6379/0")
if urlsplit(AIGC_REDIS_URL).scheme not in {"redis", "rediss", "unix"}:
    env.fault("AIGC_REDIS_URL is not usable; write redis://HOST:6379/0, rediss://... or unix:///PATH.")
# Private: artifacts are read through a checked URL, never from this folder directly.
MEDIA_ROOT = AIGC_DATA_DIR / "media"
MEDIA_URL = ""
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "aigc" / "static"]
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
DEMO_MODELS_DIR = Path(env.text("AIGC_DEMO_MODELS_DIR", str(BASE_DIR / "gpu_workers" / "demo"))).expanduser()

# --- people
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
if AIGC_ENV == "test":
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AIGC_ADMIN_EMAIL = env.text("AIGC_ADMIN_EMAIL")
AIGC_ADMIN_PASSWORD = env.secret("AIGC_ADMIN_PASSWORD")
AIGC_SIGN_IN_TRIES = env.integer("AIGC_SIGN_IN_TRIES", 10, at_least=1, at_most=1000)
AIGC_SIGN_IN_WINDOW_S = env.integer("AIGC_SIGN_IN_WINDOW_S", 300, at_least=1, at_most=86400)
LOGIN_URL = "/sign-in"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = base_url.scheme == "https"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "aigc.lib.errors.csrf_failure"
# Behind a proxy that speaks TLS, requests arrive as http; the proxy must set this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if AIGC_PROXY_HOPS else None
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# --- requests
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = env.integer("AIGC_MAX_BODY_MB", 20, at_least=1, at_most=1024) * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["aigc.lib.json_parser.LimitedJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.BearerAuthentication",
        "apps.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "aigc.lib.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "aigc.lib.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AIGC Studio",
    "DESCRIPTION": "Chat, images and speech as jobs with one stream of events. Errors have one shape.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # The version whose schemas are JSON schemas, as the inputs of the kinds are.
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.jobs.openapi.describe_jobs",
        "apps.chat.openapi.describe_chat",
        "apps.image.openapi.describe_pictures",
        "apps.voice.openapi.describe_speeches",
    ],
    # Names that the page's types are made of, so that another field of the same name does not change them.
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "apps.jobs.states.Status",
        "Medium": "apps.catalog.models.Medium",
        "MessageRole": "apps.chat.models.Role",
        "MessageState": "apps.chat.models.State",
        "Tier": "apps.jobs.states.Tier",
    },
}

# --- jobs
AIGC_SWEEP_S = env.integer("AIGC_SWEEP_S", 4, at_least=1, at_most=60)
CELERY = celery_settings(AIGC_REDIS_URL, sweep_s=AIGC_SWEEP_S)
AIGC_LIVE_SHARDS = env.integer("AIGC_LIVE_SHARDS", 1, at_least=1, at_most=64)
AIGC_LOG_CAP = env.integer("AIGC_LOG_CAP", 4000, at_least=100, at_most=100_000)
AIGC_STREAM_TTL_S = env.integer("AIGC_STREAM_TTL_S", 24 * 3600, at_least=1, at_most=30 * 24 * 3600)
AIGC_ARTIFACT_TTL_S = env.integer("AIGC_ARTIFACT_TTL_S", 3600, at_least=60, at_most=7 * 24 * 3600)
AIGC_MAX_UNFINISHED_JOBS = env.integer("AIGC_MAX_UNFINISHED_JOBS", 200, at_least=1, at_most=1_000_000)
# How many jobs at the head of a line are told their place every few seconds.
AIGC_ANNOUNCED_PLACES = env.integer("AIGC_ANNOUNCED_PLACES", 100, at_least=0, at_most=10_000)

# --- chat
AIGC_AUTO_TITLES = env.flag("AIGC_AUTO_TITLES", default=True)

# --- language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
TIME_ZONE = "UTC"
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "aigc" / "locale"]
USE_TZ = True

# --- logs
LOG_LEVEL = env.choice("AIGC_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
LOG_FORMAT = env.choice("AIGC_LOG_FORMAT", ("json", "console"), "json" if IS_PROD else "console")
LOGGING = logging_config(level=LOG_LEVEL, json=LOG_FORMAT == "json")
configure_structlog()

env.check()
