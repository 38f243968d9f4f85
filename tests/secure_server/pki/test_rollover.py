"""From one root to the next: whoever trusts the old one, the new one or both is served throughout."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from secure_server.pki import handshake, profile, rollover
from secure_server.pki.authority import Roots, read_roots
from secure_server.pki.errors import UnusableFilesError, VerificationFailedError
from secure_server.pki.names import NameConstraints, parse_host
from secure_server.pki.store import CertificateDirectory, Stored
from secure_server.pki.verify import Pair, client_verifiers, pyca_refusal, server_verifiers

from .conftest import Bench, outcomes

LOCALHOST = parse_host("localhost")


def certificates(path: Path) -> list[x509.Certificate]:
    """Return what a PEM file holds."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def pair(bench: Bench, stem: str = "server") -> Pair:
    """Return a pair as it is served."""
    leaf, *chain = certificates(bench.path / f"{stem}.pem")
    return Pair(leaf, bench.path / f"{stem}.pem", bench.path / f"{stem}-key.pem", tuple(chain))


def refusals(bench: Bench, root: x509.Certificate) -> list[str | None]:
    """Ask every verifier about the server, and about the client, of whoever trusts `root` alone."""
    server, client = pair(bench), pair(bench, "client-ci")
    return [
        *(verifier(server, root, LOCALHOST) for _, verifier in server_verifiers(bench.now)),
        *(verifier(client, root, server, root) for _, verifier in client_verifiers(bench.now)),
    ]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a directory with a server's and a client's certificate, once."""
    bench = Bench(tmp_path_factory.mktemp("original") / "certs")
    bench.run(clients=("ci",))
    return bench.path


@pytest.fixture
def made(bench: Bench, original: Path) -> Bench:
    """Return a copy of it."""
    shutil.copytree(original, bench.path)
    return bench


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have runs end without their proof, where a test makes many or moves the clock, which OpenSSL does not see."""
    monkeypatch.setattr("secure_server.pki.ensure.verify_server", lambda *_, **__: None)
    monkeypatch.setattr("secure_server.pki.ensure.verify_client", lambda *_, **__: None)


def test_each_root_alone_is_enough_during_the_overlap(made: Bench) -> None:
    """Strict OpenSSL, pyca's verifier and a real handshake accept server and client under either root."""
    (old,) = certificates(made.path / "ca.pem")
    before = made.bytes()
    report = made.run(step=rollover.Step.BEGIN)
    new, same = certificates(made.path / "ca.pem")
    assert same == old
    assert (new.subject, new.public_key()) != (old.subject, old.public_key())
    assert NameConstraints.of(new) == NameConstraints.of(old)
    for root in (old, new):
        assert refusals(made, root) == [None] * 6
    result = outcomes(report)
    assert result["ca.pem"] == "renewed because the new root is in it, too"
    assert result["ca-cross.pem"] == result["ca-next-key.pem"] == "made"
    assert result["server.pem"] == "renewed because ca-cross.pem goes with it during the rollover"
    assert f"`secure-server certs rollover --dir {made.path} --finish`" in report.notes[0]
    after = made.bytes()
    assert {name for name in before if "key" in name and after[name] != before[name]} == set()
    assert pair(made).certificate == x509.load_pem_x509_certificate(before["server.pem"])


