from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from imgmatch.cli.main import cli, run
from imgmatch.index import Index

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

PASSWORD = "correct horse battery"  # noqa: S105 -- of nobody


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with Index.create(tmp_path / "index"):
        pass
    monkeypatch.setenv("IMGMATCH_INDEX", str(tmp_path / "index"))
    return tmp_path / "index"


def said(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(arguments), input=typed)


@pytest.mark.usefixtures("home")
def test_a_user_is_added_with_a_password_that_is_asked_for_listed_changed_and_removed() -> None:
    added = said("user", "add", "ana", "--format", "json", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert added.exit_code == 0
    assert PASSWORD not in added.output
    made = json.loads(added.stdout)
    assert (made["name"], made["role"], made["password"]) == ("ana", "moderator", True)
    assert said("user", "add", "bob", "--role", "viewer", "--no-password").exit_code == 0
    piped = said("user", "add", "cid", "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n")
    assert piped.exit_code == 0
    changed = said("user", "change", "bob", "--role", "admin", "--format", "json")
    assert json.loads(changed.stdout)["role"] == "admin"
    assert said("user", "remove", "cid").exit_code == 0
    listed = json.loads(said("user", "list", "--format", "json").stdout)
    assert [(one["name"], one["role"], one["password"]) for one in listed] == [
        ("ana", "moderator", True),
        ("bob", "admin", False),
    ]


def test_a_password_lets_the_user_in(home: Path) -> None:
    said("user", "add", "ana", "--password-stdin", typed=f"{PASSWORD}\r\n")
    said("user", "change", "ana", "--password", typed=f"{PASSWORD[::-1]}\n{PASSWORD[::-1]}\n")
    with Index.open(home) as index:
        assert index.people.log_in("ana", PASSWORD, "") is None
        assert index.people.log_in("ana", PASSWORD[::-1], "") is not None


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("user", "add", "ana", "--no-password", "--password-stdin"), 2, "exclude each other"),
        (("user", "add", " ana", "--no-password"), 2, "a name has 1 to 100 printable characters"),
        (("user", "change", "ana"), 2, "give --role or --password"),
        (("user", "change", "nobody", "--role", "admin"), 1, "there is no user 'nobody'"),
        (("user", "remove", "nobody"), 1, "there is no user 'nobody'"),
        (("user", "token", "add", "x"), 2, "--scope"),
        (("user", "token", "revoke", "x"), 1, "there is no token 'x'"),
        (("audit", "list", "--limit", "0"), 2, "0"),
        (("audit", "verify", "--head", "2d5f"), 2, "64 hexadecimal digits"),
        (("audit", "verify", "--head", "0" * 64), 1, "this head is not in the log"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: tuple[str, ...], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(list(arguments)) == code
    assert text in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_a_short_password_is_refused_as_wrong_usage() -> None:
    refused = said("user", "add", "ana", "--password-stdin", typed="short\n")
    assert refused.exit_code == 2
    assert "a password has 10 to 1,000 characters" in refused.output


def test_the_secret_of_a_token_is_printed_once(home: Path) -> None:
    made = json.loads(
        said("user", "token", "add", "bot", "--scope", "check", "--scope", "read", "--format", "json").stdout
    )
    assert (made["name"], made["scopes"]) == ("bot", "check read")
    with Index.open(home) as index:
        assert index.people.token_of(made["secret"]) is not None
    listed = said("user", "token", "list", "--format", "json").stdout
    assert "secret" not in listed
    assert said("user", "token", "revoke", "bot").exit_code == 0
    assert json.loads(said("user", "token", "list", "--format", "json").stdout) == []


@pytest.mark.usefixtures("home")
def test_what_was_done_is_listed_and_proven() -> None:
    said("user", "add", "ana", "--no-password", "--by", "root")
    said("user", "token", "add", "bot", "--scope", "check", "--by", "root")
    entries = json.loads(said("audit", "list", "--format", "json").stdout)
    assert [(one["actor"], one["action"], one["subject"]) for one in entries] == [
        ("root", "add token", "bot"),
        ("root", "add user", "ana"),
    ]
    assert json.loads(said("audit", "list", "--action", "add user", "--format", "json").stdout) == entries[1:]
    assert json.loads(said("audit", "list", "--before", "2", "--format", "json").stdout) == entries[1:]
    proof = said("audit", "verify", "--head", entries[0]["digest"], "--format", "json")
    assert json.loads(proof.stdout)["whole"]


def test_a_log_that_was_changed_or_cut_off_ends_with_1(home: Path) -> None:
    for name in "abc":
        said("user", "add", name, "--no-password")
    head = json.loads(said("audit", "verify", "--format", "json").stdout)["head"]
    with Index.open(home) as index, index.parts.catalog.write() as session:
        session.sql.exec_driver_sql("DELETE FROM audit_log WHERE id = 3")
    assert run(["audit", "verify"]) == 0
    assert run(["audit", "verify", "--head", head]) == 1
    with Index.open(home) as index, index.parts.catalog.write() as session:
        session.sql.exec_driver_sql("UPDATE audit_log SET actor = 'mallory' WHERE id = 1")
    assert run(["audit", "verify"]) == 1
    assert json.loads(said("audit", "verify", "--format", "json").stdout)["broken_at"] == 1
