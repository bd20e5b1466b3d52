import type { Ledger } from '#broker/ports.ts'
import { digest } from '#crypto/digest.ts'
import type { Grant } from '#domain/grant.ts'
import { isKey } from '#domain/key.ts'
import type { Provider } from '#domain/provider.ts'
import { modelIsAllowed, place } from '#domain/scope.ts'
import { canonicalPath, parseProxyTarget } from '#domain/target.ts'
import { answerHead } from '#proxy/answer-head.ts'
import { modelOfBody } from '#proxy/checked-model.ts'
import { framingFault } from '#proxy/framing.ts'
import { DEFAULT_LIMITS } from '#proxy/limits.ts'
import { minuteRate } from '#proxy/minute-rate.ts'
import { type OpenRequest, openRequests } from '#proxy/open-requests.ts'
import { outgoingHead } from '#proxy/outgoing-head.ts'
import { presentedKey } from '#proxy/presented-key.ts'
import { redactors } from '#proxy/redactor.ts'
import { UsageReader } from '#proxy/usage-reader.ts'
import type { RecordedAnswer, SdkRequest } from './sdk-exchange.ts'

export type Check = {
  readonly name: string
  /** Whether it is of every request, or of those with a whole or a streamed answer only. */
  readonly of: 'request' | 'whole' | 'streamed'
} & (
  | { /** Once, as the data plane runs it. @returns whether it passed */ run(): boolean }
  | { runAsync(): Promise<boolean> }
)

/** Every check of the data plane, in the order of `proxy/data-plane.ts`, on one request that passes. */
export function checkList(of: {
  readonly request: SdkRequest
  readonly whole: RecordedAnswer
  readonly streamed: RecordedAnswer
  readonly key: string
  readonly credential: string
  readonly provider: Provider
  readonly grant: Grant
  /** Holds the grant. */
  readonly ledger: Ledger
}): readonly Check[] {
  const { request, whole, streamed, key, credential, provider, grant, ledger } = of
  const { message, body } = request
  const { rawHeaders } = message
  const url = message.url!
  const path = '/v1/responses'
  const keyDigest = digest(key)
  const clock = () => Date.now() / 1000
  const open = openRequests(ledger, clock, DEFAULT_LIMITS.checkedBytesAtOnce, () => {})
  const rate = minuteRate(DEFAULT_LIMITS.givenBackPerMinute)
  const redactorFor = redactors()

  const headOf = ({ status, headers }: RecordedAnswer) => {
    const redactor = redactorFor(provider, credential)
    return () => answerHead(status, headers, redactor) !== null
  }
  const redact = ({ pieces }: RecordedAnswer) => {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    return () => {
      const redactor = redactorFor(provider, credential)
      let left = 0
      for (const piece of pieces) left += redactor.push(piece).length
      return left + redactor.end().length === bytes
    }
  }
  const readUsage =
    ({ headers, pieces }: RecordedAnswer, output: number | null) =>
    () => {
      const reader = new UsageReader()
      reader.begin(headers)
      for (const piece of pieces) reader.push(piece)
      return reader.tokens().output === output
    }

  return [
    { name: 'framing', of: 'request', run: () => framingFault(message) === null },
    {
      name: 'grammar of the target',
      of: 'request',
      run: () => parseProxyTarget(url, DEFAULT_LIMITS.targetBytes).kind === 'target',
    },
    { name: 'the one key presented', of: 'request', run: () => presentedKey(rawHeaders).kind === 'presented' },
    { name: 'form and checksum of the key', of: 'request', run: () => isKey(key) && !url.includes(key) },
    { name: 'digest of the key', of: 'request', run: () => digest(key).length === keyDigest.length },
    { name: 'grant of the digest', of: 'request', runAsync: async () => (await ledger.find(keyDigest)) !== null },
    {
      name: 'canonical path, place in the scope',
      of: 'request',
      run: () => place(grant.scope, provider, 'POST', canonicalPath(provider, path)).kind === 'charged',
    },
    {
      name: 'requests open at once, rate',
      of: 'request',
      run: () => {
        const one: OpenRequest = { grant, place: null, cut: () => {} }
        const passes = open.add(one, grant) && rate.wait(grant.id, clock()) === 0
        open.remove(one)
        return passes
      },
    },
    {
      name: `model in ${body.length} B of JSON`,
      of: 'request',
      run: () => {
        const found = modelOfBody(rawHeaders, body)
        return found.kind === 'model' && modelIsAllowed(grant.scope, found.model)
      },
    },
    {
      name: `header policy, ${rawHeaders.length / 2} headers out`,
      of: 'request',
      run: () => outgoingHead(rawHeaders, provider, credential, key) !== null,
    },
    { name: `header policy, ${whole.headers.length / 2} headers back`, of: 'request', run: headOf(whole) },
    { name: `redactor, ${sizeOf(whole)}`, of: 'whole', run: redact(whole) },
    { name: `redactor, ${sizeOf(streamed)}`, of: 'streamed', run: redact(streamed) },
    { name: `usage reader, ${sizeOf(whole)}`, of: 'whole', run: readUsage(whole, 12) },
    { name: `usage reader, ${sizeOf(streamed)}`, of: 'streamed', run: readUsage(streamed, null) },
  ]
}

function sizeOf({ pieces }: RecordedAnswer): string {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return pieces.length === 1 ? `${bytes} B` : `${bytes} B in ${pieces.length} pieces`
}
