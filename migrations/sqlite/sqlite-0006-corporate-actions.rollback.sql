DROP TABLE IF EXISTS corporate_actions;
