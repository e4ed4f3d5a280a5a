-- The rows of a result, without a Python object a value.
-- kind: exec
INSERT INTO found.{result} {rows}
