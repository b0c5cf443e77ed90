import { type PoolClient, Query } from 'pg';
import { bindMessage } from './bind-message.ts';

export type Row = unknown[];

/** A statement that the server keeps prepared under its name. */
export interface Statement {
  name: string;
  text: string;
}

/** What a query of pg says to the server; pg's types do not name it. */
interface Wire {
  parse(statement: Statement): void;
  stream: { writable: boolean; write(bytes: Buffer): boolean };
  parsedStatements: Record<string, string>;
  submittedNamedStatements: Record<string, string>;
}

interface WireQuery {
  name: string;
  text: string;
  callback: (error: Error | null) => void;
}

const BaseQuery = Query as unknown as new (text: string) => WireQuery;

/**
 * A query whose rows are taken as they come, as text. The columns are not asked for: who asks knows them, and to hear and sort
 * what the server says of them takes a good part of a short query.
 */
class RowQuery extends BaseQuery {
  readonly received: Row[] = [];
  readonly #values: readonly unknown[];

  constructor({ name, text }: Statement, values: readonly unknown[]) {
    super(text);
    this.name = name;
    this.#values = values;
  }

  /** Instead of pg's, which asks the server to describe what it answers, and writes in several pieces. */
  submit(wire: Wire): null {
    const { name, text } = this;
    const { parsedStatements, submittedNamedStatements, stream } = wire;
    if ((parsedStatements[name] ?? submittedNamedStatements[name]) === undefined) {
      wire.parse({ name, text });
      if (name !== '') submittedNamedStatements[name] = text;
    }
    // One that broke meanwhile says so by itself.
    if (stream.writable) stream.write(bindMessage(name, this.#values));
    return null;
  }

  handleDataRow({ fields }: { fields: Row }): void {
    this.received.push(fields);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(null);
  }
}

/** The rows that a statement answers; rejects with pg's errors. Values are text, numbers, truth values, bytes or null. */
export function queryRows(client: PoolClient, statement: Statement, values: unknown[]): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const query = new RowQuery(statement, values);
    // V8 makes a function old at once that is written where it is assigned to a property, and all that it leads to lives on with it.
    const answered = (error: Error | null) => {
      if (error === null) resolve(query.received);
      else reject(error);
    };
    query.callback = answered;
    client.query(query as unknown as Query);
  });
}
