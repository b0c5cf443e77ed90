import type { LiveEvents } from '../contract/index.ts';
import type { EventBus, LiveSubscription } from '../events/event-bus.ts';
import type { Metrics } from './metrics.ts';

/** Counts what the events tell of agents and backups. Ends with the subscription. */
export function countEvents(bus: Pick<EventBus, 'subscribe'>, metrics: Metrics): LiveSubscription {
  return bus.subscribe(
    { name: 'metrics', topics: ['agent.>', 'backup.created'], priority: 'low' },
    (event) => {
      switch (event.type) {
        case 'agent.heartbeat': {
          const { id, ok } = event.data as LiveEvents['agent.heartbeat'];
          metrics.agentHealthCheck(id, ok ? 'ok' : 'failed');
          break;
        }
        case 'agent.process.exited': {
          const { id, exit } = event.data as LiveEvents['agent.process.exited'];
          if (!exit.intended) metrics.agentFailure(id, exit.signal === null ? 'exit' : 'signal');
          break;
        }
        case 'agent.state.changed': {
          const { id, to } = event.data as LiveEvents['agent.state.changed'];
          if (to === 'unresponsive') metrics.agentFailure(id, 'unresponsive');
          break;
        }
        case 'agent.recovered': {
          const { id, durationMs } = event.data as LiveEvents['agent.recovered'];
          metrics.agentRecovery(id, 'succeeded', durationMs / 1000);
          break;
        }
        case 'backup.created':
          metrics.backupSucceeded(Date.parse(event.time));
      }
    },
  );
}
