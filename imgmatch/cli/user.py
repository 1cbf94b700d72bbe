"""``imgmatch user``: who may use the page and the API."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from imgmatch.homes import Home
    from imgmatch.model import ApiToken, User

_ROLES = ("viewer", "moderator", "admin")
_SCOPES = ("read", "check", "decide", "write", "admin")

by_option = click.option(
    "--by", default=None, metavar="NAME", help="Who does it, for the log.  [default: who is logged in here]"
)
role_option = click.option("--role", type=click.Choice(_ROLES), help="What the user may do.")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


@click.group(short_help="Who may use the page and the API.")
def user() -> None:
    """Say who may use the page (users with a password) and the API (tokens for programs).

    A viewer sees and checks; a moderator also decides; an admin also adds, removes and erases photos and reads the log.
    """


@user.command("add", short_help="Add a user.")
@click.argument("name")
@options.index_option
@click.option("--role", type=click.Choice(_ROLES), default="moderator", show_default=True, help="What the user may do.")
@password_option
@click.option("--no-password", is_flag=True, help="Only a trusted proxy lets this user in.")
@by_option
@options.format_option
def add(
    name: str, *, index_path: Home, role: str, password_stdin: bool, no_password: bool, by: str | None, form: str
) -> int:
    """Add a user; the password is asked for."""
    from imgmatch import Index, Role

    if password_stdin and no_password:
        raise click.UsageError("--password-stdin and --no-password exclude each other")
    with Index.open(index_path) as index:
        password = None if no_password else _password(from_stdin=password_stdin)
        with _usage():
            made = index.people.add_user(name, Role(role), password, by=signed(by))
    options.write_record(_user_record(made), form)
    return 0


@user.command("change", short_help="Give a user another role or password.")
@click.argument("name")
@options.index_option
@role_option
@click.option("--password", is_flag=True, help="Ask for a new password.")
@password_option
@by_option
@options.format_option
def change(
    name: str, *, index_path: Home, role: str | None, password: bool, password_stdin: bool, by: str | None, form: str
) -> int:
    """Give a user another role or password; whoever is logged in under the name has to log in again."""
    from imgmatch import Index, Role

    if role is None and not (password or password_stdin):
        raise click.UsageError("give --role or --password")
    with Index.open(index_path) as index:
        new = _password(from_stdin=password_stdin) if password or password_stdin else None
        with _usage():
            made = index.people.change_user(
                name, role=None if role is None else Role(role), password=new, by=signed(by)
            )
    options.write_record(_user_record(made), form)
    return 0


@user.command("remove", short_help="Remove a user.")
@click.argument("name")
@options.index_option
@by_option
def remove(name: str, *, index_path: Home, by: str | None) -> int:
    """Remove a user, and end what he or she is logged in with; what was decided stays."""
    from imgmatch import Index

    with Index.open(index_path) as index:
        index.people.remove_user(name, by=signed(by))
    return 0


@user.command("list", short_help="List the users.")
@options.index_option
@options.format_option
def list_(*, index_path: Home, form: str) -> int:
    """List the users, by name."""
    from imgmatch import Index

    with Index.open(index_path) as index:
        options.write_records([_user_record(one) for one in index.people.users()], form)
    return 0


@user.group("token", short_help="Tokens that programs call the API with.")
def token() -> None:
    """Make, list and revoke tokens that programs call the API with."""


@token.command("add", short_help="Make a token.")
@click.argument("name")
@options.index_option
@click.option(
    "--scope", "scopes", type=click.Choice(_SCOPES), multiple=True, required=True, help="What it may do; several times."
)
@click.option(
    "--days", type=options.FiniteRange(0, 3_650, min_open=True), default=90, show_default=True, help="It ends then."
)
@by_option
@options.format_option
def token_add(name: str, *, index_path: Home, scopes: tuple[str, ...], days: float, by: str | None, form: str) -> int:
    """Make a token. Its secret is printed now and can not be had again."""
    from imgmatch import Index, Scope

    with Index.open(index_path) as index, _usage():
        made = index.people.add_token(name, set(map(Scope, scopes)), days=days, by=signed(by))
    options.write_record({**_token_record(made), "secret": made.secret}, form)
    return 0


@token.command("list", short_help="List the tokens.")
@options.index_option
@options.format_option
def token_list(*, index_path: Home, form: str) -> int:
    """List the tokens, by name, those that have ended too."""
    from imgmatch import Index

    with Index.open(index_path) as index:
        options.write_records([_token_record(one) for one in index.people.tokens()], form)
    return 0


@token.command("revoke", short_help="Revoke a token.")
@click.argument("name")
@options.index_option
@by_option
def token_revoke(name: str, *, index_path: Home, by: str | None) -> int:
    """Revoke a token: the next call with it is refused."""
    from imgmatch import Index

    with Index.open(index_path) as index:
        index.people.remove_token(name, by=signed(by))
    return 0


class _usage:  # noqa: N801 -- reads as a statement
    """What cannot be a name or a password is wrong usage."""

    def __enter__(self) -> None:
        """Nothing to begin with."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Say it as click says such things."""
        if isinstance(error, ValueError):
            raise click.UsageError(str(error)) from None


def signed(by: str | None) -> str:
    """As what the log and decisions name who does it: what was said, or who is logged in on this machine."""
    if by is not None:
        return by
    try:
        return str(getpass.getuser())
    except (OSError, KeyError):  # a container may have no user of that number
        return ""


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _user_record(one: User) -> dict[str, object]:
    from imgmatch.formats.records import moment

    return {"name": one.name, "role": str(one.role), "added_at": moment(one.added_at), "password": one.has_password}


def _token_record(one: ApiToken) -> dict[str, object]:
    from imgmatch.formats.records import moment

    return {
        "name": one.name,
        "scopes": " ".join(one.scopes),
        "added_at": moment(one.added_at),
        "expires_at": moment(one.expires_at),
    }
