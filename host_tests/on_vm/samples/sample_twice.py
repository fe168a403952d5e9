def test_same():
    assert True


def test_same():  # noqa: F811
    assert True
