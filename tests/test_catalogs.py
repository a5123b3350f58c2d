"""The catalogs hold every text of the source, translated, and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import Catalog

from core import i18n
from core.i18n import CATALOGS, LANGUAGES, catalog, faults, words
from locales.update import ROOT, gather, update

PLURAL_FORMS = {"en": 2, "sr": 3, "ru": 3}
LATIN_IN_RUSSIAN = {
    "JavaScript", "QR", "cookie", "https", "Malva", "Telegram", "WhatsApp", "Viber", "PNG", "JPEG",
    "WebP",
}  # fmt: skip
PLACEHOLDER = re.compile(r"\{\w+\}")
NO_WORDS = re.compile(rf"{PLACEHOLDER.pattern}|\S+@\S+")

MENU = {
    "en": "☕ My card · 🏆 Points · ⭐ Rewards · 👥 Invite · ⚙️ Settings",
    "sr": "☕ Moja kartica · 🏆 Poeni · ⭐ Nagrade · 👥 Pozovi · ⚙️ Podešavanja",
    "ru": "☕ Моя карта · 🏆 Баллы · ⭐ Награды · 👥 Пригласить · ⚙️ Настройки",
}
ANSWERS = {
    "en": "Yes · No · Skip · Back",
    "sr": "Da · Ne · Preskoči · Nazad",
    "ru": "Да · Нет · Пропустить · Назад",
}


@pytest.fixture(scope="module")
def source() -> Catalog:
    return gather()


def ids(messages: Catalog) -> set[str | tuple[str, ...]]:
    return {
        message.id if isinstance(message.id, str) else tuple(message.id) for message in messages
    }


def translations(language: str) -> list[str]:
    """Every form of every text, without its placeholders and addresses."""
    said: list[str] = []
    for message in catalog(language):
        if message.id:
            said += [message.string] if isinstance(message.string, str) else message.string
    return [NO_WORDS.sub("", text) for text in said]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalog_has_what_the_source_says_and_no_more(language: str, source: Catalog) -> None:
    assert ids(catalog(language)) - {""} == ids(source) - {""}, "run: python -m locales.update"


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated_with_its_placeholders_and_plurals(language: str) -> None:
    assert faults(language) == []
    assert catalog(language).num_plurals == PLURAL_FORMS[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_updating_a_catalog_that_is_up_to_date_changes_nothing(
    language: str, source: Catalog
) -> None:
    path = CATALOGS / language / "LC_MESSAGES" / "malva.po"
    assert update(language, source) == path.read_bytes(), "run: python -m locales.update"


def test_both_english_forms_have_the_same_placeholders(source: Catalog) -> None:
    for message in source:
        if message.pluralizable:
            one, many = (set(PLACEHOLDER.findall(text)) for text in message.id)
            assert one == many, message.id


def test_placeholders_are_in_braces_everywhere(source: Catalog) -> None:
    assert [text for text in ids(source) if re.search(r"%[(sd]", str(text))] == []


def test_serbian_is_written_in_latin_script() -> None:
    assert [text for text in translations("sr") if re.search(r"[\u0400-\u04ff]", text)] == []


def test_russian_is_written_in_cyrillic_script_but_for_names() -> None:
    strangers = {word for text in translations("ru") for word in re.findall(r"[A-Za-z]+", text)}
    assert strangers <= LATIN_IN_RUSSIAN


@pytest.mark.parametrize("language", LANGUAGES)
def test_menu_and_answers_are_the_contracts_to_the_letter(language: str) -> None:
    w = words(language)
    for english, said in ((MENU["en"], MENU[language]), (ANSWERS["en"], ANSWERS[language])):
        assert [w.text(text) for text in english.split(" · ")] == said.split(" · ")


def a_catalog(tmp_path: Path, english: str, translation: str, more: str = "") -> None:
    folder = tmp_path / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "malva.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Plural-Forms: {catalog("ru").plural_forms}\\n"\n\n'
        f'{more}msgid "{english}"\nmsgstr "{translation}"\n'
    )


@pytest.mark.parametrize(
    ("translation", "more", "fault"),
    [
        ("", "", "not translated"),
        ("Привет, {nmae}!", "", "other placeholders than the English"),
        ("Привет!", "", "other placeholders than the English"),
        ("Привет, {name!", "", "a brace that is not closed"),
        ("Привет, {name}!", "#, fuzzy\n", "fuzzy"),
    ],
)
def test_a_broken_translation_is_named_and_english_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, translation: str, more: str, fault: str
) -> None:
    a_catalog(tmp_path, "Hello, {name}!", translation, more)
    monkeypatch.setattr(i18n, "CATALOGS", tmp_path)
    assert i18n.faults("ru") == [f"ru: {fault}: 'Hello, {{name}}!'"]
    assert i18n._words.__wrapped__("ru").text("Hello, {name}!", name="Ana") == "Hello, Ana!"


def test_all_three_languages_are_ready_in_no_time() -> None:
    """A start can spare 60 ms for them; here they get five times that, on a busy machine."""
    script = (
        "import time; from core.i18n import LANGUAGES, words; start = time.perf_counter(); "
        "[words(language) for language in LANGUAGES]; print(time.perf_counter() - start)"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)
    assert float(ran.stdout) < 0.3
