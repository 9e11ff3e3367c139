CREATE TABLE exchange_dataspace_asked (
	participant TEXT NOT NULL, 
	base TEXT NOT NULL, 
	calls_itself TEXT NOT NULL, 
	datasets INTEGER NOT NULL, 
	left_out INTEGER NOT NULL, 
	whole BOOLEAN NOT NULL, 
	remarks JSONB NOT NULL, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_dataspace_asked PRIMARY KEY (participant), 
	CONSTRAINT fk_exchange_dataspace_asked_participant FOREIGN KEY(participant) REFERENCES exchange_dataspace_participant (id)
);

CREATE TABLE exchange_dataspace_listed (
	id TEXT COLLATE "C" NOT NULL, 
	participant TEXT NOT NULL, 
	name TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	words TEXT NOT NULL, 
	body JSONB NOT NULL, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_exchange_dataspace_listed PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_dataspace_listed_participant FOREIGN KEY(participant) REFERENCES exchange_dataspace_participant (id)
);

CREATE INDEX ix_exchange_dataspace_listed_number ON exchange_dataspace_listed (participant, number, id);
