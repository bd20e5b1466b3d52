import type { GrantState } from '#domain/grant.ts'
import type { NumericDate } from '#domain/numeric-date.ts'
import type { GrantTransaction, OpenGrant } from '#storage/grant-transaction.ts'

export function state(transaction: GrantTransaction, id: string, now: NumericDate): GrantState {
  return stateOf(transaction.grant(id, now))
}

export function stateOf({ used, givenBack, activeAt, ended }: OpenGrant): GrantState {
  return { used, givenBack, activeAt, ended }
}