def test_old_certificates_and_new_ones_are_good_to_a_server_with_both_roots(made: Bench) -> None:
    """A client's copy from before the rollover is accepted during it; its copy from the overlap even after it."""
    early = made.bytes()["client-ci.pem"]
    made.run(step=rollover.Step.BEGIN)
    roots = made.path / "ca.pem"
    context = handshake.server_context(made.path / "server.pem", made.path / "server-key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(roots)
    (made.path / "early.pem").write_bytes(early)
    late = made.bytes()["client-ci.pem"]
    client = handshake.client_context(
        certificates(roots)[0], certificate=made.path / "early.pem", key=made.path / "client-ci-key.pem"
    )
    handshake.in_memory(context, client, "localhost")
    (made.path / "early.pem").unlink()
    made.run(step=rollover.Step.FINISH)
    (new,) = certificates(roots)
    leaf, *chain = x509.load_pem_x509_certificates(late)
    assert pyca_refusal(leaf, new, None, made.now, chain) is None


def test_ensure_keeps_an_overlap_as_it_is(made: Bench, unproven: None) -> None:
    """Every byte; and a certificate that is made during it is good to both sides as well."""
    made.run(step=rollover.Step.BEGIN)
    before = made.bytes()
    assert set(outcomes(made.run()).values()) == {"kept"}
    assert made.bytes() == before
    made.run("new.test", clients=("late",))
    for root in certificates(made.path / "ca.pem"):
        assert pyca_refusal(pair(made).certificate, root, parse_host("new.test"), made.now, pair(made).chain) is None
        late = pair(made, "client-late")
        assert pyca_refusal(late.certificate, root, None, made.now, late.chain) is None


def test_finishing_leaves_the_new_root_alone(made: Bench) -> None:
    """It signs from then on, the old key is aside, its own key is what ca-key.pem is; all is kept afterwards."""
    made.run(step=rollover.Step.BEGIN)
    new, old = certificates(made.path / "ca.pem")
    old_key = made.bytes()["ca-key.pem"]
    report = made.run(step=rollover.Step.FINISH)
    assert certificates(made.path / "ca.pem") == [new]
    assert refusals(made, new) == [None] * 6
    assert pyca_refusal(pair(made).certificate, old, LOCALHOST, made.now, pair(made).chain)
    assert outcomes(report)["ca.pem"] == "renewed because the rollover is finished"
    assert sorted(made.bytes()) == [
        "ca-key.pem",
        "ca.pem",
        "client-ci-key.pem",
        "client-ci.pem",
        "server-key.pem",
        "server.pem",
    ]
    (aside,) = made.path.glob("old-*")
    assert (aside / "ca-key.pem").read_bytes() == old_key
    assert str(aside) in report.notes[0]
    assert set(outcomes(made.run()).values()) == {"kept"}
    made.run(step=rollover.Step.BEGIN)  # and so on, for ever: this root is the old one now
    for root in certificates(made.path / "ca.pem"):
        assert refusals(made, root) == [None] * 6


def test_the_constraints_hold_in_the_cross_certificate(made: Bench) -> None:
    """What the old root may not sign is refused under the new one, too, by both verifiers; it signs no CA either."""
    made.run(step=rollover.Step.BEGIN)
    new, old = certificates(made.path / "ca.pem")
    (cross,) = certificates(made.path / "ca-cross.pem")
    assert NameConstraints.of(cross) == NameConstraints.of(old)
    assert cross.extensions.get_extension_for_class(x509.NameConstraints).critical
    assert cross.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert cross.not_valid_after_utc == min(old.not_valid_after_utc, new.not_valid_after_utc)
    key = CertificateDirectory(made.path).read_key("ca-key.pem").value
    assert key is not None
    outside = parse_host("outside.example")
    leaf = profile.issue_leaf(
        pair(made).certificate.public_key(),  # type: ignore[arg-type] # ours are P-256
        "outside",
        [outside],
        profile.Purpose.SERVER,
        ca=old,
        ca_key=key,
        now=made.now,
    )
    CertificateDirectory(made.path).write_certificate("server.pem", leaf, cross)
    posing = pair(made)
    for root in (old, new):
        assert "permitted" in str(pyca_refusal(leaf, root, outside, made.now, [cross]))
        for _, verifier in server_verifiers(made.now):
            assert "permitted" in str(verifier(posing, root, outside))


def test_what_is_asked_at_the_wrong_moment_is_refused(made: Bench, tmp_path: Path) -> None:
    """A second beginning, an end without a beginning, and no CA: one sentence each, and nothing is touched."""
    before = made.bytes()
    with pytest.raises(UnusableFilesError, match=r"No rollover is under way .*`secure-server certs rollover --dir"):
        made.run(step=rollover.Step.FINISH)
    assert made.bytes() == before
    made.run(step=rollover.Step.BEGIN)
    before = made.bytes()
    with pytest.raises(UnusableFilesError, match=r"under way .* already; .*--finish"):
        made.run(step=rollover.Step.BEGIN)
    assert made.bytes() == before
    (made.path / "ca-next-key.pem").rename(tmp_path / "key.pem")
    with pytest.raises(UnusableFilesError, match=r"cannot be finished without ca-next-key\.pem"):
        made.run(step=rollover.Step.FINISH)
    empty = Bench(tmp_path / "empty")
    with pytest.raises(UnusableFilesError, match="is no CA to begin a rollover from"):
        empty.run(step=rollover.Step.BEGIN)


def test_a_lost_cross_certificate_is_made_again(made: Bench, unproven: None) -> None:
    """With the new root's key; without it, ensure says what is missing."""
    made.run(step=rollover.Step.BEGIN)
    cross = made.path / "ca-cross.pem"
    for content, why in ((None, "it is missing"), (b"x", "it is not a readable PEM certificate")):
        cross.unlink() if content is None else cross.write_bytes(content)
        assert outcomes(made.run())["ca-cross.pem"] == f"renewed because {why}"
        assert_works(made)
    key = (made.path / "ca-next-key.pem").read_bytes()
    (made.path / "ca-next-key.pem").unlink()
    assert set(outcomes(made.run()).values()) == {"kept"}
    cross.write_bytes((made.path / "server.pem").read_bytes())
    (made.path / "ca-next-key.pem").write_bytes(key)
    assert outcomes(made.run())["ca-cross.pem"] == "renewed because it is not signed by the new root"


def test_a_rollover_ends_by_itself_before_the_old_root_does(bench: Bench, unproven: None) -> None:
    """Two days before the old root's end it goes on, without a renewal of that root; one day before, ensure ends it."""
    files = CertificateDirectory(bench.path)
    files.prepare()
    key = profile.generate_key()
    past = bench.now - profile.CA_LIFETIME + timedelta(days=2)
    old = profile.issue_ca(key, NameConstraints.for_hosts([]), subject=profile.ca_subject(key), now=past)
    files.write_key("ca-key.pem", key)
    files.write_certificate("ca.pem", old)
    bench.run(machine=None, step=rollover.Step.BEGIN)
    new, kept = certificates(bench.path / "ca.pem")
    assert kept == old
    assert read_roots(files) == Roots(Stored(old), new)
    report = bench.run(machine=None, now=rollover.ending(old) + timedelta(minutes=1))
    assert certificates(bench.path / "ca.pem") == [new]
    assert pair(bench).certificate.issuer == new.subject
    assert "The rollover is finished" in report.notes[-1]


class Lethal:
    """Kills a run before its write of that number."""

    def __init__(self, deadly: int) -> None:
        self._left = deadly

    def wrap(self, write: Callable[..., object]) -> Callable[..., object]:
        """Count a method's calls, and raise at the deadly one."""

        def counted(*arguments: object) -> object:
            self._left -= 1
            if self._left == -1:
                raise KeyboardInterrupt
            return write(*arguments)

        return counted


WRITES = ("write_certificate", "write_key", "set_aside", "rename_key")


@pytest.mark.parametrize("asked", list(rollover.Step))
def test_an_interrupted_step_leaves_what_works(
    made: Bench, monkeypatch: pytest.MonkeyPatch, asked: rollover.Step, unproven: None
) -> None:
    """Killed before any of its writes, it leaves what each root in ca.pem accepts, and the next run completes it."""
    if asked is rollover.Step.FINISH:
        made.run(step=rollover.Step.BEGIN)
    everything = made.bytes()
    for deadly in range(20):
        for path in made.path.glob("*.pem"):
            path.unlink()
        for name, content in everything.items():
            (made.path / name).write_bytes(content)
        with monkeypatch.context() as patch:
            lethal = Lethal(deadly)
            for name in WRITES:
                patch.setattr(CertificateDirectory, name, lethal.wrap(getattr(CertificateDirectory, name)))
            try:
                made.run(step=asked)
            except KeyboardInterrupt:
                pass
            else:
                assert deadly > 4
                return
        assert_works(made)
        made.run()
        assert_works(made)
        assert set(outcomes(made.run()).values()) == {"kept"}
    pytest.fail("it never came to an end")


def assert_works(bench: Bench) -> None:
    """Check that those with the roots in ca.pem accept the server; before the chain is there, those with the old."""
    served = pair(bench)
    for root in certificates(bench.path / "ca.pem"):
        if served.chain or served.certificate.issuer == root.subject:
            assert pyca_refusal(served.certificate, root, LOCALHOST, bench.now, served.chain) is None


def test_the_wrong_chain_fails_the_proof(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Success is reported only when the new root alone is enough: a chain that is not sent is found out."""
    monkeypatch.setattr(rollover, "ensure_cross", lambda _files, authority, _report, _now: authority)
    with pytest.raises(VerificationFailedError, match=r"OpenSSL \(strict\) refuses"):
        made.run(step=rollover.Step.BEGIN)


def test_a_new_ca_ends_an_overlap(made: Bench, unproven: None) -> None:
    """`--new-ca` sets aside all of it."""
    made.run(step=rollover.Step.BEGIN)
    made.run(new_ca=True)
    assert len(certificates(made.path / "ca.pem")) == 1
    assert not (made.path / "ca-next-key.pem").exists()
    assert not (made.path / "ca-cross.pem").exists()


def test_a_foreign_certificate_is_still_set_aside_in_an_overlap(made: Bench, tmp_path: Path, unproven: None) -> None:
    """Only what the CA that the new root vouches for signed is known to be ours."""
    other = Bench(tmp_path / "other")
    other.run()
    made.run(step=rollover.Step.BEGIN)
    for name in ("server.pem", "server-key.pem"):
        shutil.copy(other.path / name, made.path / name)
    made.run()
    (aside,) = made.path.glob("old-*")
    assert (aside / "server.pem").read_bytes() == other.bytes()["server.pem"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program (Debian package: openssl)")
def test_the_openssl_program_agrees(made: Bench) -> None:
    """`openssl verify -x509_strict` accepts the server under the old root, the new one and both."""
    made.run(step=rollover.Step.BEGIN)
    new, old = certificates(made.path / "ca.pem")
    files = CertificateDirectory(made.path)
    files.write_certificate("client-new.pem", new)
    files.write_certificate("client-old.pem", old)
    for trusted in ("client-old.pem", "client-new.pem", "ca.pem"):
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost"]
        done = subprocess.run(
            [*command, "-CAfile", trusted, "-untrusted", "server.pem", "server.pem"],
            cwd=made.path,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_self_issued_cross_certificate_would_not_do(made: Bench) -> None:
    """Why the new root vouches for the old CA and not the other way about: pyca counts it against path length 0."""
    (old,) = certificates(made.path / "ca.pem")
    old_key = CertificateDirectory(made.path).read_key("ca-key.pem").value
    constraints = NameConstraints.of(old)
    assert old_key is not None
    assert constraints is not None
    new_key = profile.generate_key()
    new = profile.issue_ca(new_key, constraints, subject=old.subject, now=made.now)
    key_id = old.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = x509.CertificateBuilder(
        issuer_name=old.subject,
        subject_name=old.subject,
        public_key=new_key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=new.not_valid_before_utc,
        not_valid_after=old.not_valid_after_utc,
        extensions=list(new.extensions),
    ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
    cross = builder.sign(old_key, hashes.SHA256())
    leaf = profile.issue_leaf(
        pair(made).certificate.public_key(),  # type: ignore[arg-type] # ours are P-256
        "server",
        [LOCALHOST],
        profile.Purpose.SERVER,
        ca=new,
        ca_key=new_key,
        now=made.now,
    )
    CertificateDirectory(made.path).write_certificate("server.pem", leaf, cross)
    openssl, pyca, _ = [verifier for _, verifier in server_verifiers(made.now)]
    assert openssl(pair(made), old, LOCALHOST) is None
    assert pyca(pair(made), old, LOCALHOST) is not None


def test_a_root_that_is_mended_during_the_overlap_keeps_its_company(made: Bench) -> None:
    """The old root is made anew with its own key, the new one stays before it, and both are still enough."""
    made.run(step=rollover.Step.BEGIN)
    files = CertificateDirectory(made.path)
    new, old = certificates(made.path / "ca.pem")
    builder = x509.CertificateBuilder(
        issuer_name=old.subject,
        subject_name=old.subject,
        public_key=old.public_key(),
        serial_number=1,
        not_valid_before=old.not_valid_before_utc,
        not_valid_after=old.not_valid_after_utc,
        extensions=list(old.extensions),
    )
    files.write_certificate("ca.pem", new, builder.sign(profile.generate_key(), hashes.SHA256()))
    assert outcomes(made.run())["ca.pem"] == "renewed because it is not signed by its own key"
    kept, mended = certificates(made.path / "ca.pem")
    assert kept == new
    assert mended.public_key() == old.public_key()
    for root in (old, new, mended):
        assert refusals(made, root) == [None] * 6
