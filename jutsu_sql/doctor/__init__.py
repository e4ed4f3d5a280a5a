"""What is wrong with a configuration and its database, and what to do about it."""

from jutsu_sql.doctor.examine import examine
from jutsu_sql.doctor.findings import Finding, Severity

__all__ = ["Finding", "Severity", "examine"]
