"""While the database is away, a page says so in the guest's language; nothing breaks."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
import sqlalchemy as sa

from tests.support.running import run


@pytest.mark.parametrize(
    ("language", "words"), [("en", "right back"), ("sr", "vraćamo"), ("ru", "вернёмся")]
)
def test_a_page_says_that_we_are_back_soon(sqlite_url, language, words):
    with run(sqlite_url) as malva:
        malva.database.write_now(lambda tx: tx.execute(sa.text("ALTER TABLE cafe RENAME TO gone")))
        asked = urllib.request.Request(malva.url + "/", headers={"Accept-Language": language})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked)
        assert refused.value.code == 503
        assert refused.value.headers["Retry-After"] == "5"
        assert words in refused.value.read().decode()
        malva.database.write_now(lambda tx: tx.execute(sa.text("ALTER TABLE gone RENAME TO cafe")))
        assert urllib.request.urlopen(asked).status == 200
