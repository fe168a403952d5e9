"""foca.rng: the same numbers on every interpreter, spread evenly."""

from foca.rng import Rng

BIGGEST = 1 << 29
GOLDEN_0 = [2, 5, 1, 2, 4, 0, 5, 4, 1, 2, 5, 4]
GOLDEN_1 = [260, 817, 766, 355, 43, 287, 380, 547]
GOLDEN_29 = [310397929, 372313305, 207968633, 289760710]


def test_a_seed_gives_the_same_numbers_on_every_interpreter():
    rng = Rng(1)
    assert [rng.below(1000) for _ in range(8)] == GOLDEN_1
    rng = Rng(0x1FFFFFFF)
    assert [rng.below(BIGGEST) for _ in range(4)] == GOLDEN_29
    rng = Rng(0)
    assert [rng.below(6) for _ in range(12)] == GOLDEN_0


def test_equal_seeds_agree_and_different_seeds_part():
    sequences = []
    for seed in (0, 1, 2, 32362, 32363, BIGGEST - 1, 1 << 62):
        rng = Rng(seed)
        again = Rng(seed)
        sequence = [rng.below(256) for _ in range(16)]
        assert sequence == [again.below(256) for _ in range(16)]
        assert sequence not in sequences, "seed %d" % seed
        sequences.append(sequence)


def test_every_number_is_below_its_limit():
    rng = Rng(5)
    for limit in (1, 2, 3, 255, 256, 257, 1000, 65536, BIGGEST):
        for _ in range(200):
            assert 0 <= rng.below(limit) < limit


def test_one_has_no_choice():
    rng = Rng(9)
    assert [rng.below(1) for _ in range(5)] == [0] * 5


def check_spread(limit, draws, boxes):
    """Chi-square of `draws` numbers in equal boxes: the seed is fixed, so this never wavers."""
    rng = Rng(42)
    counts = [0] * boxes
    for _ in range(draws):
        counts[rng.below(limit) * boxes // limit] += 1
    expected = draws // boxes
    deviation = sum([(count - expected) * (count - expected) for count in counts]) // expected
    assert boxes // 4 < deviation < 3 * boxes, "limit %d: %d with %d boxes" % (
        limit,
        deviation,
        boxes,
    )


def test_numbers_are_spread_evenly():
    check_spread(16, 8000, 16)
    check_spread(256, 8000, 32)
    check_spread(300, 8000, 20)
    check_spread(16000, 8000, 32)


def test_neighbours_are_not_related():
    """Pairs of consecutive numbers fill a square."""
    rng = Rng(3)
    counts = [0] * 64
    last = rng.below(8)
    for _ in range(6400):
        number = rng.below(8)
        counts[last * 8 + number] += 1
        last = number
    assert 60 < min(counts) and max(counts) < 140
