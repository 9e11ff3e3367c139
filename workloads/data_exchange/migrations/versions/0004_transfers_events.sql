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

CREATE INDEX ix_exchange_batch_agreement ON exchange_batch (agreement, position);

CREATE INDEX ix_exchange_batch_expires ON exchange_batch (expires_at) WHERE state <> 'gone';

CREATE TABLE exchange_event_log (
	topic TEXT COLLATE "C" NOT NULL, 
	partition INTEGER NOT NULL, 
	position BIGINT NOT NULL, 
	source TEXT COLLATE "C" NOT NULL, 
	id TEXT COLLATE "C" NOT NULL, 
	key TEXT COLLATE "C" NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	envelope TEXT NOT NULL, 
	CONSTRAINT pk_exchange_event_log PRIMARY KEY (topic, partition, position), 
	CONSTRAINT uq_exchange_event_log_topic_source_id UNIQUE (topic, source, id)
);

CREATE INDEX ix_exchange_event_log_at ON exchange_event_log (topic, at);

CREATE TABLE exchange_event_topic (
	service TEXT COLLATE "C" NOT NULL, 
	dataset TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	partitions INTEGER NOT NULL, 
	retention_days INTEGER NOT NULL, 
	bytes_max BIGINT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_event_topic PRIMARY KEY (service)
);

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

CREATE TABLE exchange_event_partition (
	topic TEXT COLLATE "C" NOT NULL, 
	partition INTEGER NOT NULL, 
	head BIGINT DEFAULT '0' NOT NULL, 
	floor BIGINT DEFAULT '0' NOT NULL, 
	bytes BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_exchange_event_partition PRIMARY KEY (topic, partition), 
	CONSTRAINT fk_exchange_event_partition_topic FOREIGN KEY(topic) REFERENCES exchange_event_topic (service)
);

CREATE TABLE exchange_event_subscription (
	id TEXT COLLATE "C" NOT NULL, 
	agreement TEXT COLLATE "C" NOT NULL, 
	topic TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	provider TEXT COLLATE "C" NOT NULL, 
	purpose TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	url TEXT NOT NULL, 
	sealed TEXT NOT NULL, 
	state TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	missed BIGINT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_event_subscription PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_event_subscription_topic FOREIGN KEY(topic) REFERENCES exchange_event_topic (service)
);

CREATE INDEX ix_exchange_event_subscription_topic ON exchange_event_subscription (topic);

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

CREATE TABLE exchange_event_cursor (
	subscription TEXT COLLATE "C" NOT NULL, 
	partition INTEGER NOT NULL, 
	acked BIGINT NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	fence BIGINT DEFAULT '0' NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	cause TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_exchange_event_cursor PRIMARY KEY (subscription, partition), 
	CONSTRAINT fk_exchange_event_cursor_subscription FOREIGN KEY(subscription) REFERENCES exchange_event_subscription (id)
);

CREATE TABLE exchange_event_letter (
	subscription TEXT COLLATE "C" NOT NULL, 
	partition INTEGER NOT NULL, 
	position BIGINT NOT NULL, 
	event TEXT COLLATE "C" NOT NULL, 
	key TEXT COLLATE "C" NOT NULL, 
	cause TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	again BOOLEAN NOT NULL, 
	CONSTRAINT pk_exchange_event_letter PRIMARY KEY (subscription, partition, position), 
	CONSTRAINT fk_exchange_event_letter_subscription FOREIGN KEY(subscription) REFERENCES exchange_event_subscription (id)
);

CREATE INDEX ix_exchange_event_letter_key ON exchange_event_letter (subscription, key);
