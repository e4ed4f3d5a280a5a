-- Where the rows of a result go. Columns without a type keep values as they are: a double takes
-- eight bytes, whole or not.
-- kind: exec
CREATE TABLE IF NOT EXISTS found.{result} ({columns})
