CREATE TABLE access_attempt (
	key TEXT NOT NULL, 
	count INTEGER NOT NULL, 
	began_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_access_attempt PRIMARY KEY (key)
);

CREATE INDEX ix_access_attempt_began_at ON access_attempt (began_at);

CREATE TABLE access_audit (
	seq BIGINT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_name TEXT NOT NULL, 
	action TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	path TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	detail JSONB NOT NULL, 
	prev TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	key TEXT, 
	CONSTRAINT pk_access_audit PRIMARY KEY (seq), 
	CONSTRAINT ck_access_audit_outcome CHECK (outcome IN ('done', 'refused', 'failed')), 
	CONSTRAINT uq_access_audit_key UNIQUE (key)
);

CREATE INDEX ix_access_audit_actor_id ON access_audit (actor_id, seq);

CREATE INDEX ix_access_audit_path ON access_audit (path text_pattern_ops, seq);

CREATE INDEX ix_access_audit_subject ON access_audit (subject, seq);

CREATE OR REPLACE FUNCTION access_audit_append_only() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is append-only';
    END
    $$;

CREATE OR REPLACE TRIGGER access_audit_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON access_audit
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_append_only();

CREATE TABLE access_audit_head (
	one BOOLEAN NOT NULL, 
	seq BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	seal TEXT NOT NULL, 
	CONSTRAINT pk_access_audit_head PRIMARY KEY (one), 
	CONSTRAINT ck_access_audit_head_one CHECK (one)
);

INSERT INTO access_audit_head (one, seq, hash, seal) VALUES (true, 0, '0000000000000000000000000000000000000000000000000000000000000000', '')
    ON CONFLICT DO NOTHING;

CREATE TABLE access_exchanged (
	issuer_id TEXT NOT NULL, 
	token_hash TEXT NOT NULL, 
	until TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_access_exchanged PRIMARY KEY (issuer_id, token_hash)
);

CREATE INDEX ix_access_exchanged_until ON access_exchanged (until);

CREATE TABLE access_issuer (
	id TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	url TEXT NOT NULL, 
	audience TEXT NOT NULL, 
	keys JSONB, 
	created_by TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_access_issuer PRIMARY KEY (id), 
	CONSTRAINT uq_access_issuer_slug UNIQUE (slug), 
	CONSTRAINT uq_access_issuer_url UNIQUE (url)
);

CREATE TABLE access_principal (
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	login TEXT NOT NULL, 
	name TEXT NOT NULL, 
	email TEXT DEFAULT '' NOT NULL, 
	path TEXT NOT NULL, 
	state TEXT NOT NULL, 
	password_hash TEXT, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	version INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_access_principal PRIMARY KEY (id), 
	CONSTRAINT ck_access_principal_kind CHECK (kind IN ('person', 'service')), 
	CONSTRAINT ck_access_principal_state CHECK (state IN ('active', 'disabled')), 
	CONSTRAINT uq_access_principal_login UNIQUE (login)
);

CREATE INDEX ix_access_principal_path ON access_principal (path text_pattern_ops);

CREATE TABLE kernel_outbox (
	id TEXT NOT NULL, 
	position BIGINT GENERATED ALWAYS AS IDENTITY, 
	topic TEXT NOT NULL, 
	payload JSONB NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	delivered_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_kernel_outbox PRIMARY KEY (id)
);

CREATE INDEX ix_kernel_outbox_pending ON kernel_outbox (position) WHERE delivered_at IS NULL;

CREATE TABLE operations_operation (
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	path TEXT NOT NULL, 
	key TEXT, 
	state TEXT NOT NULL, 
	inputs JSONB NOT NULL, 
	requested_by TEXT NOT NULL, 
	requested_name TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	crashes INTEGER DEFAULT '0' NOT NULL, 
	worker TEXT, 
	cancel_requested_at TIMESTAMP WITH TIME ZONE, 
	progress FLOAT DEFAULT '0' NOT NULL, 
	expected_seconds FLOAT, 
	seconds FLOAT, 
	began_at TIMESTAMP WITH TIME ZONE, 
	result JSONB, 
	error JSONB, 
	last_seq INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_operations_operation PRIMARY KEY (id), 
	CONSTRAINT ck_operations_operation_state CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'stuck')), 
	CONSTRAINT ck_operations_operation_worker CHECK ((worker IS NOT NULL) = (state = 'running')), 
	CONSTRAINT uq_operations_operation_key UNIQUE (key)
);

CREATE INDEX ix_operations_operation_kind ON operations_operation (kind, ended_at);

CREATE INDEX ix_operations_operation_open ON operations_operation (state, id) WHERE state IN ('queued', 'running', 'stuck');

