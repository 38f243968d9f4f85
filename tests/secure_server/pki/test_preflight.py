"""What keeps a server from starting, one sentence each, with the command that mends it."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from secure_server.pki import handshake, profile
from secure_server.pki.names import NameConstraints
from secure_server.pki.preflight import CertificateProblem, check_pair, check_served, read_ca
from secure_server.pki.store import CertificateDirectory
from secure_server.pki.verify import foreign_ca

from .conftest import Bench


@pytest.fixture
def made(bench: Bench) -> Bench:
    """Return a directory with a server's certificate."""
    bench.run()
    return bench


def test_the_facts_of_a_good_pair(made: Bench) -> None:
    """They are what the served certificate says, and its bytes stay out of the repr."""
    path = made.path / "server.pem"
    facts = check_pair(path, made.path / "server-key.pem", now=made.now)
    assert facts.path == path
    assert facts.der == ssl.PEM_cert_to_DER_cert(path.read_text())
    assert facts.fingerprint == hashlib.sha256(facts.der).hexdigest()
    assert facts.sans == ("localhost", "127.0.0.1", "::1", "box")
    assert "CN=secure-server server" in facts.subject
    assert facts.not_before < made.now < facts.not_after
    assert "der" not in repr(facts)


def problem(made: Bench, days: float = 0) -> str:
    """Return the sentence that keeps the server from starting."""
    with pytest.raises(CertificateProblem) as caught:
        check_pair(made.path / "server.pem", made.path / "server-key.pem", now=made.now + timedelta(days=days))
    return str(caught.value)


@pytest.mark.parametrize("name", ["server.pem", "server-key.pem"])
def test_missing_and_corrupt_files(made: Bench, name: str) -> None:
    """The sentence names the file and the command."""
    path, command = made.path / name, f"run `secure-server certs ensure --dir {made.path}`."
    path.write_bytes(b"x")
    assert problem(made).startswith(f"{path} is not a readable PEM")
    path.unlink()
    assert f"{path} is missing" in problem(made)
    assert problem(made).endswith(command)
    path.mkdir()
    assert f"{path} cannot be read (Is a directory)" in problem(made)


def test_wrong_time(made: Bench) -> None:
    """Too late and too early are told apart, with the date."""
    assert "expired on 20" in problem(made, 398)
    assert "is not valid before 20" in problem(made, -1)
    assert problem(made, 398).endswith(f"run `secure-server certs ensure --dir {made.path}`.")


def test_a_pair_that_does_not_belong_together(made: Bench) -> None:
    """A key of another certificate is found out before a socket is opened."""
    (made.path / "server-key.pem").write_bytes((made.path / "ca-key.pem").read_bytes())
    assert "does not belong to the key" in problem(made)


def test_an_encrypted_key(made: Bench) -> None:
    """The sentence gives the command that decrypts it."""
    encrypted = profile.generate_key().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (made.path / "server-key.pem").write_bytes(encrypted)
    assert "openssl pkey -in" in problem(made)


def test_a_key_that_this_user_may_not_read(made: Bench) -> None:
    """Run as somebody else, the sentence says so and how to hand the key over."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    if os.geteuid() != 0:
        (made.path / "server-key.pem").chmod(0)
        assert "cannot be read by this user" in problem(made)
        return
    made.path.chmod(0o711)
    code = (
        "import os, datetime as d; from pathlib import Path;"
        "from secure_server.pki.preflight import CertificateProblem, check_pair\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: check_pair(Path('server.pem'), Path('server-key.pem'), now=d.datetime.now(d.UTC))\n"
        "except CertificateProblem as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=made.path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "server-key.pem cannot be read by this user" in done.stdout
    assert "sudo chown" in done.stdout


def test_a_certificate_without_a_name(made: Bench) -> None:
    """No client of ours goes by the common name; so nobody would be served."""
    files = CertificateDirectory(made.path)
    certificate, key = files.read_certificate("server.pem").value, files.read_key("ca-key.pem").value
    assert certificate is not None
    assert key is not None
    nameless = x509.CertificateBuilder(
        issuer_name=certificate.issuer,
        subject_name=certificate.subject,
        public_key=certificate.public_key(),
        serial_number=7,
        not_valid_before=certificate.not_valid_before_utc,
        not_valid_after=certificate.not_valid_after_utc,
        extensions=[e for e in certificate.extensions if not isinstance(e.value, x509.SubjectAlternativeName)],
    ).sign(key, hashes.SHA256())
    files.write_certificate("server.pem", nameless)
    assert "holds no name or address" in problem(made)


def serving(made: Bench, certificate: str = "server.pem", ca: str = "ca.pem") -> str:
    """Try the pair under what is in `ca`."""
    facts = check_pair(made.path / certificate, made.path / "server-key.pem", now=made.now)
    context = handshake.server_context(made.path / "server.pem", made.path / "server-key.pem")
    return check_served(context, facts, read_ca(made.path / ca))


def test_what_clients_that_trust_our_ca_would_refuse(made: Bench) -> None:
    """A CA of the same name and another key did not sign it; where no CA of ours claims it, that is a remark."""
    assert serving(made) == ""
    assert serving(made, ca="nothing.pem") == ""
    files = CertificateDirectory(made.path)
    ca = files.read_certificate("ca.pem").value
    assert ca is not None
    files.write_certificate("ca.pem", foreign_ca(ca, made.now))
    with pytest.raises(CertificateProblem, match=r"Clients that trust .*ca\.pem would refuse .*local issuer"):
        serving(made)
    key = profile.generate_key()
    other = profile.issue_ca(key, NameConstraints.for_hosts([]), subject=profile.ca_subject(key), now=made.now)
    files.write_certificate("ca.pem", other)
    assert serving(made) == f"no CA in {made.path / 'ca.pem'} signed it"
    (made.path / "ca.pem").write_bytes(b"nonsense")
    assert serving(made) == f"no CA in {made.path / 'ca.pem'} signed it"


def test_another_certificate_than_was_looked_at(made: Bench) -> None:
    """The file changed between the two readings."""
    shutil.copy(made.path / "server.pem", made.path / "seen.pem")
    (made.path / "server.pem").unlink()
    made.run()
    with pytest.raises(CertificateProblem, match=r"seen\.pem changed while it was read"):
        serving(made, "seen.pem")
