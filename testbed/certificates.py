"""A certificate authority of the tests: the API server's certificate, and client certificates for any user."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=1)
_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Signs certificates and keeps them, with their keys, as PEM files in ``folder``.

    A ``plain`` one has no key identifiers, and does not say what its key is for; nor do its certificates say whose key
    signed them. Many clusters have such a one.
    """

    def __init__(self, folder: Path, *, plain: bool = False) -> None:
        self._folder = folder
        self._plain = plain
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("kargo-receivers tests")
        builder = self._builder(self._name, self._key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=not plain)
        if not plain:
            builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
        self.certificate = folder / "ca.crt"
        self.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def server(self, name: str = "localhost") -> tuple[Path, Path]:
        """Certificate and key of a server on 127.0.0.1."""
        names = [x509.DNSName(name), x509.IPAddress(IPv4Address("127.0.0.1"))]
        return self._issue("server", _name(name), ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, user: str, *groups: str) -> tuple[Path, Path]:
        """Certificate and key by which Kubernetes knows a user: the common name, and its groups as organisations."""
        return self._issue(f"client-{user}", _name(user, *groups), ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def signing_key(self) -> Path:
        """A key for the API server's own tokens."""
        return self._write_key("signing", ec.generate_private_key(ec.SECP256R1()))

    def _issue(
        self, file: str, name: x509.Name, usage: x509.ObjectIdentifier, names: list[x509.GeneralName]
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, key)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if not self._plain:
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = builder.add_extension(authority, critical=False)
        certificate = self._folder / f"{file}.crt"
        certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        return certificate, self._write_key(file, key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = _builder(subject, self._name, key)
        if self._plain:
            return builder
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)

    def _write_key(self, file: str, key: ec.EllipticCurvePrivateKey) -> Path:
        path = self._folder / f"{file}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        return path


def _name(common_name: str, *organisations: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organisations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFETIME)
        .not_valid_after(now + LIFETIME)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
