CREATE TABLE teas (name TEXT PRIMARY KEY, minutes INTEGER NOT NULL);
INSERT INTO teas VALUES ('Assam', 4), ('Darjeeling', 3), ('Sencha', 2);
