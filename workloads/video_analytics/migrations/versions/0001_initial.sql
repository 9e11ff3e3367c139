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

CREATE TABLE video_cover (
	rule TEXT NOT NULL, 
	camera_id TEXT NOT NULL, 
	day DATE NOT NULL, 
	path TEXT NOT NULL, 
	cover DOUBLE PRECISION, 
	frames INTEGER NOT NULL, 
	data JSONB NOT NULL, 
	CONSTRAINT pk_video_cover PRIMARY KEY (rule, camera_id, day)
);

CREATE TABLE video_department (
	path TEXT COLLATE "C" NOT NULL, 
	id TEXT NOT NULL, 
	name JSONB NOT NULL, 
	external TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_video_department PRIMARY KEY (path), 
	CONSTRAINT uq_video_department_id UNIQUE (id)
);

CREATE TABLE video_event (
	id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	key TEXT NOT NULL, 
	began TIMESTAMP WITH TIME ZONE NOT NULL, 
	camera_id TEXT NOT NULL, 
	camera TEXT NOT NULL, 
	path TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	rule_name TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	state TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	box JSONB, 
	score DOUBLE PRECISION, 
	track TEXT, 
	data JSONB NOT NULL, 
	clock_offset_seconds DOUBLE PRECISION, 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	revision INTEGER NOT NULL, 
	acknowledged JSONB, 
	verdict TEXT, 
	judged JSONB, 
	hold JSONB, 
	erased_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_event PRIMARY KEY (id), 
	CONSTRAINT ck_video_event_severity CHECK (severity IN ('critical', 'major', 'minor', 'warning')), 
	CONSTRAINT ck_video_event_state CHECK (state IN ('active', 'updated', 'ended')), 
	CONSTRAINT ck_video_event_verdict CHECK (verdict IN ('true', 'false_alarm')), 
	CONSTRAINT uq_video_event_identity UNIQUE (rule, version, key, began)
);

CREATE INDEX ix_video_event_began ON video_event (began, id);

CREATE INDEX ix_video_event_camera_id ON video_event (camera_id, began);

CREATE INDEX ix_video_event_kept ON video_event (received_at) WHERE erased_at IS NULL AND hold IS NULL;

CREATE INDEX ix_video_event_path ON video_event (path text_pattern_ops, began);

CREATE TABLE video_export (
	id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	event_ids TEXT[] NOT NULL, 
	reason TEXT NOT NULL, 
	blurred BOOLEAN NOT NULL, 
	state TEXT NOT NULL, 
	requested_by TEXT NOT NULL, 
	requested_name TEXT NOT NULL, 
	requested_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	decided_by TEXT NOT NULL, 
	decided_name TEXT NOT NULL, 
	decided_at TIMESTAMP WITH TIME ZONE, 
	note TEXT NOT NULL, 
	ready_at TIMESTAMP WITH TIME ZONE, 
	archive TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	manifest TEXT NOT NULL, 
	error TEXT NOT NULL, 
	contents JSONB NOT NULL, 
	CONSTRAINT pk_video_export PRIMARY KEY (id), 
	CONSTRAINT ck_video_export_state CHECK (state IN ('requested', 'approved', 'refused', 'ready', 'failed', 'expired')), 
	CONSTRAINT ck_video_export_second_person CHECK (decided_by <> requested_by)
);

CREATE TABLE video_incident (
	id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	title TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	state TEXT NOT NULL, 
	opened_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	event_id TEXT NOT NULL, 
	assigned_to TEXT NOT NULL, 
	report TEXT NOT NULL, 
	closed_at TIMESTAMP WITH TIME ZONE, 
	steps JSONB NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_video_incident PRIMARY KEY (id), 
	CONSTRAINT ck_video_incident_state CHECK (state IN ('warning', 'assigned', 'acting', 'closed'))
);

CREATE INDEX ix_video_incident_event_id ON video_incident (event_id);

CREATE TABLE video_linkage (
	id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	name TEXT NOT NULL, 
	"when" JSONB NOT NULL, 
	"then" JSONB NOT NULL, 
	pause_seconds INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_video_linkage PRIMARY KEY (id)
);

CREATE TABLE video_memory (
	camera_id TEXT NOT NULL, 
	data BYTEA NOT NULL, 
	progress JSONB NOT NULL, 
	saved_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_video_memory PRIMARY KEY (camera_id)
);

CREATE TABLE video_receiver (
	id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	target TEXT NOT NULL, 
	wanted JSONB NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	sealed TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_video_receiver PRIMARY KEY (id), 
	CONSTRAINT ck_video_receiver_kind CHECK (kind IN ('webhook', 'mail'))
);

