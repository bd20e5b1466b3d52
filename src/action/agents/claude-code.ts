import type { Agent } from './agent.ts'

/** Reads `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`. The switch keeps it from calling hosts that are not the broker. */
export const claudeCode: Agent = {
  needs: [],
  variables: () => ({ CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' }),
}
