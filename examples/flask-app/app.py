"""A small Flask application that is shipped blue-green by Turnout.

    /          the teas, with the version that answered
    /healthz   200 if the application can do its work, 503 and the reason if not
    /slow?s=N  answers after N seconds: to see that a switch cuts nobody off

Every answer carries the version in the header X-App-Version, so that Turnout can
distinguish the new version's answers from the old one's.
"""

import os
import pathlib
import sqlite3
import time

from flask import Flask, jsonify, request

HERE = pathlib.Path(__file__).resolve().parent
LONGEST_SLOW_SECONDS = 60


def read_version():
    """The version: of the file VERSION, with the commit that the build put into the image."""
    version = (HERE / "VERSION").read_text(encoding="utf-8").strip()
    commit = os.environ.get("APP_COMMIT")
    return f"{version}+{commit[:12]}" if commit else version


def open_teas():
    """The database: here a copy in memory of what teas.sql says."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.executescript((HERE / "teas.sql").read_text(encoding="utf-8"))
    return database


app = Flask(__name__)
VERSION = read_version()
teas = open_teas()  # fails at once if teas.sql is wrong: the pod then never becomes ready


@app.after_request
def name_version(response):
    response.headers["X-App-Version"] = VERSION
    return response


@app.get("/")
def root():
    found = dict(teas.execute("SELECT name, minutes FROM teas ORDER BY name"))
    return jsonify(teas=found, version=VERSION, pod=os.environ.get("HOSTNAME", ""))


@app.get("/healthz")
def healthz():
    """Does what users need: it asks the database. Only saying "ok" would pass any version."""
    try:
        (count,) = teas.execute("SELECT count(*) FROM teas WHERE minutes > 0").fetchone()
    except sqlite3.Error as error:
        return jsonify(status="failing", problem=f"database: {error}"), 503
    if count == 0:
        return jsonify(status="failing", problem="database: there are no teas"), 503
    return jsonify(status="ok", version=VERSION)


@app.get("/slow")
def slow():
    try:
        seconds = float(request.args.get("s", "1"))
    except ValueError:
        return jsonify(error="s must be a number of seconds"), 400
    seconds = min(max(seconds, 0), LONGEST_SLOW_SECONDS)
    time.sleep(seconds)
    return jsonify(slept=seconds, version=VERSION)
