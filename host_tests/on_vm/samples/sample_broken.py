import not_there_at_all


def test_never():
    not_there_at_all.x()
