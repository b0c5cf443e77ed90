import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { byteChanges } from './record-checksum.ts';

/** Raised where a record is not as it was told; never seen by a caller. */
export const CONFLICT_STATE = 'ST409';
/** Raised where somebody else has written since, or the group before was not carried out; never seen by a caller. */
export const OUTDATED_STATE = 'ST410';
/** The state of the warning by which they tell of a damaged record; its message is the name of the record. */
export const DAMAGED_STATE = 'STDMG';

/** Half of the greatest number that an entry can have. */
const MIDDLE_SEQUENCE = 137_438_953_471;
/** No entry of a log is so far behind what its row says, or behind 0 when it has none. */
export const WIDEST_GAP = 68_719_476_736;

/** Kinds of operations as the functions know them. */
export const OPERATION = { put: 1, delete: 2, append: 3, trim: 4 } as const;

const table = (behind: number) => `('[0:255]={${byteChanges(behind).join(',')}}'::bigint[])`;
const change = (number: string, behind: number, shift: number) =>
  `${table(behind)}[${shift === 0 ? number : `(${number} >> ${shift})`} & 255]`;
const changes = (number: string, from: number, to: number, behind: number) =>
  Array.from({ length: to - from }, (_, i) => change(number, behind + from + i, 8 * (from + i))).join(' # ');

/** No time that JavaScript can hold. */
const NEVER = '9007199254740992';

/**
 * What the server does for a commit. All tables are found by the search path of the connection, so that the same functions
 * serve every schema that they are made in.
 */
