CREATE TABLE exchange_flow (
	grain TEXT COLLATE "C" NOT NULL, 
	start TIMESTAMP WITH TIME ZONE NOT NULL, 
	consumer TEXT COLLATE "C" NOT NULL, 
	provider TEXT COLLATE "C" NOT NULL, 
	service TEXT COLLATE "C" NOT NULL, 
	outcome TEXT COLLATE "C" NOT NULL, 
	step SMALLINT NOT NULL, 
	calls BIGINT NOT NULL, 
	rows BIGINT NOT NULL, 
	size BIGINT NOT NULL, 
	CONSTRAINT pk_exchange_flow PRIMARY KEY (grain, start, consumer, provider, service, outcome, step), 
	CONSTRAINT ck_exchange_flow_grain CHECK (grain IN ('hour', 'day')), 
	CONSTRAINT ck_exchange_flow_outcome CHECK (outcome IN ('answered', 'refused', 'failed'))
);


CREATE TABLE exchange_receipt_archive (
	day DATE NOT NULL, 
	file TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	receipts BIGINT NOT NULL, 
	size BIGINT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_receipt_archive PRIMARY KEY (day)
);

CREATE TABLE exchange_receipt_leaf (
	log TEXT COLLATE "C" NOT NULL, 
	number INTEGER NOT NULL, 
	hashes BYTEA NOT NULL, 
	CONSTRAINT pk_exchange_receipt_leaf PRIMARY KEY (log, number)
);
