"""Keep, renew, refuse: what a run makes of each state of the directory."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from secure_server.pki import profile
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.errors import InvalidNameError, UnusableFilesError, VerificationFailedError
from secure_server.pki.names import NameConstraints, host_text, parse_host
from secure_server.pki.store import CertificateDirectory
from secure_server.pki.verify import pyca_refusal

from .conftest import Bench, outcomes


def pem(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    """Return a private key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def names(bench: Bench) -> list[str]:
    """Return the hosts in server.pem."""
    certificate = CertificateDirectory(bench.path).read_certificate("server.pem").value
    assert certificate is not None
    return [host_text(host) for host in profile.hosts_of(certificate)]


def test_first_run_makes_everything(bench: Bench) -> None:
    """A CA, a server's and a client's pair; keys 0600 in a 0700 directory, whatever the umask."""
    before = os.umask(0)
    try:
        report = bench.run("box.example", clients=("ci",))
    finally:
        os.umask(before)
    files = ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "client-ci.pem", "client-ci-key.pem"]
    assert outcomes(report) == dict.fromkeys(files, "made")
    assert {name: mode(bench.path / name) for name in files} == {
        name: 0o600 if "key" in name else 0o644 for name in files
    }
    assert mode(bench.path) == 0o700
    assert names(bench) == ["localhost", "127.0.0.1", "::1", "box", "box.example"]
    assert [host_text(host) for host in report.hosts] == names(bench)


def test_second_run_keeps_every_byte(bench: Bench) -> None:
    """With fewer options nothing is narrowed: hosts and clients named before stay."""
    bench.run("box.example", "203.0.113.9", clients=("ci",))
    before = bench.bytes()
    report = bench.run()
    assert set(outcomes(report).values()) == {"kept"}
    assert bench.bytes() == before


def test_a_new_host_renews_the_certificate_and_keeps_its_key(bench: Bench) -> None:
    """The names grow, the reason names the newcomer, the key stays."""
    bench.run("a.test")
    before = bench.bytes()
    report = bench.run("b.test")
    assert outcomes(report)["server.pem"] == "renewed because b.test is not in it"
    assert names(bench)[-2:] == ["a.test", "b.test"]
    after = bench.bytes()
    assert {name for name in after if after[name] != before[name]} == {"server.pem"}


def test_a_host_outside_the_constraints_is_refused_with_the_command(bench: Bench) -> None:
    """Nothing is touched, and following the command makes a CA that may, keeping the earlier hosts and old keys."""
    bench.run("a.example", clients=("ci",))
    before = bench.bytes()
    with pytest.raises(InvalidNameError) as caught:
        bench.run("b.example", "203.0.113.9")
    assert f"`secure-server certs ensure --dir {bench.path} --host b.example --host 203.0.113.9 --new-ca`" in str(
        caught.value
    )
    assert bench.bytes() == before
    report = bench.run("b.example", "203.0.113.9", new_ca=True)
    assert set(outcomes(report).values()) == {"made"}
    assert "client-ci.pem" in outcomes(report)
    assert names(bench)[-3:] == ["a.example", "b.example", "203.0.113.9"]
    (aside,) = bench.path.glob("old-*")
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == before
    assert mode(aside) == 0o700
    assert str(aside) in report.notes[0]


def test_a_machine_that_was_renamed_is_noted_and_not_refused(bench: Bench) -> None:
    """Nobody asked for the new name: the run succeeds without it and says how to have it."""
    bench.run()
    report = bench.run(machine="renamed")
    assert set(outcomes(report).values()) == {"kept"}
    assert "renamed" in report.notes[0]
    assert "--host renamed --new-ca" in report.notes[0]
    with pytest.raises(InvalidNameError, match="renamed"):
        bench.run("renamed", machine="renamed")


def test_a_machine_name_that_is_no_host_name_is_left_out(bench: Bench) -> None:
    """Some machines are called what no certificate can hold."""
    report = bench.run(machine="my_box")
    assert names(bench) == ["localhost", "127.0.0.1", "::1"]
    assert "my_box" in report.notes[0]
    assert bench.run(machine=None).notes == []