CREATE INDEX ix_operations_operation_path ON operations_operation (path text_pattern_ops, id);

CREATE INDEX ix_operations_operation_subject ON operations_operation (subject, id);

CREATE TABLE operations_schedule (
	name TEXT NOT NULL, 
	next_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	worker TEXT, 
	error TEXT, 
	CONSTRAINT pk_operations_schedule PRIMARY KEY (name)
);

CREATE TABLE operations_worker (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	machine TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	pid_started BIGINT NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	heartbeat_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	stopped_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_operations_worker PRIMARY KEY (id)
);

CREATE TABLE surface_idempotency (
	principal TEXT NOT NULL, 
	key TEXT NOT NULL, 
	route TEXT NOT NULL, 
	request_hash TEXT NOT NULL, 
	claimed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	status INTEGER, 
	headers JSON, 
	body TEXT, 
	CONSTRAINT pk_surface_idempotency PRIMARY KEY (principal, key, route)
);

CREATE INDEX ix_surface_idempotency_expires_at ON surface_idempotency (expires_at);

CREATE TABLE access_grant (
	id TEXT NOT NULL, 
	principal_id TEXT NOT NULL, 
	role TEXT NOT NULL, 
	path TEXT NOT NULL, 
	granted_by TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_access_grant PRIMARY KEY (id), 
	CONSTRAINT uq_access_grant_principal_id_role_path UNIQUE (principal_id, role, path), 
	CONSTRAINT fk_access_grant_principal_id FOREIGN KEY(principal_id) REFERENCES access_principal (id)
);

CREATE INDEX ix_access_grant_path ON access_grant (path text_pattern_ops);

CREATE TABLE access_identity_rule (
	id TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	issuer_id TEXT NOT NULL, 
	match JSONB NOT NULL, 
	account_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	roles TEXT[] NOT NULL, 
	scopes TEXT[], 
	life_seconds INTEGER NOT NULL, 
	created_by TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_access_identity_rule PRIMARY KEY (id), 
	CONSTRAINT ck_access_identity_rule_life CHECK (life_seconds BETWEEN 60 AND 900), 
	CONSTRAINT uq_access_identity_rule_slug UNIQUE (slug), 
	CONSTRAINT fk_access_identity_rule_issuer_id FOREIGN KEY(issuer_id) REFERENCES access_issuer (id), 
	CONSTRAINT fk_access_identity_rule_account_id FOREIGN KEY(account_id) REFERENCES access_principal (id)
);

CREATE INDEX ix_access_identity_rule_issuer_id ON access_identity_rule (issuer_id);

CREATE INDEX ix_access_identity_rule_path ON access_identity_rule (path text_pattern_ops);

CREATE TABLE access_session (
	id TEXT NOT NULL, 
	secret_hash TEXT NOT NULL, 
	principal_id TEXT NOT NULL, 
	csrf_token TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_access_session PRIMARY KEY (id), 
	CONSTRAINT uq_access_session_secret_hash UNIQUE (secret_hash), 
	CONSTRAINT fk_access_session_principal_id FOREIGN KEY(principal_id) REFERENCES access_principal (id)
);

CREATE INDEX ix_access_session_last_seen_at ON access_session (last_seen_at);

CREATE INDEX ix_access_session_principal_id ON access_session (principal_id);

CREATE TABLE access_token (
	id TEXT NOT NULL, 
	secret_hash TEXT NOT NULL, 
	principal_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	hint TEXT NOT NULL, 
	scopes TEXT[], 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	last_used_at TIMESTAMP WITH TIME ZONE, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_access_token PRIMARY KEY (id), 
	CONSTRAINT uq_access_token_secret_hash UNIQUE (secret_hash), 
	CONSTRAINT fk_access_token_principal_id FOREIGN KEY(principal_id) REFERENCES access_principal (id)
);

CREATE INDEX ix_access_token_principal_id ON access_token (principal_id);

CREATE TABLE operations_event (
	operation_id TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	type TEXT NOT NULL, 
	data JSONB NOT NULL, 
	CONSTRAINT pk_operations_event PRIMARY KEY (operation_id, seq), 
	CONSTRAINT fk_operations_event_operation_id FOREIGN KEY(operation_id) REFERENCES operations_operation (id)
);

CREATE TABLE operations_step (
	operation_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	runs INTEGER DEFAULT '0' NOT NULL, 
	error JSONB, 
	CONSTRAINT pk_operations_step PRIMARY KEY (operation_id, name), 
	CONSTRAINT ck_operations_step_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'skipped')), 
	CONSTRAINT fk_operations_step_operation_id FOREIGN KEY(operation_id) REFERENCES operations_operation (id)
);

