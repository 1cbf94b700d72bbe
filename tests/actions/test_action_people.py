from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from imgmatch.actions import people
from imgmatch.actions.people import People
from imgmatch.catalog import schema
from imgmatch.catalog.audit import append_audit
from imgmatch.catalog.times import now
from imgmatch.errors import ConflictError, NotFoundError, TooManyTriesError
from imgmatch.index import Index
from imgmatch.model import Role, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imgmatch.engines.parts import Parts

PASSWORD = "correct horse battery"  # noqa: S105 -- of nobody


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with Index.create(tmp_path / "index") as index:
        yield index.parts


def actions(parts: Parts) -> list[tuple[str, str, str | None]]:
    return [(one.actor, one.action, one.subject) for one in reversed(People(parts).audit(limit=99))]


def test_who_has_the_right_password_is_let_in_until_he_logs_out(parts: Parts) -> None:
    made = People(parts).add_user("ana", Role.MODERATOR, PASSWORD, by="root")
    assert (made.name, made.role, made.has_password) == ("ana", Role.MODERATOR, True)
    let_in = People(parts).log_in("ana", PASSWORD, "10.0.0.1")
    assert let_in is not None
    user, secret = let_in
    assert user == made == People(parts).logged_in(secret)
    People(parts).log_out(secret)
    assert People(parts).logged_in(secret) is None
    assert actions(parts) == [("root", "add user", "ana"), ("ana", "login", None), ("ana", "logout", None)]


def test_who_has_another_password_or_none_is_not_let_in(parts: Parts) -> None:
    People(parts).add_user("ana", Role.ADMIN, PASSWORD)
    People(parts).add_user("proxied", Role.VIEWER, None)
    for name, password in (("ana", "wrong horse battery"), ("ana", ""), ("nobody", PASSWORD), ("proxied", PASSWORD)):
        assert People(parts).log_in(name, password, "10.0.0.1") is None
    assert People(parts).log_in("ana", PASSWORD, "10.0.0.1") is not None
    assert actions(parts)[2:6] == [
        *[("", "failed login", "as ana")] * 2,
        ("", "failed login", None),
        ("", "failed login", "as proxied"),
    ]


@pytest.mark.sqlite
def test_the_name_of_nobody_is_not_written_down_for_it_may_be_a_password(parts: Parts) -> None:
    People(parts).log_in(PASSWORD, "", "10.0.0.1")
    with parts.catalog.read() as session:
        held = session.sql.connection.driver_connection.iterdump()  # type: ignore[union-attr]  # it is SQLite's
        assert not any(PASSWORD in line for line in held)


@pytest.mark.sqlite
@pytest.mark.usefixtures("costly_passwords")
def test_neither_password_nor_secret_is_kept(parts: Parts) -> None:
    People(parts).add_user("ana", Role.ADMIN, PASSWORD)
    let_in = People(parts).log_in("ana", PASSWORD, "10.0.0.1")
    assert let_in is not None
    token = People(parts).add_token("night", [Scope.CHECK])
    assert token.secret is not None
    with parts.catalog.read() as session:
        lines = "\n".join(session.sql.connection.driver_connection.iterdump())  # type: ignore[union-attr]  # likewise
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in lines
    for secret in (PASSWORD, let_in[1], token.secret):
        assert secret not in lines


def test_after_some_failures_the_name_has_to_wait_from_there_and_others_do_not(parts: Parts) -> None:
    People(parts).add_user("ana", Role.ADMIN, PASSWORD)
    People(parts).add_user("ben", Role.ADMIN, PASSWORD)
    for _ in range(people.MOST_FAILURES):
        assert People(parts).log_in("ana", "wrong horse battery", "10.0.0.1") is None
    with pytest.raises(TooManyTriesError, match="too many logins have failed") as caught:
        People(parts).log_in("ana", PASSWORD, "10.0.0.1")
    assert People(parts).log_in("ana", PASSWORD, "10.0.0.3") is not None
    assert caught.value.retry_after == 900
    assert People(parts).log_in("ben", PASSWORD, "10.0.0.1") is not None
    with parts.catalog.write() as session:
        session.sql.execute(update(schema.failed_logins).values(failed_at=now() - 901_000_000))
    assert People(parts).log_in("ana", PASSWORD, "10.0.0.2") is not None