@pytest.mark.parametrize(("days", "expected"), [(1, "kept"), (-1, "renewed because two thirds of its life are over")])
def test_two_thirds_of_a_life(bench: Bench, days: int, expected: str) -> None:
    """A day before, the leaf is kept; a day after, it is renewed, and its key stays."""
    bench.run(now=bench.now - profile.LEAF_LIFETIME * 2 / 3 + timedelta(days=days))
    key = bench.bytes()["server-key.pem"]
    assert outcomes(bench.run())["server.pem"].startswith(expected)
    assert bench.bytes()["server-key.pem"] == key


def test_an_old_ca_is_renewed_with_its_key_and_its_constraints(bench: Bench) -> None:
    """Clients with the old copy still verify what is issued after; the renewed CA permits no more than the old one."""
    past = bench.now - profile.CA_LIFETIME * 2 / 3
    files = CertificateDirectory(bench.path)
    files.prepare()
    key = profile.generate_key()
    constraints = NameConstraints.for_hosts([parse_host("a.example")])
    old = profile.issue_ca(key, constraints, subject=profile.ca_subject(key), now=past)
    files.write_key("ca-key.pem", key)
    files.write_certificate("ca.pem", old)
    report = bench.run(machine=None)
    assert outcomes(report)["ca.pem"].startswith("renewed because two thirds of its life are over")
    assert outcomes(report)["ca-key.pem"] == "kept"
    assert "same key" in report.notes[0]
    new, server = files.read_certificate("ca.pem").value, files.read_certificate("server.pem").value
    assert new is not None
    assert server is not None
    assert NameConstraints.of(new) == constraints
    assert pyca_refusal(server, old, parse_host("localhost"), bench.now) is None


def test_what_a_wrong_file_is_renewed_for(bench: Bench) -> None:
    """Each thing that can be wrong with the server's pair has its reason, and is mended."""
    bench.run()
    certificate, key = bench.path / "server.pem", bench.path / "server-key.pem"

    certificate.write_bytes(b"not a certificate")
    assert "not a readable PEM certificate" in outcomes(bench.run())["server.pem"]

    key.unlink()
    result = outcomes(bench.run())
    assert (result["server.pem"], result["server-key.pem"]) == ("renewed because its key is missing", "made")

    certificate.unlink()
    result = outcomes(bench.run())
    assert (result["server.pem"], result["server-key.pem"]) == ("made", "kept")

    other = pem(profile.generate_key())
    key.write_bytes(other)
    assert outcomes(bench.run())["server.pem"] == "renewed because it does not belong to its key"
    assert key.read_bytes() == other
    assert set(outcomes(bench.run()).values()) == {"kept"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (pem(ec.generate_private_key(ec.SECP384R1())), "not ECDSA P-256"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "not ECDSA P-256"),
        (pem(profile.generate_key(), BestAvailableEncryption(b"secret")), "encrypted"),
        (b"", "not a readable PEM private key"),
    ],
)
def test_a_key_that_cannot_be_used_is_set_aside(bench: Bench, content: bytes, why: str) -> None:
    """A new key takes its place, and the old one is still there, byte for byte."""
    bench.run()
    (bench.path / "server-key.pem").write_bytes(content)
    result = outcomes(bench.run())
    assert why in result["server.pem"]
    assert why in result["server-key.pem"]
    assert "the old one is in old-" in result["server-key.pem"]
    (aside,) = bench.path.glob("old-*")
    assert (aside / "server-key.pem").read_bytes() == content
    assert set(outcomes(bench.run()).values()) == {"kept"}


