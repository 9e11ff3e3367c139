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

CREATE TABLE exchange_calendar (
	id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	data JSONB NOT NULL, 
	CONSTRAINT pk_exchange_calendar PRIMARY KEY (id)
);

CREATE TABLE exchange_checkpoint (
	number BIGINT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	signed TEXT NOT NULL, 
	CONSTRAINT pk_exchange_checkpoint PRIMARY KEY (number)
);

CREATE TABLE exchange_checkpoint_head (
	log TEXT COLLATE "C" NOT NULL, 
	number BIGINT NOT NULL, 
	size INTEGER NOT NULL, 
	CONSTRAINT pk_exchange_checkpoint_head PRIMARY KEY (log, number)
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

CREATE TABLE exchange_later (
	id TEXT COLLATE "C" NOT NULL, 
	agreement TEXT NOT NULL, 
	key TEXT NOT NULL, 
	due TIMESTAMP WITH TIME ZONE NOT NULL, 
	until TIMESTAMP WITH TIME ZONE NOT NULL, 
	answer TEXT, 
	CONSTRAINT pk_exchange_later PRIMARY KEY (id)
);

CREATE INDEX ix_exchange_later_until ON exchange_later (until);

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

CREATE TABLE exchange_lottery (
	id TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	rules JSONB NOT NULL, 
	state TEXT NOT NULL, 
	sealed TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	round INTEGER NOT NULL, 
	reveal_until TIMESTAMP WITH TIME ZONE, 
	opening TEXT NOT NULL, 
	frozen TEXT NOT NULL, 
	voids JSONB NOT NULL, 
	beacon TEXT NOT NULL, 
	result TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_exchange_lottery PRIMARY KEY (id)
);

CREATE INDEX ix_exchange_lottery_state ON exchange_lottery (state, reveal_until);

CREATE TABLE exchange_receipt (
	day DATE NOT NULL, 
	log TEXT COLLATE "C" NOT NULL, 
	number INTEGER NOT NULL, 
	agreement TEXT COLLATE "C" NOT NULL, 
	sequence INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	consumer TEXT COLLATE "C" NOT NULL, 
	provider TEXT COLLATE "C" NOT NULL, 
	previous TEXT NOT NULL, 
	body TEXT NOT NULL, 
	proof TEXT NOT NULL, 
	hash BYTEA NOT NULL, 
	CONSTRAINT pk_exchange_receipt PRIMARY KEY (day, log, number)
)
 PARTITION BY RANGE (day);

CREATE INDEX ix_exchange_receipt_agreement ON exchange_receipt (agreement, at, log, number);

CREATE TABLE exchange_receipt_rest PARTITION OF exchange_receipt DEFAULT;

CREATE OR REPLACE FUNCTION exchange_receipt_stays() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.proof = '' AND to_jsonb(NEW) - 'proof' = to_jsonb(OLD) - 'proof' THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'receipts are only added';
    END
    $$;
CREATE TRIGGER exchange_receipt_kept BEFORE UPDATE OR DELETE ON exchange_receipt FOR EACH ROW EXECUTE FUNCTION exchange_receipt_stays();
CREATE TRIGGER exchange_receipt_whole BEFORE TRUNCATE ON exchange_receipt FOR EACH STATEMENT EXECUTE FUNCTION exchange_receipt_stays();

CREATE TABLE exchange_receipt_log (
	log TEXT COLLATE "C" NOT NULL, 
	opened_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	size INTEGER DEFAULT '0' NOT NULL, 
	peaks BYTEA[] DEFAULT '{}' NOT NULL, 
	checkpoint BIGINT DEFAULT '0' NOT NULL, 
	closed BOOLEAN DEFAULT false NOT NULL, 
	CONSTRAINT pk_exchange_receipt_log PRIMARY KEY (log)
);

CREATE INDEX ix_exchange_receipt_log_open ON exchange_receipt_log (log) WHERE NOT closed;

CREATE TABLE exchange_receipt_node (
	log TEXT COLLATE "C" NOT NULL, 
	number INTEGER NOT NULL, 
	hash BYTEA NOT NULL, 
	CONSTRAINT pk_exchange_receipt_node PRIMARY KEY (log, number)
);

CREATE TABLE exchange_request_seen (
	request BYTEA NOT NULL, 
	until TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_request_seen PRIMARY KEY (request)
);

CREATE INDEX ix_exchange_request_seen_until ON exchange_request_seen (until);

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

CREATE TABLE exchange_use (
	agreement TEXT COLLATE "C" NOT NULL, 
	what TEXT NOT NULL, 
	period TEXT NOT NULL, 
	used BIGINT NOT NULL, 
	CONSTRAINT pk_exchange_use PRIMARY KEY (agreement, what, period), 
	CONSTRAINT ck_exchange_use_what CHECK (what IN ('calls', 'rows')), 
	CONSTRAINT ck_exchange_use_used CHECK (used >= 0)
);

CREATE TABLE exchange_agreement (
	id TEXT COLLATE "C" NOT NULL, 
	provider TEXT COLLATE "C" NOT NULL, 
	consumer TEXT COLLATE "C" NOT NULL, 
	dataset TEXT NOT NULL, 
	service TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	latest INTEGER NOT NULL, 
	current INTEGER, 
	begins TIMESTAMP WITH TIME ZONE NOT NULL, 
	ends TIMESTAMP WITH TIME ZONE NOT NULL, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	revoked_by TEXT, 
	reason TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	ended_told BOOLEAN NOT NULL, 
	CONSTRAINT pk_exchange_agreement PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_agreement_provider FOREIGN KEY(provider) REFERENCES exchange_agency (path), 
	CONSTRAINT fk_exchange_agreement_consumer FOREIGN KEY(consumer) REFERENCES exchange_agency (path)
);

CREATE INDEX ix_exchange_agreement_consumer ON exchange_agreement (consumer);

CREATE INDEX ix_exchange_agreement_position ON exchange_agreement (position);

CREATE INDEX ix_exchange_agreement_provider ON exchange_agreement (provider);

CREATE TABLE exchange_catalog (
	id TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	level TEXT NOT NULL, 
	title JSONB NOT NULL, 
	description JSONB NOT NULL, 
	homepage TEXT NOT NULL, 
	publisher TEXT NOT NULL, 
	CONSTRAINT pk_exchange_catalog PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_catalog_path FOREIGN KEY(path) REFERENCES exchange_agency (path)
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

CREATE TABLE exchange_lottery_application (
	lottery TEXT COLLATE "C" NOT NULL, 
	pseudonym TEXT COLLATE "C" NOT NULL, 
	pool TEXT NOT NULL, 
	chances INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	standing TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	judged_by TEXT NOT NULL, 
	CONSTRAINT pk_exchange_lottery_application PRIMARY KEY (lottery, pseudonym), 
	CONSTRAINT fk_exchange_lottery_application_lottery FOREIGN KEY(lottery) REFERENCES exchange_lottery (id)
);

CREATE TABLE exchange_lottery_word (
	lottery TEXT COLLATE "C" NOT NULL, 
	round INTEGER NOT NULL, 
	party TEXT COLLATE "C" NOT NULL, 
	commitment TEXT NOT NULL, 
	reveal TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_exchange_lottery_word PRIMARY KEY (lottery, round, party), 
	CONSTRAINT fk_exchange_lottery_word_lottery FOREIGN KEY(lottery) REFERENCES exchange_lottery (id)
);

CREATE TABLE exchange_request (
	id TEXT COLLATE "C" NOT NULL, 
	consumer TEXT COLLATE "C" NOT NULL, 
	provider TEXT COLLATE "C" NOT NULL, 
	arbiter TEXT COLLATE "C" NOT NULL, 
	dataset TEXT NOT NULL, 
	service TEXT NOT NULL, 
	ask JSONB NOT NULL, 
	offer JSONB, 
	legal_basis TEXT NOT NULL, 
	justification TEXT NOT NULL, 
	amends TEXT NOT NULL, 
	agreement TEXT NOT NULL, 
	state TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	days INTEGER NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE, 
	refused_by TEXT, 
	review_days INTEGER, 
	escalated_at TIMESTAMP WITH TIME ZONE, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_exchange_request PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_request_consumer FOREIGN KEY(consumer) REFERENCES exchange_agency (path), 
	CONSTRAINT fk_exchange_request_provider FOREIGN KEY(provider) REFERENCES exchange_agency (path)
);

CREATE INDEX ix_exchange_request_consumer ON exchange_request (consumer);

CREATE INDEX ix_exchange_request_due ON exchange_request (due_at, id);

CREATE INDEX ix_exchange_request_provider ON exchange_request (provider);

CREATE TABLE exchange_agreement_version (
	agreement TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	policy TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	answers TEXT, 
	request TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	in_force_at TIMESTAMP WITH TIME ZONE, 
	record TEXT NOT NULL, 
	CONSTRAINT pk_exchange_agreement_version PRIMARY KEY (agreement, number), 
	CONSTRAINT fk_exchange_agreement_version_agreement FOREIGN KEY(agreement) REFERENCES exchange_agreement (id)
);

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

CREATE TABLE exchange_entry (
	id TEXT COLLATE "C" NOT NULL, 
	kind TEXT NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	level TEXT NOT NULL, 
	state TEXT NOT NULL, 
	work TEXT NOT NULL, 
	draft JSONB, 
	shown JSONB, 
	version INTEGER NOT NULL, 
	authors TEXT[] NOT NULL, 
	note TEXT NOT NULL, 
	catalog TEXT, 
	origin JSONB, 
	revision INTEGER NOT NULL, 
	archived_by TEXT NOT NULL, 
	has_secret BOOLEAN NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	issued_at TIMESTAMP WITH TIME ZONE, 
	modified_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_exchange_entry PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_entry_path FOREIGN KEY(path) REFERENCES exchange_agency (path), 
	CONSTRAINT fk_exchange_entry_catalog FOREIGN KEY(catalog) REFERENCES exchange_catalog (id)
);

CREATE INDEX ix_exchange_entry_catalog ON exchange_entry (catalog, id);

CREATE INDEX ix_exchange_entry_path ON exchange_entry (path, id);

CREATE INDEX ix_exchange_entry_series ON exchange_entry ((shown ->> 'series')) WHERE shown ->> 'series' <> '';

CREATE INDEX ix_exchange_entry_serves ON exchange_entry USING gin ((shown -> 'serves')) WHERE kind = 'service';

CREATE INDEX ix_exchange_entry_work ON exchange_entry (path, id) WHERE work <> 'none';

CREATE TABLE exchange_harvest_source (
	id TEXT COLLATE "C" NOT NULL, 
	catalog TEXT NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	level TEXT NOT NULL, 
	protocol TEXT NOT NULL, 
	url TEXT NOT NULL, 
	hours INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	sealed TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	next_at TIMESTAMP WITH TIME ZONE, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_exchange_harvest_source PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_harvest_source_catalog FOREIGN KEY(catalog) REFERENCES exchange_catalog (id), 
	CONSTRAINT uq_exchange_harvest_source_url UNIQUE (url)
);

CREATE TABLE exchange_request_step (
	request TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	actor TEXT NOT NULL, 
	name TEXT NOT NULL, 
	side TEXT NOT NULL, 
	act TEXT NOT NULL, 
	before TEXT NOT NULL, 
	after TEXT NOT NULL, 
	text TEXT NOT NULL, 
	offer JSONB, 
	late BOOLEAN NOT NULL, 
	CONSTRAINT pk_exchange_request_step PRIMARY KEY (request, number), 
	CONSTRAINT fk_exchange_request_step_request FOREIGN KEY(request) REFERENCES exchange_request (id)
);

CREATE FUNCTION exchange_request_step_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'steps of requests are only added'; END $$;

CREATE TRIGGER exchange_request_step_kept BEFORE UPDATE OR DELETE ON exchange_request_step FOR EACH ROW EXECUTE FUNCTION exchange_request_step_kept();
CREATE TRIGGER exchange_request_step_whole BEFORE TRUNCATE ON exchange_request_step FOR EACH STATEMENT EXECUTE FUNCTION exchange_request_step_kept();

CREATE TABLE exchange_agreement_signature (
	agreement TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	party TEXT NOT NULL, 
	jws TEXT NOT NULL, 
	kid TEXT COLLATE "C" NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	by TEXT NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT pk_exchange_agreement_signature PRIMARY KEY (agreement, number, party), 
	CONSTRAINT fk_exchange_agreement_signature_agreement_number FOREIGN KEY(agreement, number) REFERENCES exchange_agreement_version (agreement, number), 
	CONSTRAINT fk_exchange_agreement_signature_kid FOREIGN KEY(kid) REFERENCES exchange_key (kid)
);

CREATE FUNCTION exchange_agreement_signature_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'signatures are only added'; END $$;

CREATE TRIGGER exchange_agreement_signature_kept BEFORE UPDATE OR DELETE ON exchange_agreement_signature FOR EACH ROW EXECUTE FUNCTION exchange_agreement_signature_kept();
CREATE TRIGGER exchange_agreement_signature_whole BEFORE TRUNCATE ON exchange_agreement_signature FOR EACH STATEMENT EXECUTE FUNCTION exchange_agreement_signature_kept();

CREATE TABLE exchange_destruction (
	entry_id TEXT COLLATE "C" NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	jws TEXT NOT NULL, 
	CONSTRAINT pk_exchange_destruction PRIMARY KEY (entry_id), 
	CONSTRAINT fk_exchange_destruction_entry_id FOREIGN KEY(entry_id) REFERENCES exchange_entry (id)
);

CREATE TABLE exchange_entry_index (
	entry_id TEXT COLLATE "C" NOT NULL, 
	modified_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	titles TEXT NOT NULL, 
	title_terms TSVECTOR NOT NULL, 
	terms TSVECTOR NOT NULL, 
	facets TEXT[] NOT NULL, 
	CONSTRAINT pk_exchange_entry_index PRIMARY KEY (entry_id), 
	CONSTRAINT fk_exchange_entry_index_entry_id FOREIGN KEY(entry_id) REFERENCES exchange_entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_exchange_entry_index_modified_at ON exchange_entry_index (modified_at, entry_id);

CREATE INDEX ix_exchange_entry_index_terms ON exchange_entry_index USING gin (terms);

CREATE INDEX ix_exchange_entry_index_title_terms ON exchange_entry_index USING gin (title_terms);

CREATE TABLE exchange_entry_secret (
	entry_id TEXT COLLATE "C" NOT NULL, 
	sealed TEXT NOT NULL, 
	CONSTRAINT pk_exchange_entry_secret PRIMARY KEY (entry_id), 
	CONSTRAINT fk_exchange_entry_secret_entry_id FOREIGN KEY(entry_id) REFERENCES exchange_entry (id)
);

CREATE TABLE exchange_entry_step (
	entry_id TEXT COLLATE "C" NOT NULL, 
	position BIGINT GENERATED ALWAYS AS IDENTITY, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	action TEXT NOT NULL, 
	by TEXT NOT NULL, 
	by_name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	note TEXT NOT NULL, 
	CONSTRAINT pk_exchange_entry_step PRIMARY KEY (entry_id, position), 
	CONSTRAINT fk_exchange_entry_step_entry_id FOREIGN KEY(entry_id) REFERENCES exchange_entry (id)
);

CREATE TABLE exchange_entry_version (
	entry_id TEXT COLLATE "C" NOT NULL, 
	version INTEGER NOT NULL, 
	body JSONB NOT NULL, 
	published_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	replaced_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_entry_version PRIMARY KEY (entry_id, version), 
	CONSTRAINT fk_exchange_entry_version_entry_id FOREIGN KEY(entry_id) REFERENCES exchange_entry (id)
);

CREATE TABLE exchange_harvest_page (
	source TEXT COLLATE "C" NOT NULL, 
	position TEXT COLLATE "C" NOT NULL, 
	etag TEXT NOT NULL, 
	modified TEXT NOT NULL, 
	next TEXT NOT NULL, 
	entries TEXT[] NOT NULL, 
	run TEXT NOT NULL, 
	CONSTRAINT pk_exchange_harvest_page PRIMARY KEY (source, position), 
	CONSTRAINT fk_exchange_harvest_page_source FOREIGN KEY(source) REFERENCES exchange_harvest_source (id)
);

CREATE TABLE exchange_harvest_run (
	id TEXT COLLATE "C" NOT NULL, 
	source TEXT COLLATE "C" NOT NULL, 
	state TEXT NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	position TEXT NOT NULL, 
	pages INTEGER NOT NULL, 
	found INTEGER NOT NULL, 
	changed INTEGER NOT NULL, 
	unchanged INTEGER NOT NULL, 
	refused INTEGER NOT NULL, 
	withdrawn INTEGER NOT NULL, 
	accepts_loss BOOLEAN NOT NULL, 
	complete BOOLEAN NOT NULL, 
	message TEXT NOT NULL, 
	CONSTRAINT pk_exchange_harvest_run PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_harvest_run_source FOREIGN KEY(source) REFERENCES exchange_harvest_source (id)
);

CREATE INDEX ix_exchange_harvest_run_source ON exchange_harvest_run (source, id);

CREATE UNIQUE INDEX uq_exchange_harvest_run_running ON exchange_harvest_run (source) WHERE state = 'running';

CREATE TABLE exchange_harvest_seen (
	source TEXT COLLATE "C" NOT NULL, 
	entry TEXT COLLATE "C" NOT NULL, 
	uri TEXT NOT NULL, 
	run TEXT COLLATE "C" NOT NULL, 
	CONSTRAINT pk_exchange_harvest_seen PRIMARY KEY (source, entry), 
	CONSTRAINT fk_exchange_harvest_seen_source FOREIGN KEY(source) REFERENCES exchange_harvest_source (id)
);

CREATE INDEX ix_exchange_harvest_seen_run ON exchange_harvest_seen (source, run);
