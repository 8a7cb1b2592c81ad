"""The settings: what differs between installations comes from the environment."""

import os
import pathlib

BASE_DIR = pathlib.Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("SECRET_KEY", "only for machines that nobody else reaches")
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the load balancer decides which hosts lead here
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
MIDDLEWARE = ["shop.version.name_version"]
INSTALLED_APPS = ["orders", "orders_contract"]

# The apps whose migrations only `contract` runs: they remove what only older versions need.
CONTRACT_APPS = ["orders_contract"]

# The queue into which these pods put tasks, and from which they take them: k8s/ gives each colour its own, so that no
# version gets another one's tasks. Empty: one queue for all.
QUEUE = os.environ.get("QUEUE", "")

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DATABASE_HOST", ""),
        "PORT": os.environ.get("DATABASE_PORT", ""),
        "NAME": os.environ.get("DATABASE_NAME", "shop"),
        "USER": os.environ.get("DATABASE_USER", "shop"),
        "PASSWORD": os.environ.get("DATABASE_PASSWORD", ""),
        # Each thread keeps its connection. During a release both colours have theirs: the
        # database must allow twice as many as one colour needs, and the workers'.
        "CONN_MAX_AGE": 60,
        "OPTIONS": {"connect_timeout": 5},
    }
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
