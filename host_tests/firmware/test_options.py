"""firmware/options.py: a mistake in settings.py is reported with its line."""

import sys

FIRMWARE = __file__.rpartition("/host_tests/")[0]
FIRMWARE = (FIRMWARE + "/" if FIRMWARE else "") + "firmware"
sys.path.insert(0, FIRMWARE)
import options  # noqa: E402

sys.path.pop(0)
sys.modules.pop("options")

OTHERS = 'PASSWORD = "12345678"\n'


def refusal(text):
    try:
        options.parse(text)
    except options.SettingsError as error:
        return str(error)
    return ""


def test_the_example_is_right_and_complete():
    with open(FIRMWARE + "/settings_example.py") as file:
        text = file.read()
    settings = options.parse(text)
    assert settings.SSID == "my-wifi"
    for name in options.DEFAULTS:
        assert "\n%s = " % name in text, name
        if name not in ("SSID", "PASSWORD"):
            assert getattr(settings, name) == options.DEFAULTS[name], name


def test_what_is_not_set_keeps_its_default():
    settings = options.parse("SSID = 'home'")
    assert settings.PORT == 36220
    assert settings.BROADCAST is True
    assert settings.SEEDS == []


def test_values_are_literals():
    settings = options.parse(
        """
        # a comment
        SSID = "it's \\\\ a # \\"name\\""   # why not
        PASSWORD='p#ssword' # no
        SEEDS = ["10.0.0.2:36220", '10.0.0.3:36220',]  # two
        PORT = 1_234 # a port
        LED = None
        WATCHDOG = False
        """
    )
    assert settings.SSID == 'it\'s \\ a # "name"'
    assert settings.PASSWORD == "p#ssword"
    assert settings.SEEDS == ["10.0.0.2:36220", "10.0.0.3:36220"]
    assert settings.PORT == 1234
    assert settings.LED is None
    assert settings.WATCHDOG is False


def test_what_desktop_tools_write_is_read_back():
    for text in ("plain", "it's", 'say "x"', "back\\slash", "both ' and \"", "# no"):
        assert options.parse("SSID = %r\n" % text).SSID == text


def test_letters_of_other_languages():
    assert options.parse("SSID = 'Müller'").SSID == "Müller"
    assert "32 bytes" in refusal("SSID = '%s'" % ("ü" * 17))


def test_each_mistake_names_its_line():
    for line, words in (
        ("SSID", "is not NAME = VALUE"),
        ("SID = 'x'", "SID is no setting"),
        ("SSID = home", "home is no number"),
        ("SSID = 'home", "is no number"),
        ("SSID = 'home' 'x'", "is no number"),
        ("SSID = ''", "must have 1 .. 32 bytes"),
        ("SSID = 5", "must be a text"),
        ("PASSWORD = '1234567'", "8 .. 64"),
        ("PORT = 0", "1 .. 65535"),
        ("PORT = True", "1 .. 65535"),
        ("PORT = -5", "1 .. 65535"),
        ("PORT = '36220'", "1 .. 65535"),
        ("BROADCAST = 1", "True or False"),
        ("NETWORK = 'internet'", "'lan' or 'wan'"),
        ("SEEDS = '10.0.0.2:36220'", "must be a list"),
        ("SEEDS = ['10.0.0.2']", "HOST:PORT"),
        ("SEEDS = [10]", "is no number"),
        ("SEEDS = ['a:1' 'b:1']", "is no number"),
        ("SEEDS = ['a:1'] x", "is no number"),
        ("SEEDS = ['a:1", "is no number"),
        ("SEEDS = ['board-3:36220']", "not a literal"),
        ("LED = 99", "GPIO"),
        ("LED = 'red'", "GPIO"),
        ("COUNTRY = 'DEU'", "two letters"),
        ("HOSTNAME = '%s'" % ("x" * 33), "32 characters"),
        ("RESET_AFTER_MINUTES = 1", "5 .. 10000"),
    ):
        problem = refusal("# one\n\n" + line + "\n")
        assert problem.startswith("settings.py line 3: "), (line, problem)
        assert words in problem, (line, problem)


def test_a_setting_given_twice_and_one_missing():
    assert "line 2: PORT was already set on line 1" in refusal("PORT = 1\nPORT = 2\nSSID = 'x'")
    assert "SSID is missing" in refusal("PORT = 1\n")


def test_code_is_not_run():
    assert "line 1" in refusal("import os")
    assert "is no number" in refusal("SSID = __import__('os').getcwd()")
