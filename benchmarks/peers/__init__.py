"""Other ways of moving bars between columns and SQL, measured beside the toolkit in one run.

``python -m benchmarks.peers write`` loads the same bars with each of them and with
:meth:`jutsu_sql.BarStore.write` in turn; ``read`` reads the same bars with each of them and with
:meth:`jutsu_sql.BarStore.read`. Both write a table and a chart. A peer is one small function in the
module of its engine; what they all share is in ``peer`` and ``shapes``.
"""
