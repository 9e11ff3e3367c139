CREATE TABLE exchange_licence_list (
	id TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	issuer TEXT COLLATE "C" NOT NULL, 
	uri TEXT COLLATE "C" NOT NULL, 
	size INTEGER NOT NULL, 
	used INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_exchange_licence_list PRIMARY KEY (id), 
	CONSTRAINT uq_exchange_licence_list_uri UNIQUE (uri)
);

CREATE INDEX ix_exchange_licence_list_issuer ON exchange_licence_list (issuer);

CREATE TABLE exchange_licence_request (
	id TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	nonce TEXT NOT NULL, 
	vct TEXT NOT NULL, 
	name TEXT NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	used_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_exchange_licence_request PRIMARY KEY (id)
);

CREATE INDEX ix_exchange_licence_request_expires_at ON exchange_licence_request (expires_at);

CREATE TABLE exchange_licence_type (
	id TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	document JSONB NOT NULL, 
	issuer TEXT COLLATE "C" NOT NULL, 
	vct TEXT COLLATE "C" NOT NULL, 
	metadata TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	retired_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_exchange_licence_type PRIMARY KEY (id), 
	CONSTRAINT uq_exchange_licence_type_path_name_version UNIQUE (path, name, version), 
	CONSTRAINT uq_exchange_licence_type_vct UNIQUE (vct)
);

CREATE TABLE exchange_licence (
	id TEXT COLLATE "C" NOT NULL, 
	type TEXT COLLATE "C" NOT NULL, 
	path TEXT COLLATE "C" NOT NULL, 
	reference TEXT NOT NULL, 
	state TEXT NOT NULL, 
	proposed_by TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	valid_from TIMESTAMP WITH TIME ZONE NOT NULL, 
	valid_until TIMESTAMP WITH TIME ZONE, 
	sealed TEXT NOT NULL, 
	offer TEXT NOT NULL, 
	pin TEXT NOT NULL, 
	offer_until TIMESTAMP WITH TIME ZONE, 
	attempts INTEGER NOT NULL, 
	nonce TEXT NOT NULL, 
	nonce_until TIMESTAMP WITH TIME ZONE, 
	holder TEXT NOT NULL, 
	claimed_at TIMESTAMP WITH TIME ZONE, 
	reason TEXT, 
	CONSTRAINT pk_exchange_licence PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_licence_type FOREIGN KEY(type) REFERENCES exchange_licence_type (id)
);

CREATE INDEX ix_exchange_licence_path ON exchange_licence (path, id);

CREATE INDEX ix_exchange_licence_sealed ON exchange_licence (changed_at) WHERE sealed <> '';

CREATE UNIQUE INDEX ux_exchange_licence_offer ON exchange_licence (offer) WHERE offer <> '';

CREATE TABLE exchange_licence_place (
	list TEXT COLLATE "C" NOT NULL, 
	place INTEGER NOT NULL, 
	licence TEXT COLLATE "C" NOT NULL, 
	status SMALLINT NOT NULL, 
	CONSTRAINT pk_exchange_licence_place PRIMARY KEY (list, place), 
	CONSTRAINT fk_exchange_licence_place_list FOREIGN KEY(list) REFERENCES exchange_licence_list (id), 
	CONSTRAINT fk_exchange_licence_place_licence FOREIGN KEY(licence) REFERENCES exchange_licence (id)
);

CREATE INDEX ix_exchange_licence_place_licence ON exchange_licence_place (licence);

CREATE INDEX ix_exchange_licence_place_status ON exchange_licence_place (list) WHERE status <> 0;
