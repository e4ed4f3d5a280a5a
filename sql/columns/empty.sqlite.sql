-- Forget a result; its pages are used again.
-- kind: exec
DELETE FROM found.{result}
