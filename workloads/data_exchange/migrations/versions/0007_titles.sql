CREATE TABLE exchange_entry_title (
	entry_id TEXT COLLATE "C" NOT NULL, 
	modified_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	titles TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	terms TSVECTOR NOT NULL, 
	CONSTRAINT pk_exchange_entry_title PRIMARY KEY (entry_id), 
	CONSTRAINT fk_exchange_entry_title_entry_id FOREIGN KEY(entry_id) REFERENCES exchange_entry (id) ON DELETE CASCADE
);

INSERT INTO exchange_entry_title (entry_id, modified_at, titles, size, terms)
SELECT entry_id, modified_at, titles, greatest(length(title_terms), 1),
    strip(title_terms) || array_to_tsvector(facets)
FROM exchange_entry_index ORDER BY modified_at, entry_id;

CREATE INDEX ix_exchange_entry_title_terms ON exchange_entry_title USING gin (terms);
CREATE INDEX ix_exchange_entry_title_modified_at ON exchange_entry_title (modified_at, entry_id);

ALTER TABLE exchange_entry_index DROP COLUMN titles, DROP COLUMN title_terms,
    ALTER COLUMN facets TYPE TEXT USING array_to_string(facets, chr(31));
