import type { BrokerPart } from '#broker/readiness.ts'
import { refusal } from '#domain/refusal.ts'
import { answer, type Call, type Outcome } from './call.ts'

/** Whether the process answers at all: what a supervisor restarts it by. */
export async function health(): Promise<Outcome> {
  return answer(200, { status: 'ok' })
}

/** Whether it can do its work: what a load balancer sends it requests by. */
export async function readiness({ control }: Call<null>): Promise<Outcome> {
  const part = await control.unready()
  if (part === null) return answer(200, { status: 'ready' })
  return refusal('not_ready', `The broker is not ready: ${part}. ${remedies[part]}`)
}

/** What its operator does about each part; docs/operations.md says more. */
export const remedies: Readonly<Record<BrokerPart, string>> = {
  storage: 'It cannot write its ledger: look at the disk or the database that `storage` names.',
  'issuer keys': 'It knows no key of any issuer, and asks again by itself: see that it reaches the URLs in `issuers`.',
  clock: "The machine's clock was set back, and nothing is minted: set it right, or start the broker again.",
  credentials: 'No provider has one: give it with `till credential set NAME`, then send SIGHUP.',
  stopping: 'It was told to stop, and begins nothing new.',
}
