"""No operation gets dearer unseen."""
import sys

import pytest

from world import ROOT

sys.path.insert(0, str(ROOT / "contracts" / "tools"))

import gas

MEASURED = {}


@pytest.fixture(scope="module", autouse=True)
def measured():
    for name, versions in gas.NETWORKS.items():
        MEASURED[name] = gas.measure(*versions)


def test_no_figure_grew_by_more_than_one_percent():
    assert gas.faults(MEASURED) == []


def test_the_table_names_what_is_measured_and_nothing_else():
    assert set(gas.kept()) == set(MEASURED["Prague"]) == set(MEASURED["London"])


def test_a_dearer_operation_is_noticed():
    dearer = {name: {label: figure * 102 // 100 for label, figure in figures.items()}
              for name, figures in MEASURED.items()}
    assert len(gas.faults(dearer)) == 2 * len(MEASURED["Prague"])


def test_every_transaction_fits_into_the_networks_limits():
    # EIP-7825: 2^24 for a transaction; an import of 128 names is the largest.
    assert MEASURED["Prague"]["import, per name of 128"] * 128 < 2**24
    assert max(max(figures.values()) for figures in MEASURED.values()) < 2**24
