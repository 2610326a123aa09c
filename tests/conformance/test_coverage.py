"""Every message and every result code was exercised, or the run fails. Comes last, and only behind a whole run."""
import os

import pytest

from support.schema import TABLE, coverage


@pytest.mark.last
def test_everything_was_exercised(request):
    here = os.path.dirname(os.path.abspath(__file__))
    ran = {os.path.basename(item.path) for item in request.session.items if str(item.path).startswith(here)}
    if ran != {name for name in os.listdir(here) if name.startswith("test_")} or request.config.option.keyword:
        pytest.skip("only a part of the conformance tests was asked for")
    assert len(TABLE) == 36
    assert not coverage.messages_missing(), "no OK answer was seen"
    assert not coverage.codes_missing(), "never answered"
