import { Tabs } from '@mantine/core';
import type { Agent } from '#contract';
import type { AgentCommands } from '../../components/agent-commands.tsx';
import { AGENT_TABS, type AgentTab } from './agents-state.ts';
import { ConfigurationTab } from './configuration-tab.tsx';
import { ExitsTab } from './exits-tab.tsx';
import { FramesTab } from './frames-tab.tsx';
import { HealthTab } from './health-tab.tsx';
import { NowTab } from './now-tab.tsx';
import { SessionsTab } from './sessions-tab.tsx';

const TAB_LABELS: Readonly<Record<AgentTab, string>> = {
  now: 'Now',
  health: 'Health',
  exits: 'Exits',
  sessions: 'Sessions',
  configuration: 'Configuration',
  frames: 'Protocol frames',
};

/** Everything about one agent, in the drawer and on its own page. */
export function AgentDetail({
  agent,
  tab,
  commands,
  onTab,
}: {
  agent: Agent;
  tab: AgentTab;
  commands: AgentCommands;
  onTab: (tab: AgentTab) => void;
}) {
  const exits = agent.exits.filter((exit) => !exit.intended).length;
  return (
    <Tabs value={tab} onChange={(value) => onTab((value ?? 'now') as AgentTab)} keepMounted={false}>
      <Tabs.List mb="md">
        {AGENT_TABS.map((each) => (
          <Tabs.Tab key={each} value={each} px={7} fz="xs">
            {TAB_LABELS[each]}
            {each === 'exits' && exits > 0 && ` ${exits}`}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="now">
        <NowTab agent={agent} commands={commands} />
      </Tabs.Panel>
      <Tabs.Panel value="health">
        <HealthTab agent={agent} commands={commands} />
      </Tabs.Panel>
      <Tabs.Panel value="exits">
        <ExitsTab agent={agent} commands={commands} />
      </Tabs.Panel>
      <Tabs.Panel value="sessions">
        <SessionsTab agent={agent} />
      </Tabs.Panel>
      <Tabs.Panel value="configuration">
        {/* Another agent is another form: what stands in this one must not be saved to that. */}
        <ConfigurationTab key={agent.id} agent={agent} />
      </Tabs.Panel>
      <Tabs.Panel value="frames">
        <FramesTab key={agent.id} agent={agent} />
      </Tabs.Panel>
    </Tabs>
  );
}