def test_who_guesses_names_from_one_address_has_to_wait(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST_FAILURES_OF_ADDRESS", 3)
    for name in "abc":
        assert People(parts).log_in(name, PASSWORD, "10.0.0.1") is None
    with pytest.raises(TooManyTriesError):
        People(parts).log_in("d", PASSWORD, "10.0.0.1")
    assert People(parts).log_in("d", PASSWORD, "10.0.0.2") is None


def test_a_login_ends_by_itself_and_with_its_user_and_with_a_new_password(parts: Parts) -> None:
    People(parts).add_user("ana", Role.ADMIN, PASSWORD)

    def secret(password: str = PASSWORD) -> str:
        let_in = People(parts).log_in("ana", password, "10.0.0.1")
        assert let_in is not None
        return let_in[1]

    late = secret()
    with parts.catalog.write() as session:
        session.sql.execute(update(schema.logins).values(expires_at=now() - 1))
    assert People(parts).logged_in(late) is None
    before = secret()
    assert People(parts).change_user("ana", role=Role.VIEWER, password=PASSWORD[::-1]).role is Role.VIEWER
    assert People(parts).logged_in(before) is None
    after = secret(PASSWORD[::-1])
    People(parts).remove_user("ana")
    assert People(parts).logged_in(after) is None
    assert People(parts).users() == []


def test_a_token_is_known_by_its_secret_until_it_ends_or_is_revoked(parts: Parts) -> None:
    assert not People(parts).has_people()
    made = People(parts).add_token("night", {Scope.WRITE, Scope.CHECK}, days=1, by="root")
    assert made.secret is not None
    assert made.secret.startswith("imgmatch_")
    known = People(parts).token_of(made.secret)
    assert known is not None
    assert (known.name, known.scopes, known.secret) == ("night", (Scope.CHECK, Scope.WRITE), None)
    assert People(parts).tokens() == [known]
    assert People(parts).has_people()
    assert People(parts).token_of(made.secret + "x") is None
    with parts.catalog.write() as session:
        session.sql.execute(update(schema.api_tokens).values(expires_at=now() - 1))
    assert People(parts).token_of(made.secret) is None
    People(parts).remove_token("night", by="root")
    assert People(parts).tokens() == []
    assert actions(parts) == [("root", "add token", "night"), ("root", "revoke token", "night")]


def test_names_are_given_once_and_what_is_not_there_is_said_so(parts: Parts) -> None:
    People(parts).add_user("ana", Role.ADMIN, PASSWORD)
    People(parts).add_token("night", [Scope.READ])
    with pytest.raises(ConflictError, match="there is a user 'ana' already"):
        People(parts).add_user("ana", Role.VIEWER, None)
    with pytest.raises(ConflictError, match="there is a token 'night' already"):
        People(parts).add_token("night", [Scope.READ])
    for act in (People(parts).remove_user, People(parts).remove_token):
        with pytest.raises(NotFoundError, match="there is no"):
            act("nobody")
    with pytest.raises(NotFoundError, match="there is no user 'nobody'"):
        People(parts).change_user("nobody", role=Role.VIEWER)
    assert People(parts).user("nobody") is None


@pytest.mark.parametrize("name", ["", " ana", "ana ", "a\nb", "a\x00", "x" * 101])
def test_what_cannot_be_a_name_is_refused(parts: Parts, name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        People(parts).add_user(name, Role.VIEWER, None)
    with pytest.raises(ValueError, match="printable"):
        People(parts).add_token(name, [Scope.READ])


@pytest.mark.parametrize("password", ["", "short", "x" * 1_001])
def test_a_password_that_is_too_short_or_too_long_is_refused(parts: Parts, password: str) -> None:
    with pytest.raises(ValueError, match="a password has 10 to 1,000 characters"):
        People(parts).add_user("ana", Role.VIEWER, password)


def test_a_token_without_scope_or_time_is_refused(parts: Parts) -> None:
    with pytest.raises(ValueError, match="a scope and some time"):
        People(parts).add_token("night", [])
    with pytest.raises(ValueError, match="a scope and some time"):
        People(parts).add_token("night", [Scope.READ], days=0)


@pytest.fixture
def log(parts: Parts) -> Parts:
    for number in range(5):
        People(parts).note("ana", "export", f"ring {number}")
    return parts


def test_the_log_is_whole_and_read_the_latest_first(log: Parts) -> None:
    proof = People(log).verify_audit()
    assert (proof.entries, proof.broken_at, proof.is_whole) == (5, None, True)
    entries = People(log).audit(limit=2, before=5)
    assert [(one.number, one.subject) for one in entries] == [(4, "ring 3"), (3, "ring 2")]
    assert People(log).audit(limit=1)[0].digest == proof.head
    assert People(log).audit(limit=9, action="login") == []
    assert People(log).verify_audit(proof.head).holds_head is True


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"actor": "ben"}, 3),
        ({"subject": None}, 3),
        ({"action": "login"}, 3),
        ({"at": 1}, 3),
        ({"digest": b"\0" * 32}, 3),
    ],
)
def test_an_entry_that_was_changed_shows(log: Parts, change: dict[str, object], broken: int) -> None:
    with log.catalog.write() as session:
        session.sql.execute(update(schema.audit_log).where(schema.audit_log.c.id == 3).values(**change))
    proof = People(log).verify_audit()
    assert (proof.broken_at, proof.is_whole) == (broken, False)


@pytest.mark.parametrize("row", [1, 3])
def test_an_entry_that_was_taken_out_shows(log: Parts, row: int) -> None:
    with log.catalog.write() as session:
        session.sql.execute(delete(schema.audit_log).where(schema.audit_log.c.id == row))
    assert People(log).verify_audit().broken_at == row


def test_what_was_cut_off_at_the_end_shows_to_who_has_noted_the_head(log: Parts) -> None:
    head = People(log).verify_audit().head
    with log.catalog.write() as session:
        session.sql.execute(delete(schema.audit_log).where(schema.audit_log.c.id == 5))
    assert People(log).verify_audit().is_whole
    proof = People(log).verify_audit(head)
    assert (proof.broken_at, proof.holds_head, proof.is_whole) == (None, False, False)


def test_an_empty_log_is_whole(parts: Parts) -> None:
    proof = People(parts).verify_audit()
    assert (proof.entries, proof.head, proof.is_whole) == (0, "", True)


def test_an_entry_of_a_transaction_that_fails_is_not_there(log: Parts) -> None:
    def fail() -> None:
        with log.catalog.write() as session:
            append_audit(session, "ana", "decide", "decision 1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert People(log).verify_audit().entries == 5


def test_two_that_write_at_once_keep_one_chain(log: Parts) -> None:
    with closing(Index.open(log.folder.root)) as other:
        for _ in range(3):
            People(other.parts).note("ben", "export")
            People(log).note("ana", "export")
    assert People(log).verify_audit().is_whole
    assert People(log).verify_audit().entries == 11
