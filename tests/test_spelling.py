"""A name is found however it is spelt: as it is kept or typed, in Latin letters or Cyrillic."""

import pytest

from core.domain.spelling import name_key, spellings


def finds(typed: str, kept: str) -> bool:
    key = name_key(kept)
    return all(any(f" {way}" in key for way in word) for word in spellings(typed))


@pytest.mark.parametrize(
    "same",
    [
        "Ana Ана Anna Анна ANA",
        "Željko Жељко Zeljko Zheljko željko",
        "Đorđe Ђорђе Djordje",
        "Đurđica Ђурђица Djurdjica",
        "Čeda Чеда Ceda Cheda",
        "Ćira Ћира Cira",
        "Džemal Џемал Dzemal Dzhemal",
        "Šaša Шаша Sasha Sasa Саша",
        "Ljubinka Љубинка",
        "Njegoš Његош Njegos",
        "Юлия Yuliya Yulia Julija Julia Iuliia Jулија Ю́лия",
        "Наталья Наталия Natalya Natalia Natalija Наталија Natal'ya",
        "Юрий Yuri Yury Yuriy Jurij Iurii",
        "Сергей Sergey Sergei Sergej",
        "Михаил Mihail Mikhail",
        "Женя Zhenya Zenja Ženja",
        "Щербаков Shcherbakov Ščerbakov",
        "Цветкова Tsvetkova Cvetkova Цветкова",
        "Александра Aleksandra Alexandra",
        "Вячеслав Vyacheslav Viacheslav Vjačeslav",
        "Илья Ilya Ilja Ilia",
        "Jürgen Jurgen",
        "𝓐𝓷𝓪 Ana Ａｎａ",
    ],
)
def test_all_spellings_of_a_name_find_each_other(same):
    names = same.split(" ")
    assert [(a, b) for a in names for b in names if not finds(a, b)] == []


@pytest.mark.parametrize(
    ("kept", "typed"),
    [
        ("Елена", "Elena Yelena Jelena"),
        ("Алексеев", "Alekseev Alekseyev"),
        ("Алёна", "Алена Alena Alyona Aljona"),
        ("Фёдор", "Федор Fedor Fyodor"),
        ("Đorđe", "Dorde dorde"),
        ("Ђорђе", "Dorde"),
    ],
)
def test_what_is_written_in_two_ways_is_found_by_either(kept, typed):
    assert [one for one in typed.split(" ") if not (finds(one, kept) and finds(kept, one))] == []


@pytest.mark.parametrize("name", ["Željko", "Щербаков", "Mikhail", "Ljubinka", "Анна", "Zhanna"])
def test_each_beginning_of_a_name_finds_it(name):
    assert [n for n in range(1, len(name) + 1) if not finds(name[:n], name)] == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ana", "Joana"),
        ("Ana", "Иван"),
        ("Marko", "Мирко"),
        ("Jelena", "Milena"),
        ("Ana Marković", "Ana Petrović"),
    ],
)
def test_another_name_is_not_found(typed, kept):
    assert not finds(typed, kept)


def test_words_are_found_in_any_order_and_between_hyphens():
    assert finds("petrov an", "Анна-Мария Петрова")
    assert finds("marija", "Анна-Мария Петрова")


@pytest.mark.parametrize("name", ["გიორგი", "李雷", "☕", "O'Neill"])
def test_what_has_no_other_spelling_finds_itself(name):
    assert finds(name, name)


@pytest.mark.parametrize("name", ["", " ", "-", "''", "ь"])
def test_what_has_no_letters_has_no_key(name):
    assert name_key(name) == ""
    assert spellings(name) == []
