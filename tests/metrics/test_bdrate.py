"""BD-rate: known answers, and none where there is none."""

import pytest

from facecodec.metrics.bdrate import bd_rate

ANCHOR = [(10, 30.0), (20, 33.0), (40, 36.0), (80, 39.0)]


def test_half_the_bytes_everywhere_is_minus_fifty():
    half = [(rate / 2, quality) for rate, quality in ANCHOR]
    assert bd_rate(ANCHOR, half) == pytest.approx(-50)
    assert bd_rate(half, ANCHOR) == pytest.approx(100)
    assert bd_rate(ANCHOR, ANCHOR) == pytest.approx(0)


def test_order_does_not_matter_and_lower_may_be_better():
    turned = [(rate, -quality) for rate, quality in reversed(ANCHOR)]
    half = [(rate / 2, quality) for rate, quality in turned]
    assert bd_rate(turned, half, higher_is_better=False) == pytest.approx(-50)


def test_only_common_qualities_count():
    shifted = [(rate * 3, quality + 3) for rate, quality in ANCHOR]
    # 3 dB up for twice the rate along the anchor: at equal quality 3 / 2 of the rate
    assert bd_rate(ANCHOR, shifted) == pytest.approx(50)


def test_none_where_curves_do_not_meet():
    assert bd_rate(ANCHOR, [(1, 10.0), (2, 12.0)]) is None
    assert bd_rate(ANCHOR, [(5, 33.0)]) is None
    assert bd_rate(ANCHOR, [(5, 33.0), (9, 32.0)]) is None  # paying more for less is no curve