CREATE TABLE video_retention (
	data_class TEXT NOT NULL, 
	evidence INTEGER NOT NULL, 
	tracks INTEGER NOT NULL, 
	reads INTEGER NOT NULL, 
	CONSTRAINT pk_video_retention PRIMARY KEY (data_class)
);

CREATE TABLE video_shard (
	shard INTEGER NOT NULL, 
	token BIGINT NOT NULL, 
	holder TEXT DEFAULT '' NOT NULL, 
	until TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_shard PRIMARY KEY (shard)
);

CREATE INDEX ix_video_shard_holder ON video_shard (holder);

CREATE TABLE video_thumbnail (
	sha256 BYTEA NOT NULL, 
	series INTEGER NOT NULL, 
	began TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_video_thumbnail PRIMARY KEY (sha256, series)
);

CREATE INDEX ix_video_thumbnail_began ON video_thumbnail (began);

CREATE TABLE video_track_series (
	id INTEGER GENERATED ALWAYS AS IDENTITY, 
	camera_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	CONSTRAINT pk_video_track_series PRIMARY KEY (id), 
	CONSTRAINT uq_video_track_series UNIQUE (camera_id, path)
);

CREATE TABLE video_usage_alarm (
	event_id TEXT NOT NULL, 
	hour TIMESTAMP WITH TIME ZONE NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	told BOOLEAN DEFAULT false NOT NULL, 
	CONSTRAINT pk_video_usage_alarm PRIMARY KEY (event_id)
);

CREATE INDEX ix_video_usage_alarm_hour ON video_usage_alarm (hour);

CREATE INDEX ix_video_usage_alarm_untold ON video_usage_alarm (hour) WHERE NOT told;

CREATE TABLE video_usage_camera (
	camera_id TEXT NOT NULL, 
	counted_until TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_video_usage_camera PRIMARY KEY (camera_id)
);

CREATE TABLE video_usage_event (
	id TEXT NOT NULL, 
	payload JSONB NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	pushed_at TIMESTAMP WITH TIME ZONE, 
	outcome TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_video_usage_event PRIMARY KEY (id)
);

CREATE INDEX ix_video_usage_event_waiting ON video_usage_event (created_at, id) WHERE pushed_at IS NULL;

CREATE TABLE video_usage_hour (
	hour TIMESTAMP WITH TIME ZONE NOT NULL, 
	tier TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	milliseconds BIGINT NOT NULL, 
	told BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_video_usage_hour PRIMARY KEY (hour, tier)
);

CREATE TABLE video_worker (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	capacity DOUBLE PRECISION NOT NULL, 
	load DOUBLE PRECISION NOT NULL, 
	cameras INTEGER NOT NULL, 
	degraded INTEGER NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	beat_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	until TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_video_worker PRIMARY KEY (id)
);

CREATE TABLE video_camera (
	id TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	shard INTEGER NOT NULL, 
	name JSONB NOT NULL, 
	code TEXT, 
	vendor TEXT NOT NULL, 
	model TEXT NOT NULL, 
	groups TEXT[] NOT NULL, 
	place TEXT NOT NULL, 
	latitude FLOAT, 
	longitude FLOAT, 
	timezone TEXT NOT NULL, 
	data_class TEXT NOT NULL, 
	masks JSONB NOT NULL, 
	overhead BOOLEAN NOT NULL, 
	tier TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	source_kind TEXT NOT NULL, 
	location TEXT NOT NULL, 
	sealed TEXT NOT NULL, 
	has_credentials BOOLEAN NOT NULL, 
	device TEXT, 
	device_profile TEXT DEFAULT '' NOT NULL, 
	version INTEGER NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	removed_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_camera PRIMARY KEY (id), 
	CONSTRAINT fk_video_camera_path FOREIGN KEY(path) REFERENCES video_department (path)
);

CREATE INDEX ix_video_camera_groups ON video_camera USING gin (groups);

CREATE INDEX ix_video_camera_path ON video_camera (path);

CREATE INDEX ix_video_camera_watched ON video_camera (shard) WHERE enabled AND removed_at IS NULL;

CREATE UNIQUE INDEX uq_video_camera_code ON video_camera (code);

CREATE TABLE video_deed (
	id TEXT NOT NULL, 
	linkage_id TEXT NOT NULL, 
	linkage TEXT NOT NULL, 
	event_id TEXT NOT NULL, 
	camera_id TEXT NOT NULL, 
	index INTEGER NOT NULL, 
	action JSONB NOT NULL, 
	outcome TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	detail TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	claimed_until TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_deed PRIMARY KEY (id), 
	CONSTRAINT ck_video_deed_outcome CHECK (outcome IN ('pending', 'done', 'failed', 'skipped')), 
	CONSTRAINT uq_video_deed_once UNIQUE (linkage_id, event_id, index), 
	CONSTRAINT fk_video_deed_event_id FOREIGN KEY(event_id) REFERENCES video_event (id)
);

