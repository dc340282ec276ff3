"""`python -m services.screening`."""

from services.screening.app import create_app
from services.screening.settings import Settings
from shared.service import run

if __name__ == "__main__":
    run(create_app, Settings)
