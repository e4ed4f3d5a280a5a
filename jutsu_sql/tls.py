"""Whether a connection to another machine is safe from who stands in between."""

from __future__ import annotations

import ipaddress

_VERIFYING = {"verify-ca", "verify-full"}


def find_tls_weakness(conninfo: str) -> tuple[str, str] | None:
    """What is wrong with the encryption that libpq's connection string asks for, and the remedy.

    Its defaults, those of the environment (``PGSSLMODE``) and of a service count as given. Unix
    sockets and this machine's own addresses need no encryption.
    """
    if not conninfo:
        return None
    import psycopg

    options = psycopg.pq.Conninfo.get_defaults() + psycopg.pq.Conninfo.parse(conninfo.encode())
    given = {option.keyword.decode(): option.val.decode() for option in options if option.val}
    remote = [
        host
        for host in (given.get("hostaddr") or given.get("host") or "").split(",")
        if not _is_local(host)
    ]
    is_verified = (
        given.get("sslmode") in _VERIFYING
        or given.get("sslrootcert") == "system"  # with which libpq refuses a weaker mode
        or given.get("gssencmode") == "require"
    )
    if is_verified or not remote:
        return None
    return (
        f"sslmode={given.get('sslmode')} does not verify the certificate of {', '.join(remote)}:"
        " whoever stands in between can read and change what is sent, the password included",
        "use sslmode=verify-full with sslrootcert=FILE, or sslrootcert=system (docs/security.md)",
    )


def _is_local(host: str) -> bool:
    if host == "localhost" or host.startswith(("/", "@")) or not host:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
