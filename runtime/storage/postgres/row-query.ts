import { type PoolClient, Query } from 'pg';

export type Row = unknown[];

/** A statement that the server keeps prepared under its name. */
export interface Statement {
  name: string;
  text: string;
}

/** What a query of pg says to the server; pg's types do not name it. */
interface Wire {
  parse(statement: Statement): void;
  bind(values: { statement: string; values: unknown[]; valueMapper: (value: unknown) => unknown }): void;
  execute(): void;
  sync(): void;
  submittedNamedStatements: Record<string, string>;
}

interface WireQuery {
  name: string;
  values: unknown[];
  callback: (error: Error | null) => void;
  hasBeenParsed(wire: Wire): boolean;
}

const BaseQuery = Query as unknown as new (text: string) => WireQuery;

/**
 * A query whose rows are taken as they come, as text. The columns are not asked for: who asks knows them, and to hear and sort
 * what the server says of them takes a good part of a short query.
 */
class RowQuery extends BaseQuery {
  readonly received: Row[] = [];

  constructor({ name, text }: Statement, values: unknown[]) {
    super(text);
    this.name = name;
    this.values = values;
  }

  /** Instead of pg's, which asks the server to describe what it answers. */
  prepare(wire: Wire): void {
    const { name, values } = this;
    const text = (this as unknown as Statement).text;
    if (!this.hasBeenParsed(wire)) {
      wire.parse({ name, text });
      if (name !== '') wire.submittedNamedStatements[name] = text;
    }
    wire.bind({ statement: name, values, valueMapper: wireValue });
    wire.execute();
    wire.sync();
  }

  handleDataRow({ fields }: { fields: Row }): void {
    this.received.push(fields);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(null);
  }
}

/** Text, bytes or null, in what the protocol knows of. */
function wireValue(value: unknown): unknown {
  if (typeof value === 'string' || value instanceof Buffer) return value;
  return value === null || value === undefined ? null : String(value);
}

/** The rows that a statement answers; rejects with pg's errors. Values are text, numbers, truth values, bytes or null. */
export function queryRows(client: PoolClient, statement: Statement, values: unknown[]): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const query = new RowQuery(statement, values);
    query.callback = (error) => {
      if (error === null) resolve(query.received);
      else reject(error);
    };
    client.query(query as unknown as Query);
  });
}
