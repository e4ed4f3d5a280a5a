"""``python -m jutsu_sql`` is the command ``jutsu-sql``."""

from jutsu_sql.cli import main

main(prog_name="jutsu-sql")
