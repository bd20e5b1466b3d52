import { type Discovery, discovery } from '#wire/discovery.ts'
import type { Answer } from './answer.ts'
import { exchange } from './exchange.ts'

/** Asks a broker what it says of itself. Nothing in the answer may decide where a token goes. */
export function discover(broker: string, timeoutMilliseconds: number): Promise<Answer<Discovery>> {
  return exchange({
    method: 'GET',
    url: `${broker}/.well-known/till`,
    status: 200,
    shape: discovery,
    timeoutMilliseconds,
  })
}