@pytest.mark.parametrize("name", ["ca-key.pem", "server-key.pem"])
def test_a_key_open_to_others_is_tightened(bench: Bench, name: str) -> None:
    """It is kept, closed, and the line says what its mode was."""
    bench.run()
    (bench.path / name).chmod(0o644)
    assert outcomes(bench.run())[name] == "kept, mode tightened from 0644"
    assert mode(bench.path / name) == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_another_users_key_is_not_trusted(bench: Bench) -> None:
    """Whoever owns a key can read it: one that is neither ours nor the directory owner's is replaced."""
    bench.run()
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    os.chown(bench.path / "server-key.pem", 65534, 65534)
    assert "belongs to another user (uid 65534)" in outcomes(bench.run())["server-key.pem"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_root_makes_files_for_the_directorys_owner(bench: Bench) -> None:
    """Under sudo, the files are still the user's who runs the server."""
    bench.path.mkdir(mode=0o700)
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    os.chown(bench.path, 65534, 65534)
    bench.run()
    assert {path.stat().st_uid for path in bench.path.glob("*.pem")} == {65534}
    assert set(outcomes(bench.run()).values()) == {"kept"}


def test_a_foreign_certificate_is_set_aside(bench: Bench, tmp_path: Path) -> None:
    """Another CA's certificate is renewed, and what we could not issue again is not destroyed."""
    bench.run()
    other = Bench(tmp_path / "other")
    other.run("own.test")
    for name in ("server.pem", "server-key.pem"):
        shutil.copy(other.path / name, bench.path / name)
    assert outcomes(bench.run())["server.pem"] == "renewed because it is not signed by this CA"
    (aside,) = bench.path.glob("old-*")
    assert (aside / "server.pem").read_bytes() == other.bytes()["server.pem"]
    assert names(bench)[-1] == "own.test"


@pytest.mark.parametrize("damage", ["missing", "foreign", "corrupt"])
def test_without_the_cas_key(bench: Bench, damage: str) -> None:
    """What is good is kept; what must be issued ends in one sentence with the command; the CA is never replaced."""
    bench.run()
    key = bench.path / "ca-key.pem"
    content = {"missing": b"", "foreign": pem(profile.generate_key()), "corrupt": b"x"}[damage]
    key.unlink() if damage == "missing" else key.write_bytes(content)
    before = bench.bytes()
    result = outcomes(bench.run())
    assert result["ca.pem"] == result["server.pem"] == "kept"
    assert result["ca-key.pem"].startswith("left alone because ca-key.pem")
    with pytest.raises(UnusableFilesError, match=r"must be issued because .*new\.test.*--new-ca"):
        bench.run("new.test")
    assert bench.bytes() == before


@pytest.mark.parametrize("content", [None, b"x"])
def test_a_ca_without_certificate_and_key(bench: Bench, content: bytes | None) -> None:
    """Neither can be made from the other: the run stops, and says that a new CA is the way out."""
    bench.run()
    (bench.path / "ca.pem").unlink() if content is None else (bench.path / "ca.pem").write_bytes(content)
    (bench.path / "ca-key.pem").write_bytes(b"x")
    before = bench.bytes()
    with pytest.raises(UnusableFilesError, match=r"ca\.pem cannot be used because .*--new-ca"):
        bench.run()
    assert bench.bytes() == before
    assert outcomes(bench.run(new_ca=True))["ca.pem"] == "made"


def test_a_ca_made_again_from_its_key(bench: Bench) -> None:
    """It keeps its name, so what it signed is still good."""
    bench.run()
    (bench.path / "ca.pem").unlink()
    result = outcomes(bench.run())
    assert result == {"ca.pem": "made", "ca-key.pem": "kept", "server.pem": "kept", "server-key.pem": "kept"}
    (bench.path / "ca.pem").write_bytes(b"x")
    result = outcomes(bench.run())
    assert result["ca.pem"] == "renewed because it is not a readable PEM certificate"
    assert result["server.pem"] == "kept"


def test_a_ca_that_is_not_its_own_signer_is_renewed(bench: Bench) -> None:
    """A CA file with the right key and the wrong signature is no root."""
    bench.run()
    files = CertificateDirectory(bench.path)
    ca, key = files.read_certificate("ca.pem").value, files.read_key("ca-key.pem").value
    assert ca is not None
    assert key is not None
    builder = x509.CertificateBuilder(
        issuer_name=ca.subject,
        subject_name=ca.subject,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=ca.not_valid_before_utc,
        not_valid_after=ca.not_valid_after_utc,
        extensions=list(ca.extensions),
    )
    files.write_certificate("ca.pem", builder.sign(profile.generate_key(), hashes.SHA256()))
    assert outcomes(bench.run())["ca.pem"] == "renewed because it is not signed by its own key"


def test_a_directory_of_our_own_keys_is_tightened_again(bench: Bench) -> None:
    """What an unpacked archive or a careless chmod opened is closed again: all that lives there is ours."""
    bench.run(clients=("ci",))
    bench.path.chmod(0o755)
    bench.run()
    assert mode(bench.path) == 0o700


def test_files_of_somebody_else_keep_the_directory_open(bench: Bench) -> None:
    """A directory that others use for other things is refused, not locked up."""
    bench.path.mkdir(mode=0o755)
    (bench.path / "README.md").touch()
    (bench.path / "passwd").touch()
    with pytest.raises(UnusableFilesError, match=r"also holds passwd.*--dir"):
        bench.run()
    assert mode(bench.path) == 0o755
    (bench.path / "passwd").unlink()
    assert bench.run().entries[0].outcome == "kept, mode tightened from 0755"
    assert mode(bench.path) == 0o700


def test_a_path_that_is_no_directory_is_one_sentence(bench: Bench) -> None:
    """The operating system's refusal becomes a sentence that says what to do."""
    bench.path.touch()
    with pytest.raises(UnusableFilesError, match="cannot be used"):
        bench.run()


def test_a_client_file_with_a_strange_name_is_left_alone(bench: Bench) -> None:
    """Only names that a client can have are looked after."""
    bench.run()
    for name in ("client-a b.pem", "client-a b-key.pem", "client-half.pem"):
        (bench.path / name).write_bytes(b"x")
    assert set(outcomes(bench.run())) == {"ca.pem", "ca-key.pem", "server.pem", "server-key.pem"}


def test_a_clients_certificate_made_out_to_another_is_renewed(bench: Bench) -> None:
    """Copying one client's pair over another's does not lend the name."""
    bench.run(clients=("a", "b"))
    for end in (".pem", "-key.pem"):
        shutil.copy(bench.path / f"client-a{end}", bench.path / f"client-b{end}")
    assert outcomes(bench.run())["client-b.pem"] == "renewed because it is not made out to b"


def test_concurrent_first_runs_make_one_ca(bench: Bench) -> None:
    """Two at once: one makes, the other waits and keeps, and both succeed."""
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: outcomes(bench.run()), range(2)))
    assert sorted(report["ca.pem"] for report in reports) == ["kept", "made"]


