/** Most records in one batch of a snapshot. */
export const SNAPSHOT_BATCH_RECORDS = 500;

/** About the most characters of values in one batch of a snapshot; a single larger record is a batch of its own. */
export const SNAPSHOT_BATCH_BYTES = 1024 * 1024;
