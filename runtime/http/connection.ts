/** What is known of the connection that a request came over. A call within the process has none. */
export interface Connection {
  /** The address of the other end, IPv4 in dotted form. */
  remoteAddress?: string;
  /** The port of this end. */
  localPort?: number;
}