CREATE INDEX ix_video_deed_event_id ON video_deed (event_id);

CREATE INDEX ix_video_deed_pending ON video_deed (at) WHERE outcome = 'pending';

CREATE INDEX ix_video_deed_recent ON video_deed (linkage_id, camera_id, at);

CREATE TABLE video_delivery (
	id TEXT NOT NULL, 
	position BIGINT GENERATED ALWAYS AS IDENTITY, 
	receiver_id TEXT NOT NULL, 
	key TEXT NOT NULL, 
	event_id TEXT NOT NULL, 
	change TEXT NOT NULL, 
	body JSONB NOT NULL, 
	state TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	claimed_until TIMESTAMP WITH TIME ZONE, 
	error TEXT NOT NULL, 
	delivered_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_delivery PRIMARY KEY (id), 
	CONSTRAINT ck_video_delivery_state CHECK (state IN ('pending', 'delivered', 'dead')), 
	CONSTRAINT uq_video_delivery_key UNIQUE (receiver_id, key), 
	CONSTRAINT fk_video_delivery_receiver_id FOREIGN KEY(receiver_id) REFERENCES video_receiver (id) ON DELETE CASCADE
);

CREATE INDEX ix_video_delivery_due ON video_delivery (next_at) WHERE state = 'pending';

CREATE INDEX ix_video_delivery_order ON video_delivery (receiver_id, event_id, position) WHERE state = 'pending';

CREATE TABLE video_event_entry (
	number BIGINT GENERATED ALWAYS AS IDENTITY, 
	xact BIGINT DEFAULT (pg_current_xact_id()::text::bigint) NOT NULL, 
	event_id TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	change TEXT NOT NULL, 
	by TEXT NOT NULL, 
	data JSONB NOT NULL, 
	CONSTRAINT pk_video_event_entry PRIMARY KEY (number), 
	CONSTRAINT ck_video_event_entry_change CHECK (change IN ('active', 'ended', 'evidence', 'acknowledged', 'judged', 'linked', 'held', 'released', 'exported', 'erased')), 
	CONSTRAINT fk_video_event_entry_event_id FOREIGN KEY(event_id) REFERENCES video_event (id)
);

CREATE INDEX ix_video_event_entry_event_id ON video_event_entry (event_id, number);

CREATE INDEX ix_video_event_entry_order ON video_event_entry (xact, number);

CREATE TABLE video_evidence (
	event_id TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	number BIGINT GENERATED ALWAYS AS IDENTITY, 
	added_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_video_evidence PRIMARY KEY (event_id, sha256), 
	CONSTRAINT fk_video_evidence_event_id FOREIGN KEY(event_id) REFERENCES video_event (id)
);

CREATE INDEX ix_video_evidence_sha256 ON video_evidence (sha256);

CREATE TABLE video_track (
	series INTEGER NOT NULL, 
	began TIMESTAMP WITH TIME ZONE NOT NULL, 
	track TEXT NOT NULL, 
	ended TIMESTAMP WITH TIME ZONE NOT NULL, 
	size REAL NOT NULL, 
	dwell REAL NOT NULL, 
	colour TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	way path NOT NULL, 
	times INTEGER[] NOT NULL, 
	thumbnail BYTEA, 
	CONSTRAINT pk_video_track PRIMARY KEY (series, began, track)
)
 PARTITION BY RANGE (began);

CREATE INDEX ix_video_track_began ON video_track (began);

CREATE FUNCTION video_ensure_partition(parent text, at timestamptz, step text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first timestamptz := date_trunc(step, at, 'UTC');
  name text := parent || '_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('partition ' || parent, 0));
  EXECUTE format('LOCK TABLE %I IN ACCESS SHARE MODE', parent);
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                 parent, name, first,
                 (first AT TIME ZONE 'UTC' + ('1 ' || step)::interval) AT TIME ZONE 'UTC');
END $$;

CREATE TABLE video_watchlist (
	id TEXT COLLATE "C" NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	legal_basis TEXT NOT NULL, 
	ends_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	created_by TEXT NOT NULL, 
	created_by_name TEXT NOT NULL, 
	approved_at TIMESTAMP WITH TIME ZONE, 
	approved_by TEXT NOT NULL, 
	approved_by_name TEXT NOT NULL, 
	closed_at TIMESTAMP WITH TIME ZONE, 
	closed_by TEXT NOT NULL, 
	closed_by_name TEXT NOT NULL, 
	closed_because TEXT NOT NULL, 
	CONSTRAINT pk_video_watchlist PRIMARY KEY (id), 
	CONSTRAINT ck_video_watchlist_kind CHECK (kind IN ('faces', 'plates')), 
	CONSTRAINT ck_video_watchlist_second CHECK (approved_at IS NULL OR approved_by <> created_by), 
	CONSTRAINT fk_video_watchlist_path FOREIGN KEY(path) REFERENCES video_department (path)
);

