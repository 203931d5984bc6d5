import os

import pytest
from hypothesis import HealthCheck, settings

from service import DEFAULTS, FOUNDER, Service
from world import World

# The same operations every time; APUS_EXPLORE=1 for others.
settings.register_profile(
    "contracts",
    deadline=None,
    database=None,
    derandomize="APUS_EXPLORE" not in os.environ,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("contracts")


@pytest.fixture(params=["cancun", "london"])
def world(request):
    made = World(request.param)
    yield made
    made.compare_everything()


@pytest.fixture
def council(world):
    return world.deploy("Council", *DEFAULTS, by=FOUNDER)


@pytest.fixture
def service(world):
    return Service(world)
