"""The version of the application, which every answer carries."""

import os

from django.conf import settings


def read_version():
    """The version: of the file VERSION, with the commit that the build put into the image."""
    version = (settings.BASE_DIR / "VERSION").read_text(encoding="utf-8").strip()
    commit = os.environ.get("APP_COMMIT")
    return f"{version}+{commit[:12]}" if commit else version


VERSION = read_version()


def name_version(get_response):
    """Middleware: Turnout distinguishes the new version's answers from the old one's by this header."""

    def respond(request):
        response = get_response(request)
        response["X-App-Version"] = VERSION
        return response

    return respond