CREATE INDEX ix_video_watchlist_path ON video_watchlist (path);

CREATE TABLE video_camera_health (
	camera_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	detail TEXT NOT NULL, 
	fps FLOAT, 
	lag_seconds FLOAT, 
	tier_now TEXT, 
	clock_offset_seconds FLOAT, 
	CONSTRAINT pk_video_camera_health PRIMARY KEY (camera_id), 
	CONSTRAINT fk_video_camera_health_camera_id FOREIGN KEY(camera_id) REFERENCES video_camera (id)
);

CREATE TABLE video_camera_health_change (
	camera_id TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	state TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_video_camera_health_change PRIMARY KEY (camera_id, since), 
	CONSTRAINT fk_video_camera_health_change_camera_id FOREIGN KEY(camera_id) REFERENCES video_camera (id)
);

CREATE INDEX ix_video_camera_health_change_since ON video_camera_health_change (since);

CREATE TABLE video_read (
	source TEXT NOT NULL, 
	number TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	path TEXT NOT NULL, 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	camera_id TEXT NOT NULL, 
	latitude DOUBLE PRECISION, 
	longitude DOUBLE PRECISION, 
	direction TEXT NOT NULL, 
	score DOUBLE PRECISION, 
	clock_offset_seconds DOUBLE PRECISION, 
	CONSTRAINT pk_video_read PRIMARY KEY (source, number, at)
)
 PARTITION BY RANGE (at);

CREATE INDEX ix_video_read_at ON video_read (at);

CREATE INDEX ix_video_read_digest ON video_read (digest, at);

CREATE INDEX ix_video_read_subject ON video_read (subject text_pattern_ops, at);

CREATE TABLE video_rule (
	id TEXT COLLATE "C" NOT NULL, 
	camera_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	removed_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_rule PRIMARY KEY (id), 
	CONSTRAINT fk_video_rule_camera_id FOREIGN KEY(camera_id) REFERENCES video_camera (id)
);

CREATE INDEX ix_video_rule_camera_id ON video_rule (camera_id);

CREATE TABLE video_watchlist_entry (
	id TEXT COLLATE "C" NOT NULL, 
	list_id TEXT COLLATE "C" NOT NULL, 
	label TEXT NOT NULL, 
	pattern TEXT NOT NULL, 
	sealed TEXT NOT NULL, 
	space TEXT NOT NULL, 
	added_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	added_by TEXT NOT NULL, 
	added_by_name TEXT NOT NULL, 
	approved_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_watchlist_entry PRIMARY KEY (id), 
	CONSTRAINT ck_video_watchlist_entry_one CHECK ((pattern = '') <> (sealed = '')), 
	CONSTRAINT fk_video_watchlist_entry_list_id FOREIGN KEY(list_id) REFERENCES video_watchlist (id)
);

CREATE INDEX ix_video_watchlist_entry_list_id ON video_watchlist_entry (list_id);

CREATE TABLE video_permit (
	id TEXT COLLATE "C" NOT NULL, 
	rule_id TEXT NOT NULL, 
	number TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	first DATE NOT NULL, 
	last DATE NOT NULL, 
	start TEXT NOT NULL, 
	"end" TEXT NOT NULL, 
	note TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	created_by TEXT NOT NULL, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_video_permit PRIMARY KEY (id), 
	CONSTRAINT uq_video_permit_rule_id_number UNIQUE (rule_id, number), 
	CONSTRAINT fk_video_permit_rule_id FOREIGN KEY(rule_id) REFERENCES video_rule (id)
);

CREATE TABLE video_rule_version (
	rule_id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	name JSONB NOT NULL, 
	points JSONB NOT NULL, 
	parameters JSONB NOT NULL, 
	schedule JSONB NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	by TEXT NOT NULL, 
	note TEXT NOT NULL, 
	CONSTRAINT pk_video_rule_version PRIMARY KEY (rule_id, version), 
	CONSTRAINT fk_video_rule_version_rule_id FOREIGN KEY(rule_id) REFERENCES video_rule (id)
);

CREATE FUNCTION video_rule_version_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'versions of rules are only added';
END $$;

CREATE TRIGGER video_rule_version_kept BEFORE UPDATE OR DELETE ON video_rule_version FOR EACH ROW EXECUTE FUNCTION video_rule_version_kept();
CREATE TRIGGER video_rule_version_whole BEFORE TRUNCATE ON video_rule_version FOR EACH STATEMENT EXECUTE FUNCTION video_rule_version_kept();
