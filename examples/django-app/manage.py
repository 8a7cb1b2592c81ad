#!/usr/bin/env python3
"""Runs the application's commands: expand, contract, work, schedule, and Django's own."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
