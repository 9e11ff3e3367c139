CREATE TABLE exchange_dataspace_offer (
	id TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL,
	dataset TEXT NOT NULL,
	service TEXT NOT NULL,
	agency TEXT COLLATE "C" NOT NULL,
	given JSONB NOT NULL,
	legal_basis TEXT NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	withdrawn_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_exchange_dataspace_offer PRIMARY KEY (id),
	CONSTRAINT fk_exchange_dataspace_offer_agency FOREIGN KEY(agency) REFERENCES exchange_agency (path)
);

CREATE INDEX ix_exchange_dataspace_offer_target ON exchange_dataspace_offer (target);

CREATE TABLE exchange_dataspace_participant (
	id TEXT NOT NULL,
	agency TEXT COLLATE "C" NOT NULL,
	address TEXT NOT NULL,
	account TEXT,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_exchange_dataspace_participant PRIMARY KEY (id),
	CONSTRAINT uq_exchange_dataspace_participant_agency UNIQUE (agency),
	CONSTRAINT fk_exchange_dataspace_participant_agency FOREIGN KEY(agency) REFERENCES exchange_agency (path),
	CONSTRAINT uq_exchange_dataspace_participant_account UNIQUE (account)
);

CREATE TABLE exchange_dataspace_rule (
	kind TEXT NOT NULL,
	role TEXT NOT NULL,
	subject TEXT NOT NULL,
	agency TEXT COLLATE "C" NOT NULL,
	plan JSONB NOT NULL,
	CONSTRAINT pk_exchange_dataspace_rule PRIMARY KEY (kind, role, subject, agency),
	CONSTRAINT fk_exchange_dataspace_rule_agency FOREIGN KEY(agency) REFERENCES exchange_agency (path)
);

CREATE TABLE exchange_dataspace_process (
	id TEXT COLLATE "C" NOT NULL,
	kind TEXT NOT NULL,
	role TEXT NOT NULL,
	peer TEXT NOT NULL,
	peer_pid TEXT NOT NULL,
	callback TEXT NOT NULL,
	agency TEXT COLLATE "C" NOT NULL,
	dataset TEXT NOT NULL,
	offer TEXT NOT NULL,
	agreement TEXT NOT NULL,
	format TEXT NOT NULL,
	state TEXT NOT NULL,
	policy JSONB NOT NULL,
	mine BOOLEAN NOT NULL,
	data JSONB NOT NULL,
	visits JSONB NOT NULL,
	seen TEXT NOT NULL,
	error TEXT NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	version INTEGER NOT NULL,
	CONSTRAINT pk_exchange_dataspace_process PRIMARY KEY (id),
	CONSTRAINT fk_exchange_dataspace_process_peer FOREIGN KEY(peer) REFERENCES exchange_dataspace_participant (id),
	CONSTRAINT fk_exchange_dataspace_process_agency FOREIGN KEY(agency) REFERENCES exchange_agency (path)
);

CREATE INDEX ix_exchange_dataspace_process_agency ON exchange_dataspace_process (agency);

CREATE UNIQUE INDEX ux_exchange_dataspace_process_peer ON exchange_dataspace_process (kind, role, peer, peer_pid) WHERE peer_pid <> '';

CREATE TABLE exchange_dataspace_sending (
	id TEXT NOT NULL,
	process TEXT COLLATE "C" NOT NULL,
	number INTEGER NOT NULL,
	act TEXT NOT NULL,
	first BOOLEAN NOT NULL,
	body JSONB NOT NULL,
	state TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	error TEXT NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	due_at TIMESTAMP WITH TIME ZONE NOT NULL,
	sent_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_exchange_dataspace_sending PRIMARY KEY (id),
	CONSTRAINT uq_exchange_dataspace_sending_process_number UNIQUE (process, number),
	CONSTRAINT fk_exchange_dataspace_sending_process FOREIGN KEY(process) REFERENCES exchange_dataspace_process (id)
);

CREATE INDEX ix_exchange_dataspace_sending_due ON exchange_dataspace_sending (due_at) WHERE state = 'waiting';
