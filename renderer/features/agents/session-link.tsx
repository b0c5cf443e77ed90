import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Session } from '#contract';

/** The title of a session, leading to it. */
export function SessionLink({ session }: { session: Pick<Session, 'id' | 'title'> }) {
  return (
    <Anchor
      size="sm"
      truncate
      renderRoot={(props) => <Link to="/sessions/$id" params={{ id: session.id }} {...props} />}
    >
      {session.title || 'Untitled session'}
    </Anchor>
  );
}
