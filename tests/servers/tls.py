"""Certificates for a Redis that speaks TLS on 127.0.0.1, of an authority made for the occasion."""

from pathlib import Path

import trustme

from pipelines.local.redis import TlsFiles


def make_tls_files(folder: Path, name: str = "127.0.0.1") -> TlsFiles:
    """A certificate for `name`, its key, and the authority's certificate, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert(name)
    files = TlsFiles(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(files.certificate)
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.ca)
    return files
