"""Process settings and plugins.toml: what is taken, and what is said of what is wrong."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from core.keys import Keys
from core.pluginsfile import line_of, load_plugins_toml
from core.settings import Settings, SettingsError, unknown_names

KEY = "bWFsdmEgaXMgYSBmbG93ZXIsIG5vdCBhIHNlY3JldCE="  # not random: it is part of tests' names


def read(environ: dict[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    return Settings.from_environment(environ or {}, dotenv)


def problems(environ: dict[str, str], dotenv: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(environ, dotenv)
    assert all("\n" not in problem for problem in caught.value.problems)
    return list(caught.value.problems)


# -- the environment -------------------------------------------------------------------------------


def test_without_anything_the_defaults_hold():
    settings = read()
    assert settings.database_url == "sqlite:///malva.db"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert (settings.secret_key, settings.metrics_token) == ("", None)
    assert settings.trusted_proxies == ()
    assert (settings.plugins, settings.log) == (Path("plugins.toml"), "text")


def test_every_setting_is_read():
    settings = read(
        {
            "MALVA_DATABASE_URL": "postgresql://malva:pw@db/malva?sslmode=require",
            "MALVA_PUBLIC_URL": "https://loyalty.example.com/",
            "MALVA_SECRET_KEY": f"{KEY}, {Keys.generate()}",
            "MALVA_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8, ::1",
            "MALVA_METRICS_TOKEN": "let-me-see",
            "MALVA_PLUGINS": "/etc/malva/plugins.toml",
            "MALVA_LOG": "json",
        }
    )
    assert settings.database_url == "postgresql://malva:pw@db/malva?sslmode=require"
    assert settings.public_url == "https://loyalty.example.com"
    assert settings.secret_key.split(",")[0] == KEY
    assert settings.trusted_proxies == ("127.0.0.1", "10.0.0.0/8", "::1")
    assert settings.metrics_token == "let-me-see"
    assert settings.plugins == Path("/etc/malva/plugins.toml")
    assert settings.log == "json"


@pytest.mark.parametrize("name", ["MALVA_SECRET_KEY", "MALVA_METRICS_TOKEN"])
def test_each_setting_may_come_from_a_file(name, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{KEY}\n")
    settings = read({f"{name}_FILE": str(file)})
    assert KEY in (settings.secret_key, settings.metrics_token)


def test_a_setting_and_its_file_at_once_are_refused(tmp_path):
    (said,) = problems({"MALVA_LOG": "json", "MALVA_LOG_FILE": str(tmp_path / "x")})
    assert said == "MALVA_LOG and MALVA_LOG_FILE are both set: keep one of them"


def test_a_file_that_is_missing_or_empty_is_named(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    missing = tmp_path / "missing"
    said = problems({"MALVA_SECRET_KEY_FILE": str(empty), "MALVA_LOG_FILE": str(missing)})
    assert said == [
        f"MALVA_SECRET_KEY is to come from {empty}, which is empty",
        f"MALVA_LOG can't be read from {missing}: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MALVA_DATABASE_URL", "mysql://u:hunter22@db/malva", "must begin with"),
        ("MALVA_DATABASE_URL", "malva.db", "must begin with"),
        ("MALVA_DATABASE_URL", "sqlite://", "names no file"),
        ("MALVA_DATABASE_URL", "sqlite:///:memory:", "names no file"),
        ("MALVA_DATABASE_URL", "postgresql://u:hunter22@db:99999/x", "can't be read"),
        ("MALVA_DATABASE_URL", "postgresql://u:hunter22@h@db/x", "write it as %40"),
        ("MALVA_DATABASE_URL", "sqlite:///malva.db?mode=ro", "takes no options"),
        ("MALVA_PUBLIC_URL", "loyalty.example.com", "must be an address"),
        ("MALVA_PUBLIC_URL", "ftp://loyalty.example.com", "must be an address"),
        ("MALVA_PUBLIC_URL", "https://loyalty.example.com/malva", "scheme and host alone"),
        ("MALVA_PUBLIC_URL", "https://u:hunter22@example.com", "scheme and host alone"),
        ("MALVA_PUBLIC_URL", "https://[::1", "can't be read"),
        ("MALVA_SECRET_KEY", "hunter22", "is not 32 bytes in URL-safe base64; make one with:"),
        ("MALVA_SECRET_KEY", f"{KEY},hunter22", "(number 2 of 2)"),
        ("MALVA_SECRET_KEY", "ключ", "is not 32 bytes"),
        ("MALVA_TRUSTED_PROXIES", "127.0.0.1,proxy", 'has "proxy", which is neither'),
        ("MALVA_LOG", "xml", 'is "xml"; it may be text or json'),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_the_secret(name, value, says):
    (said,) = problems({name: value})
    assert said.startswith(f"{name} ")
    assert says in said
    assert "hunter22" not in said


def test_all_that_is_wrong_is_said_at_once_and_the_first_stands_for_it():
    environ = {"MALVA_LOG": "xml", "MALVA_PUBLIC_URL": "x"}
    assert len(problems(environ)) == 2
    with pytest.raises(SettingsError, match=r"^MALVA_PUBLIC_URL .* \(and 1 more: malva check\)$"):
        read(environ)


def test_the_url_that_hosting_services_give_is_understood():
    assert read({"MALVA_DATABASE_URL": "postgres://u@h/d"}).database_url == "postgresql://u@h/d"


def test_dotenv_stands_beneath_the_environment(tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text("# ours\nMALVA_LOG=json\nexport MALVA_METRICS_TOKEN='from $file'\nTOKEN=t\n")
    settings = read({"MALVA_LOG": "text"}, dotenv)
    assert (settings.log, settings.metrics_token) == ("text", "from $file")
    assert settings.environ["TOKEN"] == "t"


@pytest.mark.parametrize("line", ["MALVA LOG=json", "MALVA_LOG"])
def test_a_line_of_dotenv_that_is_none_is_named(line, tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"A=1\n\n{line}\n")
    assert problems({}, dotenv) == [f"{dotenv}:3: not of the form NAME=value"]


def test_a_misspelt_setting_is_noticed():
    environ = {"MALVA_PUBLIK_URL": "x", "MALVA_LOG_FILE": "x", "MALVA_TEST_POSTGRES": "x"}
    assert unknown_names(environ) == ["MALVA_PUBLIK_URL"]


def test_no_secret_shows_where_settings_are_printed():
    settings = read(
        {
            "MALVA_SECRET_KEY": KEY,
            "MALVA_METRICS_TOKEN": "let-me-see",
            "MALVA_DATABASE_URL": "postgresql://malva:hunter%2022@db/malva",
        }
    )
    assert settings.secrets() == {KEY, "let-me-see", "hunter%2022", "hunter 22"}
    assert not [secret for secret in settings.secrets() if secret in repr(settings)]


def test_the_advice_on_making_a_key_makes_one():
    made = base64.urlsafe_b64encode(bytes(32)).decode()
    assert read({"MALVA_SECRET_KEY": made}).secret_key == made


# -- plugins.toml ----------------------------------------------------------------------------------


@pytest.fixture
def toml(tmp_path):
    """Writes plugins.toml and reads it: `toml(text, NAME=value)`."""

    def load(text: str, **environ: str):
        path = tmp_path / "plugins.toml"
        path.write_text(text, encoding="utf-8")
        return load_plugins_toml(path, environ)

    return load


@pytest.fixture
def wrong(toml, tmp_path):
    """What is said of a plugins.toml, without the folder."""

    def said(text: str, **environ: str) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            toml(text, **environ)
        return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]

    return said


def test_business_and_plugins_are_read(toml):
    file = toml(
        '[business]\nname = "BIFE"\ncontact = "hello@bife.example"\n'
        '[channels.telegram]\nmodule = "channels.telegram"\ntoken = "${T}"\n'
        '[channels.line]\nmodule = "malva_line"\nenabled = false\n'
        '[pos.octopos]\nmodule = "pos.octopos"\n[pos.octopos.cafes.bife]\nlocation_id = 2\n',
        T="123:abc",
    )
    assert (file.business.name, file.business.contact) == ("BIFE", "hello@bife.example")
    assert [(p.kind, p.name, p.module, p.enabled) for p in file.plugins] == [
        ("channels", "telegram", "channels.telegram", True),
        ("channels", "line", "malva_line", False),
        ("pos", "octopos", "pos.octopos", True),
    ]
    telegram, _, octopos = file.plugins
    assert telegram.settings == {"token": "123:abc"}
    assert telegram.given == {"token": "${T}"}
    assert octopos.settings == {"cafes": {"bife": {"location_id": 2}}}
    assert file.secrets == {"123:abc"}
    assert "123:abc" not in repr(file)


def test_a_variable_counts_anywhere_in_a_text_and_in_lists(toml):
    file = toml('[channels.x]\nmodule="m"\nurl="https://${HOST}/${PATH_}"\nall=["${A}"]', HOST="h", PATH_="p", A="a")  # fmt: skip  # noqa: E501
    assert file.plugins[0].settings == {"url": "https://h/p", "all": ["a"]}


def test_an_unset_variable_is_named_with_its_line_for_an_enabled_plugin_only(toml, wrong):
    text = '[channels.x]\nmodule = "m"\n\ntoken = "${NOT_SET}"\n'
    assert wrong(text) == [
        "plugins.toml:4: NOT_SET is not set: put it in the environment or in .env"
    ]
    assert wrong(text, NOT_SET="") == wrong(text)
    disabled = toml(text + "enabled = false\n")
    assert not disabled.plugins[0].enabled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[business]\nname = \n", "plugins.toml:2: not TOML: Invalid value"),
        ('[business]\nname = "x', "plugins.toml:2: not TOML: "),
        ("[busines]\n", 'plugins.toml:1: there is no "busines": business, channels, pos, pages'),
        ('\nname = "x"\n', 'plugins.toml:2: there is no "name"'),
        ('[business]\nnam = "x"\n', 'plugins.toml:2: [business] has no key "nam"'),
        ("[business]\nname = 3\n", "plugins.toml:2: [business] name must be text"),
        ('[business]\nname = " "\n', "plugins.toml:2: [business] name is empty"),
        ('[business]\nprivacy_url = "x"\n', "plugins.toml:2: [business] privacy_url must be"),
        ('business = "x"\n', "plugins.toml:1: business must be a table"),
        ("channels = 3\n", "plugins.toml:1: channels must be tables"),
        ("[channels]\ntelegram = 3\n", "plugins.toml:2: channels.telegram must be a table"),
        ("[channels.x]\n", "plugins.toml:1: [channels.x] names no module"),
        ("[channels.x]\nmodule = 3\n", "plugins.toml:1: [channels.x] names no module"),
        ('[channels.x]\nmodule = "m"\nenabled = "no"\n', "plugins.toml:3: [channels.x] enabled"),
        ('[channels."X y"]\nmodule = "m"\n', 'plugins.toml:1: "X y" can\'t be a name'),
        ('[pos.api]\nmodule = "m"\n', 'plugins.toml:1: "api" is the till API\'s own name'),
        ("a = " + "[" * 5000, "plugins.toml:1: "),
    ],
)
def test_what_is_wrong_is_named_with_its_line(wrong, text, says):
    said = wrong(text)
    assert said[0].startswith(says)
    assert "\n" not in said[0]


def test_everything_wrong_is_named_in_the_order_of_the_file(wrong):
    said = wrong('[pos.x]\n[channels.y]\nmodule = "m"\ntoken = "${A}"\n[nonsense]\n')
    assert [problem.split(" ")[0] for problem in said] == [
        "plugins.toml:1:",
        "plugins.toml:4:",
        "plugins.toml:5:",
    ]


def test_a_missing_file_says_how_to_name_another(tmp_path):
    with pytest.raises(SettingsError, match=r"is not there: .* MALVA_PLUGINS"):
        load_plugins_toml(tmp_path / "plugins.toml", {})


def test_a_file_that_is_no_text_is_refused_in_a_line(tmp_path):
    path = tmp_path / "plugins.toml"
    path.write_bytes(b"\xff\xfe[\x00")
    with pytest.raises(SettingsError, match=r"can't be read: it is not UTF-8$"):
        load_plugins_toml(path, {})
    with pytest.raises(SettingsError, match=r"can't be read: Is a directory$"):
        load_plugins_toml(tmp_path, {})


def test_a_file_from_windows_is_read(tmp_path):
    path = tmp_path / "plugins.toml"
    path.write_bytes('\ufeff[channels.x]\r\nmodule = "m"\r\n'.encode())
    assert load_plugins_toml(path, {}).plugins[0].module == "m"


def test_a_key_s_line_is_found_wherever_it_stands():
    text = (
        'a = """\nb = 1\n"""\n'  # 1-3: a text that looks like keys
        "list = [\n  1,\n  {b = 2},\n]\n"  # 4-7
        "# [t]\n\n[t.u]\n"  # 10
        "v.w = 3 # c\n"  # 11
        "[t]\nx = 4\n"  # 12-13
    )
    assert line_of(text, ["a"]) == 1
    assert line_of(text, ["list", 1, "b"]) == 4
    assert line_of(text, ["t", "u"]) == 10
    assert line_of(text, ["t", "u", "v", "w"]) == 11
    assert line_of(text, ["t", "x"]) == 13
    assert line_of(text, ["t", "u", "missing"]) == 10


def test_the_sample_is_read_as_it_is():
    file = load_plugins_toml(Path(__file__).parents[1] / "plugins.toml", {})
    assert [p.table for p in file.enabled] == ["[channels.webchat]", "[pages.portal]"]
    assert {p.table for p in file.plugins} >= {"[channels.telegram]", "[pos.octopos]"}
