_seen = []


def test_zebra():
    assert _seen == []
    _seen.append("zebra")


def test_apple():
    assert _seen == ["zebra"]
    _seen.append("apple")


def test_mango():
    assert _seen == ["zebra", "apple"]