def test_a_killed_run_leaves_nothing_behind(bench: Bench) -> None:
    """A half-written file is cleared by the next run, and is never taken for a key."""
    bench.run()
    (bench.path / ".server-key.pem.0123.tmp").write_bytes(b"half")
    assert set(outcomes(bench.run()).values()) == {"kept"}
    assert not list(bench.path.glob(".*.tmp"))


def test_a_failed_write_leaves_the_old_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full while writing costs neither the old certificate nor a temporary file."""
    bench.run()
    before = bench.bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnusableFilesError, match="No space left on device"):
        bench.run("new.test")
    assert bench.bytes() == before
    assert not list(bench.path.glob(".*.tmp"))


def test_a_key_is_never_overwritten(bench: Bench) -> None:
    """Writing over a key raises, whoever asks."""
    bench.run()
    with pytest.raises(FileExistsError):
        CertificateDirectory(bench.path).write_key("ca-key.pem", profile.generate_key())


def test_a_kept_file_that_fails_the_proof_is_no_success(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Success is reported after the proof: a certificate for a moment that is past makes the run fail."""
    long_ago = bench.now - profile.LEAF_LIFETIME - timedelta(days=2)
    with pytest.raises(VerificationFailedError, match="expired"):
        ensure(Request(bench.path), now=long_ago)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program (Debian package: openssl)")
def test_the_openssl_program_agrees(bench: Bench) -> None:
    """`openssl verify -x509_strict` accepts both certificates for their purpose, host by host."""
    bench.run("box.example", clients=("ci_runner",))
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", str(bench.path / "ca.pem")]
    good = [
        ["-purpose", "sslserver", "-verify_hostname", "box.example", "server.pem"],
        ["-purpose", "sslserver", "-verify_ip", "::1", "server.pem"],
        ["-purpose", "sslclient", "client-ci_runner.pem"],
    ]
    bad = [
        ["-purpose", "sslserver", "-verify_hostname", "other.example", "server.pem"],
        ["-purpose", "sslserver", "client-ci_runner.pem"],
        ["-purpose", "sslclient", "server.pem"],
    ]
    results = [
        subprocess.run([*verify, *arguments], cwd=bench.path, capture_output=True, timeout=30, check=False).returncode
        for arguments in good + bad
    ]
    assert [code == 0 for code in results] == [True] * 3 + [False] * 3
