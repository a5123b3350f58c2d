"""One server at a time has a SQLite file, under whatever name; PostgreSQL is for any number."""

from __future__ import annotations

import os

import pytest

from core.storage.alone import Served, alone


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'malva.db'}"


def test_a_second_one_is_told_whose_it_is(url, tmp_path):
    with alone(url), pytest.raises(Served) as caught, alone(url):
        pass
    assert str(caught.value) == (
        f"{tmp_path}/malva.db is being served by process {os.getpid()} already; "
        "PostgreSQL is for several nodes"
    )


def test_another_name_of_the_file_is_the_same_file(url, tmp_path, monkeypatch):
    (tmp_path / "link.db").symlink_to(tmp_path / "malva.db")
    monkeypatch.chdir(tmp_path)
    for name in ("link.db", "malva.db"):
        with alone(url), pytest.raises(Served), alone(f"sqlite:///{name}"):
            pass


def test_who_comes_after_it_takes_over(url, tmp_path):
    (tmp_path / "malva.db.lock").write_text("4194304999")  # of a process that was killed
    for _ in range(2):
        with alone(url), pytest.raises(Served, match=rf"by process {os.getpid()} "), alone(url):
            pass


def test_another_file_is_another_server_s(url, tmp_path):
    with alone(url), alone(f"sqlite:///{tmp_path / 'other.db'}"):
        pass


def test_postgresql_is_for_several_nodes():
    with alone("postgresql://malva@db/malva"), alone("postgresql://malva@db/malva"):
        pass
