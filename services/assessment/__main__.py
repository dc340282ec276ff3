"""`python -m services.assessment`."""

from services.assessment.app import create_app
from services.assessment.settings import Settings
from shared.service import run

if __name__ == "__main__":
    run(create_app, Settings)
