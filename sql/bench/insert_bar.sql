-- One bar, as the user of a driver would insert it, again and again.
-- kind: exec
-- timestamps: ts
INSERT INTO bars (series_id, load_id, ts, open, high, low, close, volume)
VALUES (:series_id, :load_id, :ts, :open, :high, :low, :close, :volume)
