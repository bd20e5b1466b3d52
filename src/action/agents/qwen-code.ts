import { type Agent, modelVariable } from './agent.ts'

/** Reads `OPENAI_API_KEY` and `OPENAI_BASE_URL`, and does not start without a model. */
export const qwenCode: Agent = {
  needs: [],
  variables: ({ models }) => modelVariable('OPENAI_MODEL', models),
}
