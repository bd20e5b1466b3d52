import { onTestFinished } from 'vitest'
import { type Answerer, type FakeBroker, startFakeBroker } from '#test/support/fake-broker.ts'
import { type ActionStep, actionStep, type StepOptions } from '#test/support/run-action.ts'

/** A step of a job with `id-token: write`, and the broker that it asks, whose answers a test chooses. */
export async function job(
  options: {
    readonly inputs?: Readonly<Record<string, string>>
    readonly answers?: Readonly<Record<string, Answerer>>
  } & Omit<StepOptions, 'inputs'> = {},
): Promise<{ broker: FakeBroker; step: ActionStep }> {
  const { inputs, answers, ...others } = options
  const broker = await startFakeBroker(answers)
  const step = actionStep({
    env: broker.environment,
    ...others,
    inputs: { broker: broker.url, provider: 'openai', ...inputs },
  })
  onTestFinished(async () => {
    step.remove()
    await broker.close()
  })
  return { broker, step }
}
