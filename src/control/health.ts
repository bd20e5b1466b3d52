import { refusal } from '#domain/refusal.ts'
import { answer, type Call, type Outcome } from './call.ts'

/** Whether the process answers at all: what a supervisor restarts it by. */
export async function health(): Promise<Outcome> {
  return answer(200, { status: 'ok' })
}

/** Whether it can do its work: what a load balancer sends it requests by. */
export async function readiness({ control }: Call<null>): Promise<Outcome> {
  const part = await control.unready()
  return part === null ? answer(200, { status: 'ready' }) : refusal('not_ready', `The broker is not ready: ${part}.`)
}