CREATE TABLE exchange_agency (
	path TEXT COLLATE "C" NOT NULL, 
	id TEXT NOT NULL, 
	name JSONB NOT NULL, 
	level TEXT NOT NULL, 
	code TEXT DEFAULT '' NOT NULL, 
	external TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_exchange_agency PRIMARY KEY (path), 
	CONSTRAINT uq_exchange_agency_id UNIQUE (id)
);

CREATE TABLE exchange_key (
	kid TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	public BYTEA NOT NULL, 
	sealed TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	not_after TIMESTAMP WITH TIME ZONE, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	reason TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_exchange_key PRIMARY KEY (kid)
);

CREATE INDEX ix_exchange_key_path ON exchange_key (path, created_at);

CREATE TABLE exchange_ledger (
	pseudonym TEXT COLLATE "C" NOT NULL, 
	key TEXT COLLATE "C" NOT NULL, 
	purpose TEXT COLLATE "C" NOT NULL, 
	asker TEXT COLLATE "C" NOT NULL, 
	service TEXT NOT NULL, 
	basis TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_ledger PRIMARY KEY (pseudonym, key)
);

CREATE INDEX ix_exchange_ledger_purpose ON exchange_ledger (purpose);

CREATE TABLE exchange_ledger_code (
	digest TEXT NOT NULL, 
	sealed TEXT NOT NULL, 
	until TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_ledger_code PRIMARY KEY (digest)
);

CREATE TABLE exchange_ledger_secret (
	id INTEGER NOT NULL, 
	sealed TEXT NOT NULL, 
	CONSTRAINT pk_exchange_ledger_secret PRIMARY KEY (id)
);

CREATE TABLE exchange_scenario (
	name TEXT COLLATE "C" NOT NULL, 
	version INTEGER NOT NULL, 
	data JSONB NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_scenario PRIMARY KEY (name, version)
);

CREATE TABLE exchange_usage_event (
	id TEXT NOT NULL, 
	payload JSONB NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	pushed_at TIMESTAMP WITH TIME ZONE, 
	outcome TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_exchange_usage_event PRIMARY KEY (id)
);

CREATE INDEX ix_exchange_usage_event_waiting ON exchange_usage_event (created_at, id) WHERE pushed_at IS NULL;

CREATE TABLE exchange_usage_hour (
	hour TIMESTAMP WITH TIME ZONE NOT NULL, 
	meter TEXT COLLATE "C" NOT NULL, 
	dimensions TEXT COLLATE "C" NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	quantity NUMERIC NOT NULL, 
	told NUMERIC DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_exchange_usage_hour PRIMARY KEY (hour, meter, dimensions)
);

CREATE INDEX ix_exchange_usage_hour_untold ON exchange_usage_hour (hour) WHERE quantity > told;

CREATE TABLE exchange_usage_standing (
	meter TEXT NOT NULL, 
	counted_until TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_usage_standing PRIMARY KEY (meter)
);

CREATE TABLE exchange_check (
	id TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	scenario TEXT COLLATE "C" NOT NULL, 
	version INTEGER NOT NULL, 
	sealed TEXT NOT NULL, 
	state TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	reasons JSONB NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	limit_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_check PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_check_scenario_version FOREIGN KEY(scenario, version) REFERENCES exchange_scenario (name, version)
);

CREATE INDEX exchange_check_open ON exchange_check (limit_at) WHERE state = 'asking';

CREATE TABLE exchange_check_consent (
	check_id TEXT COLLATE "C" NOT NULL, 
	person INTEGER NOT NULL, 
	token TEXT NOT NULL, 
	state TEXT NOT NULL, 
	decided_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_exchange_check_consent PRIMARY KEY (check_id, person), 
	CONSTRAINT fk_exchange_check_consent_check_id FOREIGN KEY(check_id) REFERENCES exchange_check (id), 
	CONSTRAINT uq_exchange_check_consent_token UNIQUE (token)
);

CREATE TABLE exchange_check_question (
	check_id TEXT COLLATE "C" NOT NULL, 
	name TEXT COLLATE "C" NOT NULL, 
	position INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	findings JSONB NOT NULL, 
	receipt TEXT DEFAULT '' NOT NULL, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	answered_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_exchange_check_question PRIMARY KEY (check_id, name), 
	CONSTRAINT fk_exchange_check_question_check_id FOREIGN KEY(check_id) REFERENCES exchange_check (id)
);

CREATE INDEX exchange_check_question_due ON exchange_check_question (due_at) WHERE state='waiting';
