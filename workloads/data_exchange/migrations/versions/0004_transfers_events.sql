CREATE TABLE exchange_batch (
	id TEXT COLLATE "C" NOT NULL, 
	agreement TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	consumer TEXT COLLATE "C" NOT NULL, 
	title TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	published_at TIMESTAMP WITH TIME ZONE, 
	manifest TEXT DEFAULT '' NOT NULL, 
	wrong JSONB DEFAULT '[]' NOT NULL, 
	position BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_exchange_batch PRIMARY KEY (id), 
	CONSTRAINT ck_exchange_batch_state CHECK (state IN ('open', 'checking', 'published', 'gone'))
);

CREATE INDEX ix_exchange_batch_expires ON exchange_batch (expires_at) WHERE state <> 'gone';

CREATE INDEX ix_exchange_batch_agreement ON exchange_batch (agreement, position);

CREATE TABLE exchange_batch_file (
	id TEXT COLLATE "C" NOT NULL, 
	batch TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	name TEXT COLLATE "C" NOT NULL, 
	alike TEXT COLLATE "C" NOT NULL, 
	size BIGINT, 
	received BIGINT NOT NULL, 
	segments INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	meta TEXT NOT NULL, 
	fence BIGINT NOT NULL, 
	touched_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_batch_file PRIMARY KEY (id), 
	CONSTRAINT uq_exchange_batch_file_batch_alike UNIQUE (batch, alike), 
	CONSTRAINT ck_exchange_batch_file_received CHECK (received >= 0 AND (size IS NULL OR received <= size)), 
	CONSTRAINT fk_exchange_batch_file_batch FOREIGN KEY(batch) REFERENCES exchange_batch (id)
);

CREATE INDEX ix_exchange_batch_file_path ON exchange_batch_file (path);

CREATE TABLE exchange_batch_segment (
	file TEXT COLLATE "C" NOT NULL, 
	start BIGINT NOT NULL, 
	size BIGINT NOT NULL, 
	key TEXT COLLATE "C" NOT NULL, 
	digest BYTEA NOT NULL, 
	CONSTRAINT pk_exchange_batch_segment PRIMARY KEY (file, start), 
	CONSTRAINT fk_exchange_batch_segment_file FOREIGN KEY(file) REFERENCES exchange_batch_file (id), 
	CONSTRAINT uq_exchange_batch_segment_key UNIQUE (key)
);
