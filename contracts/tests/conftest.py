import pytest

from service import DEFAULTS, FOUNDER, Service
from world import World


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
