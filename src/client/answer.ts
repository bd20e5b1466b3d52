import type { Problem } from '#wire/problem.ts'

/** What became of a request to the control plane. Failures are values; what the broker says in them is hostile text. */
export type Answer<T> = { readonly kind: 'ok'; readonly value: T } | Failure

export type Failure = Refused | Unreachable | Nonsense

/** The broker answered with an error. */
export interface Refused {
  readonly kind: 'refused'
  readonly status: number
  /** `null`: an error that does not have the form of the contract, such as that of a gateway in front of the broker. */
  readonly problem: Problem | null
  /** Seconds, from `Retry-After`. */
  readonly retryAfter: number | null
}

/** No whole answer came: it is not known whether the broker acted. */
export interface Unreachable {
  readonly kind: 'unreachable'
  /** An error code such as `ECONNREFUSED`, or `no answer within 10 s`. */
  readonly why: string
  /** The request did not leave this machine whole, so that nobody acted on it. */
  readonly unsent?: true
}

/** An answer that no broker of the contract gives. */
export interface Nonsense {
  readonly kind: 'nonsense'
  /** Never repeats what the answer said. */
  readonly why: string
}
