"""Keys are written privately, read with care, and prove who has signed what."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from imgmatch.errors import ConflictError, ImgmatchError, MissingExtraError, SourceError
from imgmatch.exchange.signing import PREFIX, PublicKey, SigningKey, public_key

if TYPE_CHECKING:
    from pathlib import Path

KEY = SigningKey.generate()
LINE = str(KEY.public_key)
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such modes")


def pem(key: rsa.RSAPrivateKey | x25519.X25519PrivateKey, password: bytes | None = None) -> bytes:
    how = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def private_file(folder: Path, data: bytes) -> Path:
    path = folder / "key.pem"
    path.touch(0o600)
    path.write_bytes(data)
    return path


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_signature_fits_what_was_signed_and_nothing_else(message: bytes, other: bytes) -> None:
    signature = KEY.sign(message)
    assert KEY.public_key.has_signed(message, signature)
    assert KEY.public_key.has_signed(other, signature) == (message == other)
    assert not SigningKey.generate().public_key.has_signed(message, signature)
    assert KEY.sign(message) == signature


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"\1" * 65])
def test_what_is_no_signature_fits_nothing(signature: bytes) -> None:
    assert not KEY.public_key.has_signed(b"message", signature)


def test_a_key_that_is_written_is_the_key_that_is_read(tmp_path: Path) -> None:
    KEY.write(tmp_path / "key.pem")
    again = SigningKey.read(tmp_path / "key.pem")
    assert again.public_key == KEY.public_key
    assert again.sign(b"message") == KEY.sign(b"message")


@POSIX
def test_a_new_key_file_is_its_owners_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        KEY.write(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


@POSIX
def test_a_key_is_never_written_over_a_file_or_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("there", "link"):
        with pytest.raises(ConflictError, match=f"{name} is there already"):
            KEY.write(tmp_path / name)
    assert (tmp_path / "there").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(ImgmatchError, match="cannot be written"):
        KEY.write(tmp_path / "no folder" / "key.pem")


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622, 0o644, 0o777])
def test_a_private_key_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    KEY.write(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(mode)
    with pytest.raises(SourceError, match=r"key\.pem: others may read or write this private key \(mode 0"):
        SigningKey.read(tmp_path / "key.pem")


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("openssl") is None, reason="OpenSSL is not there")
def test_openssl_reads_what_is_written_and_writes_what_is_read(tmp_path: Path) -> None:
    KEY.write(tmp_path / "ours.pem")
    show = subprocess.run(
        ["openssl", "pkey", "-in", str(tmp_path / "ours.pem"), "-pubout", "-outform", "DER"],  # noqa: S607 -- the system's own
        capture_output=True,
        check=True,
    )
    assert show.stdout.endswith(KEY.public_key.raw)
    made = tmp_path / "theirs.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(made)], check=True)  # noqa: S607 -- the system's own
    made.chmod(0o600)
    theirs = SigningKey.read(made)
    assert theirs.public_key.has_signed(b"message", theirs.sign(b"message"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is no private key of Ed25519"),
        (b"\xff\xfe\0", "it is no private key of Ed25519"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "it is no private key of Ed25519"),
        (LINE.encode(), "it is no private key of Ed25519"),
        (pem(x25519.X25519PrivateKey.generate()), "it is no private key of Ed25519"),
        (pem(rsa.generate_private_key(65537, 2048)), "it is no private key of Ed25519"),
        (pem(x25519.X25519PrivateKey.generate(), b"secret"), "encrypted"),
        (b"x" * 20_000, "a file of more than 16,384 bytes"),
    ],
    ids=["empty", "binary", "broken", "public", "x25519", "rsa", "encrypted", "large"],
)
def test_what_is_no_private_key_is_said_with_its_file(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(SourceError, match=rf"key\.pem: .*{why}"):
        SigningKey.read(private_file(tmp_path, data))


def test_what_is_no_file_is_said_and_waited_for_by_nobody(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SourceError, match="cannot be read"):
            SigningKey.read(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SourceError, match="not a regular file"):
            PublicKey.read(tmp_path / "pipe")


@given(st.binary(min_size=32, max_size=32))
def test_a_public_key_is_one_line_and_the_line_is_the_key(raw: bytes) -> None:
    try:
        key = PublicKey(raw)
    except ValueError:
        return
    assert str(key).startswith(PREFIX)
    assert len(str(key)) == len(PREFIX) + 44
    assert PublicKey.parse(f" {key}\r\n") == key


@pytest.mark.parametrize(
    "line",
    [
        "",
        "imgmatch",
        PREFIX,
        LINE[:-1],
        LINE[:-4],
        LINE + "A",
        LINE.replace(":", ": "),
        LINE[:30] + "\n" + LINE[30:],
        LINE[:30] + "-" + LINE[31:],
        LINE[:30] + "é" + LINE[31:],
        LINE.upper().replace("IMGMATCH-ED25519", "imgmatch-rsa"),
        LINE.removeprefix(PREFIX),
        PREFIX + "A" * 42 + "B=",  # other letters for the bytes of ...A=, which nobody writes
    ],
    ids=count(),  # the lines hold a new key each time
)
def test_what_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=PREFIX):
        PublicKey.parse(line)


@pytest.mark.parametrize(
    "raw",
    [
        bytes(32),
        bytes(31) + b"\x80",
        b"\1" + bytes(31),
        b"\1" + bytes(30) + b"\x80",
        b"\xec" + b"\xff" * 30 + b"\x7f",
        b"\xed" + b"\xff" * 30 + b"\x7f",
        b"\xee" + b"\xff" * 30 + b"\x7f",
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ],
    ids=bytes.hex,
)
def test_a_key_in_whose_name_anybody_could_sign_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match="anybody could sign"):
        PublicKey(raw)


def test_a_public_key_may_be_given_as_its_line_or_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "partner.pub").write_bytes(b"\xef\xbb\xbf" + LINE.encode() + b"\r\n")
    assert public_key(LINE) == public_key(str(tmp_path / "partner.pub")) == KEY.public_key
    with pytest.raises(SourceError, match="44 letters"):
        public_key(LINE[:-3])
    with pytest.raises(SourceError, match=r"none\.pub: the key cannot be read"):
        public_key(str(tmp_path / "none.pub"))


def test_a_private_key_that_is_taken_for_a_public_one_is_told_and_never_shown(tmp_path: Path) -> None:
    KEY.write(tmp_path / "key.pem")
    with pytest.raises(SourceError, match="it is a private key") as told:
        PublicKey.read(tmp_path / "key.pem")
    secret = (tmp_path / "key.pem").read_text().splitlines()[1]
    assert secret[-20:] not in str(told.value) + repr(KEY)
    assert str(told.value).count("\n") == 0


def test_without_cryptography_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    KEY.write(tmp_path / "key.pem")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    for use in (
        SigningKey.generate,
        lambda: SigningKey.read(tmp_path / "key.pem"),
        lambda: KEY.public_key.has_signed(b"message", bytes(64)),
    ):
        with pytest.raises(MissingExtraError, match=r"imgmatch\[sharing\]"):
            use()
    assert PublicKey.parse(LINE) == KEY.public_key