export const COMMIT_FUNCTIONS = `
-- What the upper five bytes of a number in the last eight bytes change of a CRC-32. In plpgsql, and the rarely called part
-- of the two below: those are put into the statements that call them, where every lookup costs at each start.
CREATE FUNCTION smalltalk_upper_crc(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN ${changes('n', 3, 8, 0)};
END $$;

-- What a time, eight bytes further to the front, changes.
CREATE FUNCTION smalltalk_expiry_crc(expires_at bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN ${changes('expires_at', 0, 8, 8)};
END $$;

-- What a number in the last eight bytes changes of a CRC-32.
CREATE FUNCTION smalltalk_number_crc(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ${changes('n', 0, 3, 0)} # CASE WHEN n >> 24 = 0 THEN 0 ELSE smalltalk_upper_crc(n) END
$$;

-- Guards the two columns of a document that the server itself goes by.
CREATE FUNCTION smalltalk_head_crc(version bigint, expires_at bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT smalltalk_number_crc(version) # CASE WHEN expires_at IS NULL THEN smalltalk_expiry_crc(${NEVER}) ELSE smalltalk_expiry_crc(expires_at) END
$$;

-- Takes everything back that a statement has written which met something else than it was told.
CREATE FUNCTION smalltalk_refuse(p_state text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = p_state, MESSAGE = 'not as it was told';
END $$;

-- Takes a damaged document out of everybody's way; nothing of it is lost.
CREATE FUNCTION smalltalk_set_document_aside(p_generation integer, p_collection text, p_id text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO smalltalk_damaged (record, columns, json)
    SELECT 'document ' || collection || '/' || id,
      concat_ws(' ', generation, version, expires_at, head_crc, crc, fields), json
    FROM smalltalk_documents WHERE generation = p_generation AND collection = p_collection AND id = p_id;
  DELETE FROM smalltalk_fields WHERE generation = p_generation AND collection = p_collection AND id = p_id;
  DELETE FROM smalltalk_documents WHERE generation = p_generation AND collection = p_collection AND id = p_id;
END $$;

-- Notes that the numbers of a log up to this one have been given; p_crc is the checksum as it is for 0.
CREATE FUNCTION smalltalk_count(p_generation integer, p_log text, p_last bigint, p_crc bigint) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO smalltalk_logs (generation, name, last_sequence, crc)
    VALUES (p_generation, p_log, p_last, p_crc # smalltalk_number_crc(p_last))
    ON CONFLICT (generation, name) DO UPDATE SET last_sequence = excluded.last_sequence, crc = excluded.crc
$$;

-- The last number that the entries of a log tell of, null when it has none. Entries that are far behind what p_noted and all
-- others say are not believed, but for this: they may be one entry, which was the last one.
CREATE FUNCTION smalltalk_last_entry(p_generation integer, p_log text, p_noted bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  noted bigint := least(greatest(p_noted, 0), ${MAXIMUM_SEQUENCE});
  last bigint;
BEGIN
  SELECT max(e.sequence) INTO last FROM smalltalk_entries e WHERE e.generation = p_generation AND e.log = p_log;
  IF last - noted > ${WIDEST_GAP} THEN
    SELECT max(e.sequence) INTO last FROM smalltalk_entries e
      WHERE e.generation = p_generation AND e.log = p_log AND e.sequence <= noted + ${WIDEST_GAP};
    RETURN greatest(last, noted) + 1;
  END IF;
  RETURN last;
END $$;

-- The last number that was given in a log: that of its last entry, or that of its row. A row that fails its checksum is
-- mended: in the upper half of what is possible it is taken for a flipped bit.
CREATE FUNCTION smalltalk_counter(p_generation integer, p_log text, p_crc bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  noted record;
  known bigint := 0;
BEGIN
  SELECT c.last_sequence, c.crc = (p_crc # smalltalk_number_crc(c.last_sequence)) AS whole INTO noted
    FROM smalltalk_logs c WHERE c.generation = p_generation AND c.name = p_log;
  IF FOUND AND (noted.whole OR noted.last_sequence BETWEEN 0 AND ${MIDDLE_SEQUENCE}) THEN known := noted.last_sequence; END IF;
  known := greatest(known, smalltalk_last_entry(p_generation, p_log, known));
  IF noted.whole IS FALSE THEN
    RAISE WARNING USING ERRCODE = '${DAMAGED_STATE}', MESSAGE = 'log ' || p_log;
    PERFORM smalltalk_count(p_generation, p_log, known, p_crc);
  END IF;
  RETURN known;
END $$;

-- The logs that there are, in their order: those that have entries, and those that have a row.
CREATE FUNCTION smalltalk_log_names(p_generation integer) RETURNS SETOF text LANGUAGE sql STABLE AS $$
  WITH RECURSIVE names (name) AS (
    SELECT least((SELECT min(e.log) FROM smalltalk_entries e WHERE e.generation = p_generation),
      (SELECT min(l.name) FROM smalltalk_logs l WHERE l.generation = p_generation))
    UNION ALL
    SELECT least((SELECT min(e.log) FROM smalltalk_entries e WHERE e.generation = p_generation AND e.log > n.name),
        (SELECT min(l.name) FROM smalltalk_logs l WHERE l.generation = p_generation AND l.name > n.name))
      FROM names n WHERE n.name IS NOT NULL
  )
  SELECT name FROM names WHERE name IS NOT NULL ORDER BY name
$$;

-- Carries out the operations p_from to p_to. Answers the number of each, then the counters of all logs.
CREATE FUNCTION smalltalk_apply(
  g integer, p_at bigint, p_from integer, p_to integer,
  p_kinds integer[], p_names text[], p_ids text[], p_jsons text[], p_arguments bigint[], p_expiries bigint[],
  p_crcs bigint[], p_fields text[], p_logs integer[], p_log_crcs bigint[], p_counters bigint[],
  p_field_ends integer[], p_field_names text[], p_keys bytea[], p_fulls bytea[], p_foldeds bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  numbers bigint[] := '{}';
  n bigint;
  there boolean;
  whole boolean;
  old_version bigint;
  old_expiry bigint;
  old_fields text;
  first_field integer;
BEGIN
  FOR i IN p_from .. p_to LOOP
    IF p_kinds[i] = ${OPERATION.append} THEN
      n := p_counters[p_logs[i]] + 1;
      p_counters[p_logs[i]] := n;
      INSERT INTO smalltalk_entries (generation, log, sequence, at, crc, json)
        VALUES (g, p_names[i], n, p_at, p_crcs[i] # smalltalk_number_crc(n), p_jsons[i]);
    ELSIF p_kinds[i] = ${OPERATION.trim} THEN
      DELETE FROM smalltalk_entries WHERE generation = g AND log = p_names[i] AND sequence <= p_arguments[i];
      -- With its last entry goes what tells where it goes on.
      IF p_counters[p_logs[i]] BETWEEN 1 AND p_arguments[i] THEN
        PERFORM smalltalk_count(g, p_names[i], p_counters[p_logs[i]], p_log_crcs[p_logs[i]]);
      END IF;
      n := 0;
    ELSE
      SELECT d.version, d.expires_at, d.fields, d.head_crc = smalltalk_head_crc(d.version, d.expires_at)
        INTO old_version, old_expiry, old_fields, whole
        FROM smalltalk_documents d WHERE d.generation = g AND d.collection = p_names[i] AND d.id = p_ids[i];
      there := FOUND;
      IF there AND NOT whole THEN
        RAISE WARNING USING ERRCODE = '${DAMAGED_STATE}', MESSAGE = 'document ' || p_names[i] || '/' || p_ids[i];
        PERFORM smalltalk_set_document_aside(g, p_names[i], p_ids[i]);
        there := false;
      END IF;
      n := CASE WHEN there AND (old_expiry IS NULL OR old_expiry > p_at) THEN old_version ELSE 0 END;
      IF p_arguments[i] <> n THEN
        RAISE EXCEPTION USING ERRCODE = '${CONFLICT_STATE}', MESSAGE = i || ' ' || n;
      END IF;
      IF p_kinds[i] = ${OPERATION.put} THEN
        n := n + 1;
        first_field := 1 + CASE WHEN i = 1 THEN 0 ELSE p_field_ends[i - 1] END;
        IF there THEN
          UPDATE smalltalk_documents SET version = n, expires_at = p_expiries[i],
              head_crc = smalltalk_head_crc(n, p_expiries[i]), crc = p_crcs[i] # smalltalk_number_crc(n),
              fields = p_fields[i], shape = array_to_string(p_field_names[first_field : p_field_ends[i]], ','),
              json = p_jsons[i]
            WHERE generation = g AND collection = p_names[i] AND id = p_ids[i];
        ELSE
          old_fields := '';
          INSERT INTO smalltalk_documents
              (generation, collection, id, version, expires_at, head_crc, crc, fields, shape, json)
            VALUES (g, p_names[i], p_ids[i], n, p_expiries[i], smalltalk_head_crc(n, p_expiries[i]),
              p_crcs[i] # smalltalk_number_crc(n), p_fields[i],
              array_to_string(p_field_names[first_field : p_field_ends[i]], ','), p_jsons[i]);
        END IF;
        IF old_fields <> p_fields[i] THEN
          IF old_fields <> '' THEN
            DELETE FROM smalltalk_fields WHERE generation = g AND collection = p_names[i] AND id = p_ids[i]
              AND field <> ALL (p_field_names[first_field : p_field_ends[i]]);
          END IF;
          INSERT INTO smalltalk_fields AS f (generation, collection, id, field, key, "full", folded)
            SELECT g, p_names[i], p_ids[i], p_field_names[k], p_keys[k], p_fulls[k], p_foldeds[k]
            FROM generate_series(first_field, p_field_ends[i]) k
            ON CONFLICT (generation, collection, id, field) DO UPDATE
              SET key = excluded.key, "full" = excluded."full", folded = excluded.folded
              WHERE (f.key, f."full", f.folded) IS DISTINCT FROM (excluded.key, excluded."full", excluded.folded);
        END IF;
      ELSE
        IF there THEN
          DELETE FROM smalltalk_documents WHERE generation = g AND collection = p_names[i] AND id = p_ids[i];
          IF old_fields <> '' THEN
            DELETE FROM smalltalk_fields WHERE generation = g AND collection = p_names[i] AND id = p_ids[i];
          END IF;
        END IF;
        n := 0;
      END IF;
    END IF;
    numbers := numbers || n;
  END LOOP;
  RETURN numbers || p_counters;
END $$;

-- Guards what is remembered of a commit.
CREATE FUNCTION smalltalk_commit_check(
  writer text, first_number bigint, number bigint, at bigint, generation text, numbers text
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(concat_ws(' ', writer, first_number, number, at, generation, numbers), 'UTF8'))
$$;

CREATE FUNCTION smalltalk_is_remembered(p_writer text, p_number bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce((SELECT r.first_number <= p_number FROM smalltalk_commits r
    WHERE r.writer = p_writer AND r.number >= p_number ORDER BY r.number LIMIT 1), false)
$$;

-- Carries out several commits in one transaction, each all or nothing, and remembers the answer of each. Answers a line
-- "<key of the generation> <id of the generation> <holder before>", then one line a commit: "done <at> <generation>
-- <numbers>", "again …", "conflict <operation> <version>" or "damaged".
CREATE FUNCTION smalltalk_commit(
  p_holder text, p_at bigint, p_writers text[], p_commit_numbers bigint[], p_ends integer[], p_guarded boolean[],
  p_kinds integer[], p_names text[], p_ids text[], p_jsons text[], p_arguments bigint[], p_expiries bigint[],
  p_crcs bigint[], p_fields text[], p_logs integer[], p_log_names text[], p_log_crcs bigint[],
  p_field_ends integer[], p_field_names text[], p_keys bytea[], p_fulls bytea[], p_foldeds bytea[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  g integer;
  generation_id text;
  before text;
  counters bigint[] := '{}';
  known record;
  answer bigint[];
  line text;
  lines text[];
  first integer := 1;
  size integer;
BEGIN
  before := smalltalk_take(p_holder);
  SELECT s.active, s.active_id INTO STRICT g, generation_id FROM smalltalk_state s;
  lines := ARRAY[concat_ws(' ', g, generation_id, before)];
  FOR l IN 1 .. cardinality(p_log_names) LOOP
    counters[l] := smalltalk_counter(g, p_log_names[l], p_log_crcs[l]);
  END LOOP;
  FOR c IN 1 .. cardinality(p_ends) LOOP
    size := p_ends[c] - first + 1;
    SELECT r.first_number, r.at, r.generation, r.numbers,
        r.digest = smalltalk_commit_check(r.writer, r.first_number, r.number, r.at, r.generation, r.numbers) AS whole
      INTO known
      FROM smalltalk_commits r
      WHERE r.writer = p_writers[c] AND r.number >= p_commit_numbers[c] ORDER BY r.number LIMIT 1;
    IF FOUND AND known.first_number <= p_commit_numbers[c] THEN
      line := CASE WHEN known.whole THEN concat_ws(' ', 'again', known.at, known.generation,
          split_part(known.numbers, ';', (p_commit_numbers[c] - known.first_number + 1)::integer))
        ELSE 'damaged' END;
    ELSE
      IF p_guarded[c] THEN
        -- A block of its own, so that a conflict takes back this commit alone.
        BEGIN
          answer := smalltalk_apply(g, p_at, first, p_ends[c], p_kinds, p_names, p_ids, p_jsons, p_arguments,
            p_expiries, p_crcs, p_fields, p_logs, p_log_crcs, counters, p_field_ends, p_field_names, p_keys, p_fulls, p_foldeds);
        EXCEPTION WHEN SQLSTATE '${CONFLICT_STATE}' THEN
          answer := NULL;
          line := 'conflict ' || SQLERRM;
        END;
      ELSE
        answer := smalltalk_apply(g, p_at, first, p_ends[c], p_kinds, p_names, p_ids, p_jsons, p_arguments,
          p_expiries, p_crcs, p_fields, p_logs, p_log_crcs, counters, p_field_ends, p_field_names, p_keys, p_fulls, p_foldeds);
      END IF;
      IF answer IS NOT NULL THEN
        IF cardinality(counters) > 0 THEN counters := answer[size + 1 :]; END IF;
        line := coalesce(array_to_string(answer[1 : size], ','), '');
        INSERT INTO smalltalk_commits (writer, number, first_number, at, generation, numbers, digest)
          VALUES (p_writers[c], p_commit_numbers[c], p_commit_numbers[c], p_at, generation_id, line,
            smalltalk_commit_check(p_writers[c], p_commit_numbers[c], p_commit_numbers[c], p_at, generation_id, line));
        line := concat_ws(' ', 'done', p_at, generation_id, line);
      END IF;
    END IF;
    lines := lines || line;
    first := p_ends[c] + 1;
  END LOOP;
  RETURN array_to_string(lines, E'\\n');
END $$;
`;
