"""`python -m services.alerts`."""

from services.alerts.app import create_app
from services.alerts.settings import Settings
from shared.service import run

run(create_app, Settings)
