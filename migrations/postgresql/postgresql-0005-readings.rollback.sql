DROP TABLE IF EXISTS load_readings;
