NEEDS = ("gc", "not_there_at_all")


def test_one():
    raise SystemError


def test_two():
    raise SystemError
