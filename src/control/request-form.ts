import type { IncomingMessage } from 'node:http'
import { type Refusal, refusal } from '#domain/refusal.ts'

/**
 * What Node's parser lets through and two readers could understand in two ways (SECURITY, T19): refused before anything
 * reads the request. Whoever sends such a request is not a client of ours.
 */
export function malformed(request: IncomingMessage, targetBytes: number): Refusal | null {
  const objection = checks.find(({ holds }) => !holds(request, targetBytes))
  return objection ? refusal('request_refused', `Cannot read the request: ${objection.expected}.`) : null
}

const MAX_HEADERS = 100

interface Check {
  readonly expected: string
  readonly holds: (request: IncomingMessage, targetBytes: number) => boolean
}

/** The first that does not hold is named. */
const checks: readonly Check[] = [
  {
    expected: 'expected HTTP/1.1, or HTTP/1.0 without a transfer coding',
    holds: (request) =>
      request.httpVersion === '1.1' ||
      (request.httpVersion === '1.0' && request.headers['transfer-encoding'] === undefined),
  },
  {
    expected: 'expected a target that begins with one slash',
    holds: ({ url }) => url !== undefined && /^\/(?!\/)/.test(url) && !/[\\#]/.test(url),
  },
  {
    expected: 'expected a target of at most 4096 bytes',
    holds: ({ url }, targetBytes) => url!.length <= targetBytes,
  },
  {
    expected: 'expected at most 100 headers',
    holds: ({ rawHeaders }) => rawHeaders.length <= 2 * MAX_HEADERS,
  },
  {
    expected: 'expected one Host with one name',
    holds: (request) => count(request, 'host') <= 1 && /^[A-Za-z0-9.\-_:[\]]+$/.test(request.headers.host ?? 'absent'),
  },
  {
    expected: 'expected one Authorization',
    holds: (request) => count(request, 'authorization') <= 1,
  },
  {
    expected: 'expected one Idempotency-Key',
    holds: (request) => count(request, 'idempotency-key') <= 1,
  },
  {
    expected: 'expected no transfer coding but chunked',
    holds: ({ headers }) => ['chunked', undefined].includes(headers['transfer-encoding']?.toLowerCase()),
  },
  {
    expected: 'expected a Content-Length of plain digits',
    holds: ({ headers }) => /^(?:0|[1-9][0-9]{0,15})$/.test(headers['content-length'] ?? '0'),
  },
  {
    expected: 'expected no content coding',
    holds: ({ headers }) => [undefined, 'identity'].includes(headers['content-encoding']?.toLowerCase()),
  },
]

function count(request: IncomingMessage, name: string): number {
  let times = 0
  for (let i = 0; i < request.rawHeaders.length; i += 2) if (request.rawHeaders[i]!.toLowerCase() === name) times++
  return times
}
