import type { Route } from './route.ts'

/** Where a request names its model: nowhere, in the field `model` of a JSON body, or in the path (Gemini). */
export type ModelPlace = 'none' | 'body' | 'path'

/** The header that carries the credential, such as `authorization: Bearer {credential}`. */
export interface CredentialHeader {
  /** Lower case. */
  readonly name: string
  readonly before: string
  readonly after: string
}

/** An HTTP API behind the broker. */
export interface Provider {
  readonly name: string
  /** Scheme, host and port; no path. */
  readonly origin: string
  readonly header: CredentialHeader
  /** What follows `/proxy/{name}` in the base URL that this provider's main SDK expects: `/v1`, or nothing. */
  readonly base: string
  /**
   * The path prefix under which the API stands, such as `/v1`, when its clients disagree about it: requests with it,
   * without it, and with it twice are the same route. `null` when every path is taken as it comes.
   */
  readonly prefix: string | null
  readonly routes: readonly Route[]
  readonly free: readonly Route[]
  readonly model: ModelPlace
}
