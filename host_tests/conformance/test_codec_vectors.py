"""Both codecs against the reference's bytes, both ways: members, headers, packets, refusals."""

from conformance.golden import COMBINATIONS, Bench, check_all, split_id, vectors
from foca.identity import ipv4


def check_member(bench, vector):
    bench.open(bytes.fromhex(vector["hex"]))
    assert bench.read_member() == (vector["member"], len(vector["hex"]) // 2)
    end = bench.write_member(0, vector["member"])
    assert bytes(bench.buf[:end]).hex() == vector["hex"]


def check_header(bench, vector):
    bench.open(bytes.fromhex(vector["hex"]))
    assert bench.read_header() == (vector["header"], len(vector["hex"]) // 2)
    end = bench.write_header(vector["header"])
    assert bytes(bench.buf[:end]).hex() == vector["hex"]


def check_member_or_header(bench, vector):
    if "member" in vector:
        check_member(bench, vector)
    else:
        check_header(bench, vector)


def check_packet(bench, vector):
    parts = vector["header"], vector["updates"], vector["items"]
    assert bench.read_packet(bytes.fromhex(vector["hex"])) == parts
    assert bytes(bench.write_packet(*parts)).hex() == vector["hex"]


def check_refusal(bench, vector):
    bench.open(bytes.fromhex(vector["hex"]))
    if "member" in vector:
        assert bench.read_member() == (vector["member"], vector["consumed"])
    else:
        assert bench.read_header() == (vector["header"], vector["consumed"])


def test_members_and_headers_agree_both_ways():
    assert check_all("codec", check_member_or_header) >= 1000


def test_packets_agree_both_ways():
    assert check_all("packets", check_packet) >= 300


def test_malformed_bytes_are_refused_where_the_reference_refuses_them():
    assert check_all("malformed", check_refusal) >= 800


def is_ipv4(text):
    return not split_id(text)[0].startswith("[")


def test_a_table_of_ipv4_addresses_reads_and_writes_the_same_bytes():
    """The layout without a family byte must not change a byte on the wire."""
    count = 0
    for codec, width in COMBINATIONS:
        bench = Bench(codec, width, ipv4(width))
        for vector in vectors(codec, width, "codec"):
            if "member" in vector and is_ipv4(vector["member"][0]):
                check_member(bench, vector)
                count += 1
    assert count >= 200


def test_a_table_of_ipv4_addresses_passes_ipv6_members_as_foreign():
    count = 0
    for codec, width in COMBINATIONS:
        bench = Bench(codec, width, ipv4(width))
        for vector in vectors(codec, width, "codec"):
            if "member" in vector and not is_ipv4(vector["member"][0]):
                data = bytes.fromhex(vector["hex"])
                bench.open(data)
                assert bench.codec.skip_members(bench.cursor, 1) == 1
                assert bench.cursor.ok and bench.cursor.pos == len(data)
                count += 1
    assert count >= 200
