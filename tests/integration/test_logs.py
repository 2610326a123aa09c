"""What must never stand in a log: identifiers, receipts, refs, keys of members. Comes last, over the whole run."""
import pytest

DULL = 8  # shorter words are no secrets that could be recognised


@pytest.mark.last
def test_no_log_line_holds_an_identifier(world, stack, acme):
    card, mail = world.new_card(), world.new_card() + "@example.org"
    acme.enrol(card, mail, "+4412149" + card[-6:]).ok()
    receipt = "receipt-" + card
    acme.earn(card, 1000, receipt=receipt).ok()
    ref = acme.ref(card)
    world.secrets.update({ref.hex(), ref.hex().upper()})
    secrets = {word for word in world.secrets if len(word) >= DULL}
    assert len(secrets) > 3
    lines = 0
    for log in stack.logs():
        for line in log.text().splitlines():
            lines += 1
            found = [word for word in secrets if word in line]
            assert not found, f"{log.path}: {line}"
    assert lines > 5


@pytest.mark.last
def test_log_lines_have_their_shape(world, stack):
    """time=... level=... process=... event=..., for machines."""
    del world
    for log in stack.logs():
        for line in log.text().splitlines():
            if line.startswith("loyald: "):
                continue  # said to whoever started it with a wrong configuration
            assert line.startswith("time=") and " level=" in line and " process=" in line and " event=" in line, line
