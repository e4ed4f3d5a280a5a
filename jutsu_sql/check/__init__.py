"""Every query proven on both engines before it runs: compiled, compared, and never believed.

Engines tell what they see (:mod:`jutsu_sql.dialects.checker`); here it is only compared.
"""
