import { WIDEST_GAP } from './commit-function.ts';

/**
 * What the server does for commits to records of which it is not known here what they are: quick ways for what most of them
 * are.
 */
export const WRITE_FUNCTIONS = `
-- Carries out, all at a time, what most commits are: puts of documents that are named once among them, and appends. Answers
-- "<key of the generation> <its id> <versions before> <counters before> <those that have a row> <holder before>"; or
-- nothing, having written nothing, when one was carried out before, conflicts, meets a damaged number, or changes which fields a document has, or
-- when the commit p_after_number was not carried out: then it takes smalltalk_commit.
CREATE FUNCTION smalltalk_write(
  p_holder text, p_at bigint, p_fresh boolean, p_after_writer text, p_after_number bigint, p_writers text[], p_commit_numbers bigint[], p_ends integer[],
  p_op_documents integer[], p_op_logs integer[], p_op_offsets integer[],
  p_collections text[], p_ids text[], p_jsons text[], p_expected bigint[], p_expiries bigint[], p_crcs bigint[],
  p_fields text[], p_shapes text[],
  p_log_names text[], p_log_crcs bigint[],
  p_entry_logs integer[], p_entry_offsets integer[], p_entry_crcs bigint[], p_entry_jsons text[],
  p_field_documents integer[], p_members text[], p_field_names text[], p_keys bytea[], p_fulls bytea[],
  p_foldeds bytea[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before text;
  g integer;
  generation_id text;
  irregular boolean;
  versions bigint[];
  -- What is to be done to the index fields of each document: 0 nothing, 1 they are new, 2 they changed.
  changes integer[];
  -- The members of the index fields that each had, each between commas.
  formers text[];
  counters bigint[];
  counter_rows bigint[];
  answers text[] := '{}';
  answer text;
  op integer := 0;
BEGIN
  SELECT holder INTO STRICT before FROM smalltalk_holder WHERE only_one FOR UPDATE;
  -- One statement for all that is to be known, as one below writes almost all: to begin one takes longer than its work.
  SELECT s.active, s.active_id, o.versions, o.changes, o.formers, o.irregular IS TRUE OR l.irregular IS TRUE
      -- OFFSET 0, here and below: one look by the key for each, whatever the planner thinks of their number.
      OR (NOT p_fresh AND EXISTS (
        SELECT FROM generate_series(1, cardinality(p_writers)) i
          WHERE smalltalk_is_remembered(p_writers[i], p_commit_numbers[i])))
      OR (p_after_number IS NOT NULL AND NOT EXISTS (
        SELECT FROM smalltalk_commits r WHERE r.writer = p_after_writer AND r.number = p_after_number)),
      l.counters, l.counter_rows
    INTO STRICT g, generation_id, versions, changes, formers, irregular, counters, counter_rows
    FROM smalltalk_state s CROSS JOIN LATERAL (
      SELECT array_agg(r.current) AS versions, array_agg(r.change) AS changes, array_agg(r.former) AS formers,
        bool_or(r.current <> r.expected OR r.damaged OR r.change = 3) AS irregular
      FROM (
        SELECT p_expected[i] AS expected,
          CASE WHEN d.id IS NULL OR d.expires_at <= p_at THEN 0 ELSE d.version END AS current,
          coalesce(d.head_crc <> smalltalk_head_crc(d.version, d.expires_at), false) AS damaged,
          CASE WHEN coalesce(d.fields, '') = p_fields[i] THEN 0 WHEN coalesce(d.fields, '') = '' THEN 1
            WHEN d.shape = p_shapes[i] THEN 2 ELSE 3 END AS change,
          coalesce(',' || substr(d.fields, 2, greatest(length(d.fields) - 2, 0)) || ',', '') AS former
        FROM generate_series(1, cardinality(p_ids)) i
          LEFT JOIN smalltalk_documents d
            ON d.generation = s.active AND d.collection = p_collections[i] AND d.id = p_ids[i]
        ORDER BY i
      ) r
    ) o CROSS JOIN LATERAL (
      SELECT array_agg(greatest(c.last_sequence, m.sequence, 0) ORDER BY i) AS counters,
        array_agg(c.last_sequence ORDER BY i) AS counter_rows,
        bool_or(c.crc <> (p_log_crcs[i] # smalltalk_number_crc(c.last_sequence)) OR m.sequence - coalesce(c.last_sequence, 0) > ${WIDEST_GAP}) AS irregular
      FROM generate_series(1, cardinality(p_log_names)) i
        LEFT JOIN smalltalk_logs c ON c.generation = s.active AND c.name = p_log_names[i]
        LEFT JOIN LATERAL (SELECT e.sequence FROM smalltalk_entries e
          WHERE e.generation = s.active AND e.log = p_log_names[i] ORDER BY e.sequence DESC LIMIT 1) m ON true
    ) l;
  IF irregular THEN RETURN NULL; END IF;

  FOR c IN 1 .. cardinality(p_ends) LOOP
    answer := '';
    WHILE op < p_ends[c] LOOP
      op := op + 1;
      answer := answer || CASE WHEN p_op_documents[op] > 0 THEN versions[p_op_documents[op]] + 1
        ELSE counters[p_op_logs[op]] + p_op_offsets[op] END || ',';
    END LOOP;
    answers := answers || rtrim(answer, ',');
  END LOOP;
  WITH remembered AS (
    INSERT INTO smalltalk_commits (writer, number, first_number, at, generation, numbers, digest)
      SELECT p_writers[i], p_commit_numbers[i], p_commit_numbers[i], p_at, generation_id, answers[i],
        smalltalk_commit_check(p_writers[i], p_commit_numbers[i], p_commit_numbers[i], p_at, generation_id, answers[i])
      FROM generate_series(1, cardinality(p_writers)) i
  ), put AS (
    INSERT INTO smalltalk_documents AS d
        (generation, collection, id, version, expires_at, head_crc, crc, fields, shape, json)
      SELECT g, p_collections[u.i], p_ids[u.i], u.version, u.expires_at, smalltalk_head_crc(u.version, u.expires_at),
        p_crcs[u.i] # smalltalk_number_crc(u.version), p_fields[u.i], p_shapes[u.i], p_jsons[u.i]
      FROM (SELECT i, versions[i] + 1 AS version, p_expiries[i] AS expires_at
        FROM generate_series(1, cardinality(p_ids)) i OFFSET 0) u
      ON CONFLICT (generation, collection, id) DO UPDATE SET version = excluded.version,
        expires_at = excluded.expires_at, head_crc = excluded.head_crc, crc = excluded.crc,
        fields = excluded.fields, shape = excluded.shape, json = excluded.json
  )
  INSERT INTO smalltalk_entries (generation, log, sequence, at, crc, json)
    SELECT g, p_log_names[p_entry_logs[u.i]], u.n, p_at, p_entry_crcs[u.i] # smalltalk_number_crc(u.n),
      p_entry_jsons[u.i]
    FROM (SELECT i, counters[p_entry_logs[i]] + p_entry_offsets[i] AS n
      FROM generate_series(1, cardinality(p_entry_logs)) i OFFSET 0) u;
  IF 1 = ANY (changes) OR 2 = ANY (changes) THEN
    -- Fields that stayed as they were are left out by the text of the former ones, without a look at their rows.
    INSERT INTO smalltalk_fields AS f (generation, collection, id, field, key, "full", folded)
      SELECT g, p_collections[p_field_documents[k]], p_ids[p_field_documents[k]], p_field_names[k], p_keys[k],
        p_fulls[k], p_foldeds[k]
      FROM generate_series(1, cardinality(p_keys)) k
      WHERE changes[p_field_documents[k]] > 0 AND strpos(formers[p_field_documents[k]], p_members[k]) = 0
      ON CONFLICT (generation, collection, id, field) DO UPDATE
        SET key = excluded.key, "full" = excluded."full", folded = excluded.folded;
  END IF;
  UPDATE smalltalk_holder SET holder = p_holder WHERE only_one;
  RETURN concat(g, ' ', generation_id, ' ', array_to_string(versions, ','), ' ', array_to_string(counters, ','), ' ',
    array_to_string(counter_rows, ',', ''), ' ', before);
END $$;

-- The same for the smallest commit: one put, one append, or one of each. What is not there of it is null. Statement by
-- statement, for one row each, which takes a third of the time. It has no group before it.
CREATE FUNCTION smalltalk_write_one(
  p_holder text, p_at bigint, p_fresh boolean, p_writer text, p_number bigint, p_log_first boolean,
  p_collection text, p_id text, p_json text, p_expected bigint, p_expires_at bigint, p_crc bigint,
  p_fields text, p_shape text,
  p_log text, p_log_crc bigint, p_entry_crc bigint, p_entry_json text,
  p_members text[], p_field_names text[], p_keys bytea[], p_fulls bytea[], p_foldeds bytea[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before text;
  known record;
  version_now bigint;
  counter bigint;
  former text;
  answer text;
BEGIN
  SELECT holder INTO STRICT before FROM smalltalk_holder WHERE only_one FOR UPDATE;
  SELECT s.active, s.active_id, d.version, d.expires_at, d.fields, d.shape,
      d.head_crc <> smalltalk_head_crc(d.version, d.expires_at) AS head_damaged,
      c.last_sequence AS counter_row, c.crc <> (p_log_crc # smalltalk_number_crc(c.last_sequence)) AS counter_damaged,
      (SELECT e.sequence FROM smalltalk_entries e
        WHERE e.generation = s.active AND e.log = p_log ORDER BY e.sequence DESC LIMIT 1) AS last_entry,
      NOT p_fresh AND smalltalk_is_remembered(p_writer, p_number) AS again
    INTO STRICT known
    FROM smalltalk_state s
      LEFT JOIN smalltalk_documents d ON d.generation = s.active AND d.collection = p_collection AND d.id = p_id
      LEFT JOIN smalltalk_logs c ON c.generation = s.active AND c.name = p_log;
  IF known.again OR known.head_damaged OR known.counter_damaged OR known.last_entry - coalesce(known.counter_row, 0) > ${WIDEST_GAP} THEN
    RETURN NULL;
  END IF;
  IF p_id IS NOT NULL THEN
    version_now := CASE WHEN known.version IS NULL OR known.expires_at <= p_at THEN 0 ELSE known.version END;
    IF p_expected <> version_now THEN RETURN NULL; END IF;
    -- Fewer fields, or others, than before.
    IF coalesce(known.fields, '') NOT IN ('', p_fields) AND known.shape <> p_shape THEN RETURN NULL; END IF;
  END IF;
  IF p_log IS NOT NULL THEN counter := greatest(known.counter_row, known.last_entry, 0); END IF;

  answer := CASE WHEN p_id IS NULL THEN (counter + 1)::text WHEN p_log IS NULL THEN (version_now + 1)::text
    WHEN p_log_first THEN (counter + 1) || ',' || (version_now + 1) ELSE (version_now + 1) || ',' || (counter + 1) END;
  INSERT INTO smalltalk_commits (writer, number, first_number, at, generation, numbers, digest)
    VALUES (p_writer, p_number, p_number, p_at, known.active_id, answer,
      smalltalk_commit_check(p_writer, p_number, p_number, p_at, known.active_id, answer));
  IF p_log IS NOT NULL THEN
    INSERT INTO smalltalk_entries (generation, log, sequence, at, crc, json)
      VALUES (known.active, p_log, counter + 1, p_at, p_entry_crc # smalltalk_number_crc(counter + 1), p_entry_json);
  END IF;
  IF p_id IS NOT NULL THEN
    IF known.version IS NULL THEN
      INSERT INTO smalltalk_documents
          (generation, collection, id, version, expires_at, head_crc, crc, fields, shape, json)
        VALUES (known.active, p_collection, p_id, version_now + 1, p_expires_at,
          smalltalk_head_crc(version_now + 1, p_expires_at), p_crc # smalltalk_number_crc(version_now + 1), p_fields,
          p_shape, p_json);
    ELSE
      UPDATE smalltalk_documents SET version = version_now + 1, expires_at = p_expires_at,
          head_crc = smalltalk_head_crc(version_now + 1, p_expires_at), crc = p_crc # smalltalk_number_crc(version_now + 1),
          fields = p_fields, shape = p_shape, json = p_json
        WHERE generation = known.active AND collection = p_collection AND id = p_id;
    END IF;
    IF coalesce(known.fields, '') <> p_fields THEN
      former := coalesce(',' || substr(known.fields, 2, greatest(length(known.fields) - 2, 0)) || ',', '');
      FOR k IN 1 .. cardinality(p_keys) LOOP
        -- One that stayed as it was is left out by the text of the former ones, without a look at its row.
        IF strpos(former, p_members[k]) = 0 THEN
          INSERT INTO smalltalk_fields AS f (generation, collection, id, field, key, "full", folded)
            VALUES (known.active, p_collection, p_id, p_field_names[k], p_keys[k], p_fulls[k], p_foldeds[k])
            ON CONFLICT (generation, collection, id, field) DO UPDATE
              SET key = excluded.key, "full" = excluded."full", folded = excluded.folded;
        END IF;
      END LOOP;
    END IF;
  END IF;
  UPDATE smalltalk_holder SET holder = p_holder WHERE only_one;
  RETURN concat(known.active, ' ', known.active_id, ' ', version_now, ' ', counter, ' ', known.counter_row, ' ', before);
END $$;
`;
