-- Processes of the release before write none of it.
ALTER TABLE exchange_check_consent ADD COLUMN statement JSONB DEFAULT '{}' NOT NULL;
ALTER TABLE exchange_check_question ADD COLUMN provider TEXT DEFAULT '' NOT NULL;
ALTER TABLE exchange_check_question ADD COLUMN round INTEGER DEFAULT '1' NOT NULL;
ALTER TABLE exchange_check_question ADD COLUMN why TEXT DEFAULT '' NOT NULL;
ALTER TABLE exchange_ledger_code ADD COLUMN kind TEXT DEFAULT 'code' NOT NULL;
ALTER TABLE exchange_lottery_application ADD COLUMN check_id TEXT DEFAULT '' NOT NULL;

CREATE INDEX exchange_check_consenting ON exchange_check (limit_at) WHERE state = 'consent';

CREATE INDEX exchange_lottery_application_check ON exchange_lottery_application (check_id) WHERE check_id <> '';

CREATE TABLE exchange_check_connection (
	name TEXT COLLATE "C" NOT NULL,
	service TEXT COLLATE "C" NOT NULL,
	path TEXT NOT NULL,
	CONSTRAINT pk_exchange_check_connection PRIMARY KEY (name)
);

CREATE TABLE exchange_correction (
	id TEXT COLLATE "C" NOT NULL,
	check_id TEXT COLLATE "C" NOT NULL,
	question TEXT NOT NULL,
	person INTEGER NOT NULL,
	asker TEXT COLLATE "C" NOT NULL,
	provider TEXT COLLATE "C" NOT NULL,
	service TEXT NOT NULL,
	receipt TEXT NOT NULL,
	by TEXT NOT NULL,
	sealed TEXT NOT NULL,
	state TEXT NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	due_at TIMESTAMP WITH TIME ZONE NOT NULL,
	escalated_at TIMESTAMP WITH TIME ZONE,
	answer TEXT NOT NULL,
	decided_at TIMESTAMP WITH TIME ZONE,
	decided_by TEXT NOT NULL,
	CONSTRAINT pk_exchange_correction PRIMARY KEY (id),
	CONSTRAINT fk_exchange_correction_check_id FOREIGN KEY(check_id) REFERENCES exchange_check (id)
);

CREATE INDEX exchange_correction_open ON exchange_correction (due_at) WHERE state = 'open';

CREATE INDEX ix_exchange_correction_check_id ON exchange_correction (check_id);
