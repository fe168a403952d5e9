def test_that_passes():
    assert 7 == 3 + 4


def test_that_fails():
    assert 7 == 8, "seven is not eight"
