import { answerHeaderPasses, nominated } from '#domain/headers.ts'
import type { Redactor } from './redactor.ts'

/** The head of an answer as the client gets it. */
export interface AnswerHead {
  /** Name, value, name, value. */
  readonly headers: string[]
  /** Bytes of the body, where the provider announced them. */
  readonly length: number | null
}

/**
 * The head of the provider's answer as the client may see it.
 *
 * @param given name in lower case, value, name, value: names are tokens, values hold no control characters
 * @returns `null` for a head that cannot be passed: its body is compressed, or the status is none
 */
export function answerHead(status: number, given: readonly string[], redactor: Redactor): AnswerHead | null {
  if (status < 200 || status > 599) return null
  const headers: string[] = []
  let length: number | null = null
  let ofConnection: readonly string[] | null = null
  for (let i = 0; i < given.length; i += 2) {
    const name = given[i]!
    const value = given[i + 1]!
    switch (name) {
      case 'content-length':
        if (!/^[0-9]{1,15}$/.test(value)) return null
        length = Number(value)
        continue
      case 'content-encoding':
        if (value.trim().toLowerCase() !== 'identity') return null
        continue
      case 'transfer-encoding':
        if (value.trim().toLowerCase() !== 'chunked') return null
        continue
      case 'connection':
        ofConnection = [...(ofConnection ?? []), ...nominated(value)]
        continue
    }
    if (!passes(name) || redactor.isIn(value)) continue
    headers.push(name, value)
  }
  if (ofConnection) drop(headers, ofConnection)
  // 204 and 304 have no body, whatever they announce.
  if (length !== null && status !== 204) headers.push('content-length', String(length))
  return { headers, length }
}

/** What the provider's `Connection` names is of its connection, not of ours. */
function drop(headers: string[], names: readonly string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (names.includes(headers[i]!)) headers.splice(i, 2)
}

const judged = new Map<string, boolean>()
const MOST_JUDGED = 2048

function passes(name: string): boolean {
  let verdict = judged.get(name)
  if (verdict === undefined) {
    verdict = answerHeaderPasses(name)
    if (judged.size < MOST_JUDGED) judged.set(name, verdict)
  }
  return verdict
}
