import { type Agent, modelVariable } from './agent.ts'

/** GitHub's Copilot CLI with a provider of one's own: OpenAI's chat completions, or Anthropic's messages. */
export const copilot: Agent = {
  needs: ['openai', 'anthropic'],
  variables: ({ bases, key, models }) => {
    const openai = bases.get('openai')
    return {
      COPILOT_PROVIDER_TYPE: openai === undefined ? 'anthropic' : 'openai',
      COPILOT_PROVIDER_BASE_URL: openai ?? bases.get('anthropic')!,
      COPILOT_PROVIDER_API_KEY: key,
      ...modelVariable('COPILOT_MODEL', models),
    }
  },
}
