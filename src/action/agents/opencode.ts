import type { Agent } from './agent.ts'

/** Its Anthropic client adds `/messages` where others add `/v1/messages`. The broker takes both for the same route. */
export const opencode: Agent = {
  needs: [],
  variables: ({ bases }) => {
    const base = bases.get('anthropic')
    return base === undefined ? {} : { ANTHROPIC_BASE_URL: `${base.replace(/\/$/, '')}/v1` }
  },
}
